#!/usr/bin/env bash
# Builds a whole Kubernetes with Prometheus' operator from the Go module proxy, into $TOOLS: nothing that is there already,
# about 20 minutes on two cores with nothing cached. Needs Go 1.26. No registry of images, no GitHub.
# build.sh PROGRAM…: these, and what is built with them.
set -euo pipefail
TOOLS=${TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/thermal-guard/kubernetes}
bin=$TOOLS/bin
export CGO_ENABLED=0
mkdir -p "$bin"
kubernetes=1.37.2 staging=0.37.2

wanted=" $* "
missing() {
    for program; do
        [[ $wanted == "  " || $wanted == *" $program "* ]] || continue
        [ -x "$bin/$program" ] || return 0
    done
    return 1
}

# into NAME: a module of its own, because `go install` refuses modules that replace others.
into() {
    mkdir -p "$TOOLS/$1"
    cd "$TOOLS/$1"
    printf 'module tools\n\ngo 1.26.0\n' >go.mod
}
# folder MODULE@VERSION: where Go keeps the module's sources.
folder() { (cd "$(mktemp -d)" && printf 'module m\n\ngo 1.26.0\n' >go.mod && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); }
# tool NAME MODULE VERSION FLAGS PACKAGE…: packages of one module.
tool() {
    local name=$1 version=$3 flags=$4
    shift 4
    into "$name"
    go get -tool "${@/%/@v$version}"
    # shellcheck disable=SC2086  # several flags
    go build $flags -ldflags "-s -w ${STAMP:-}" -o "$bin/" "$@"
}

if missing kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; then
    into kubernetes
    programs=(k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl})
    # Its staging modules are replaced by folders: name their published versions instead.
    own=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    {
        printf 'module tools\n\ngo 1.26.0\n\ntool (\n'
        printf '\t%s\n' "${programs[@]}"
        printf ')\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' $kubernetes
        sed -n "s#^\t\(k8s.io/[a-z0-9-]*\) => ./staging.*#\t\1 => \1 v$staging#p" "$own" | grep -v sample-c
        echo ')'
    } >go.mod
    go mod tidy
    version=k8s.io/component-base/version
    go build -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=37" -o "$bin/" "${programs[@]}"
fi
if missing etcd; then
    into etcd
    go get -tool go.etcd.io/etcd/server/v3@v3.6.16
    go build -ldflags '-s -w' -o "$bin/etcd" go.etcd.io/etcd/server/v3
fi
containerd=github.com/containerd/containerd/v2
! missing containerd containerd-shim-runc-v2 ctr ||
    tool containerd $containerd 2.4.2 '-tags no_btrfs' $containerd/cmd/{containerd,containerd-shim-runc-v2,ctr}
! missing coredns || tool coredns github.com/coredns/coredns 1.15.0 '' github.com/coredns/coredns
! missing helm || tool helm helm.sh/helm/v4 4.3.1 '' helm.sh/helm/v4/cmd/helm
operator=github.com/prometheus-operator/prometheus-operator
! missing operator prometheus-config-reloader || tool operator $operator 0.85.0 '' $operator/cmd/{operator,prometheus-config-reloader}
stamp='-X github.com/prometheus/common/version.Version'
prometheus=github.com/prometheus/prometheus
! missing prometheus promtool ||
    STAMP="$stamp=3.16.0" tool prometheus $prometheus 0.316.0 '-tags remove_all_sd,enable_kubernetes_sd' $prometheus/cmd/{prometheus,promtool}
if missing alertmanager amtool; then
    # The module lacks the pages that the program embeds; nobody looks at them here.
    alertmanager=github.com/prometheus/alertmanager
    into alertmanager
    go get -tool $alertmanager/cmd/{alertmanager,amtool}@v0.35.0
    rm -rf source
    cp -r "$(folder $alertmanager@v0.35.0)" source
    chmod -R u+w source
    for page in elm mantine; do
        mkdir -p source/ui/app/dist/$page
        echo '<html></html>' >source/ui/app/dist/$page/index.html
    done
    go mod edit -replace $alertmanager=./source
    go build -ldflags "-s -w $stamp=0.35.0" -o "$bin/" $alertmanager/cmd/{alertmanager,amtool}
fi
ls "$bin"
