#!/usr/bin/env bash
# Checks every file under deploy/ as far as that goes without installing it, and shows for each that a fault in it would
# be caught: a control is a change to a copy of this tree that must make the check fail.
# Needs python3-venv, systemd-analyze, promtool, amtool, curl; and `cargo build --workspace` before.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/deploy-venv

# The list of what is installed is written last: a venv that was cut short is made anew.
if ! cmp -s deploy/requirements.txt "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement deploy/requirements.txt
    cp deploy/requirements.txt "$venv/installed.txt"
fi
export PATH=$venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
export GUARD=$target/debug/thermal-guard

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
covered=()

fail() {
    echo "FAIL  $*"
    failures=$((failures + 1))
}

# A copy of what the checks read, to break.
copy_tree() {
    rm -rf "$scratch/tree"
    mkdir "$scratch/tree"
    cp -r deploy alerts dashboards docs .github Cargo.toml ./*.md "$scratch/tree/"
}

# check FILE EXPRESSION CHECK…: CHECK succeeds here, and fails in a copy after `sed -E EXPRESSION FILE`.
check() {
    local file=$1 expression=$2
    shift 2
    covered+=("$file")
    if ! "$@" >"$scratch/out" 2>&1; then
        fail "$file: $*"
        sed 's/^/      /' "$scratch/out"
        return
    fi
    copy_tree
    sed -E -i "$expression" "$scratch/tree/$file"
    if cmp -s "$file" "$scratch/tree/$file"; then
        fail "control changes nothing, look at its expression: $file $expression"
    elif (cd "$scratch/tree" && "$@") >"$scratch/out" 2>&1; then
        fail "$file: $* passes although it must not: $expression"
    else
        echo "ok    $* (caught: $expression)"
    fi
}

# systemd's own opinion. The program need not be installed for it.
unit_valid() {
    sed 's#/usr/bin/thermal-guard#/bin/true#' deploy/systemd/thermal-guard.service >"$scratch/thermal-guard.service"
    mkdir -p "$scratch/thermal-guard.service.d"
    rm -f "$scratch"/thermal-guard.service.d/*
    [[ $# -eq 0 ]] || sed 's#/usr/bin/thermal-guard#/bin/true#' "$1" >"$scratch/thermal-guard.service.d/drop-in.conf"
    # Unknown keys are warnings, with which it exits well.
    local said
    said=$(systemd-analyze verify --man=no --recursive-errors=no "$scratch/thermal-guard.service" 2>&1) || return 1
    [[ -z $said ]] || { echo "$said" && return 1; }
}

# From 0 (good) to 10. 3.0: what is left is root, CAP_SYS_ADMIN, NVIDIA's devices, /proc and the network, which together
# weigh 2.5; a new exception shows. Without root, and with nothing but devices, /proc and the network left, 1.6 is.
unit_exposed() {
    unit_valid "${@:2}" && systemd-analyze security --no-pager --offline=true --threshold="$1" "$scratch/thermal-guard.service"
}

# The flags in the unit are flags of the program.
unit_runs() {
    local line
    grep -hE '^Exec(Start|Reload|StopPost)=/' deploy/systemd/*.{service,conf} | while read -r line; do
        line=${line#*=/usr/bin/thermal-guard }
        # shellcheck disable=SC2086  # a command line
        "$GUARD" ${line//\$ARGS/} --help >/dev/null || return 1
    done
}

# A stopped process is noticed, killed and started anew within ten seconds: heat doesn't wait longer. A start takes one second.
watchdog_in_time() {
    awk -F= '/^(WatchdogSec|TimeoutAbortSec|RestartSec)=/ { gsub(/s$/, "", $2); v[$1] = $2 ~ /ms?$/ ? $2 / 1000 : $2 }
        END { exit !(v["WatchdogSec"] > 0 && v["TimeoutAbortSec"] != "" && v["WatchdogSec"] + v["TimeoutAbortSec"] + v["RestartSec"] + 1 <= 10) }' "$1"
}

# The number for a driver that is loaded later, its names for a systemd before 240.
gpus_allowed() {
    local named
    for named in 195 nvidia nvidia-frontend; do
        grep -qx "DeviceAllow=char-$named rw" "$1" || return 1
    done
}

flags_file() { sh -eu -c '. "$1" && [ -z "$ARGS" ] && ! grep -vqE "^(#|ARGS=)" "$1"' - "$PWD/$1"; }

# The configuration is valid: another mistake than ours would be one more line.
config_valid() {
    "$GUARD" check --config.file="$1" --nvml.library=/nonexistent --json >"$scratch/checked" || true
    python3 deploy/check/config.py "$scratch/checked"
}

# sudo's secure_path replaces a PATH that is only preserved.
path_reaches_root() { ! grep -nE 'preserve-env=[A-Z_,]*PATH' .github/workflows/*.yml; }

# What the chart has of rules and dashboards is what users without it get: generate.sh copies.
carried() {
    local file
    for file in alerts/thermal-guard.rules.yml dashboards/{thermal,fleet}.json; do
        [[ ! -L deploy/helm/thermal-guard/files/${file##*/} ]] && cmp "$file" "deploy/helm/thermal-guard/files/${file##*/}" || return 1
    done
}

health() { deploy/node-problem-detector/test.sh "$PWD"; }
prolog() { deploy/slurm/test.sh "$PWD"; }

service=deploy/systemd/thermal-guard.service
check $service 's/^ProtectClock=yes/ProtectClok=yes/' unit_valid
check $service 's/^CapabilityBoundingSet=.*//' unit_exposed 30
check $service 's/--wait 20s/--patience 20s/' unit_runs
check $service 's/thermal-guard reload /thermal-guard relaod /' unit_runs
check $service 's/^WatchdogSec=.*/WatchdogSec=30/' watchdog_in_time $service
check $service '/^TimeoutAbortSec=/ s/=.*/=60/' watchdog_in_time $service
check $service '/^WatchdogSec=/ d' watchdog_in_time $service
check $service '/^TimeoutAbortSec=/ d' watchdog_in_time $service
check $service '/^DeviceAllow=char-195 / d' gpus_allowed $service
check $service '/^DeviceAllow=char-nvidia / d' gpus_allowed $service
check $service '/^DeviceAllow=char-nvidia-frontend / d' gpus_allowed $service
check deploy/systemd/observe.conf 's/^DynamicUser=yes//' unit_exposed 16 deploy/systemd/observe.conf
check deploy/systemd/observe.conf 's/--mode=observe/--mode=watch/' unit_runs
check deploy/systemd/thermal-guard.default 's/^ARGS=""/ARGS="--mode=observe/' flags_file deploy/systemd/thermal-guard.default
check deploy/thermal-guard.example.yml 's/^#mode:/mod:/' config_valid deploy/thermal-guard.example.yml

# shellcheck disable=SC2016  # the fault is not for this shell
for script in deploy/check.sh deploy/demo/*.sh deploy/packages/*.sh deploy/packages/debian/* deploy/packages/rpm/* \
    deploy/kubernetes/*.sh deploy/helm/check.sh deploy/node-problem-detector/{test.sh,thermal-guard-health} deploy/slurm/{test.sh,thermal-guard-slurm-health,thermal-guard-slurm-prolog} \
    deploy/release/*.sh; do
    check "$script" '$ a rm -rf $unquoted/' shellcheck "$script"
done
check deploy/packages/debian/prerm 's/! thermal-guard restore/! thermal-guard restor/' python3 deploy/check/packages.py
check deploy/packages/rpm/preun.sh 's/thermal-guard restore/thermal-guard restor/' python3 deploy/check/packages.py
check deploy/packages/debian/postrm 's#".run"/gpus/\* ##' python3 deploy/check/packages.py
check deploy/packages/debian/postrm 's#\[ -n ".held_in_run" \]#false#' python3 deploy/check/packages.py
check deploy/packages/install.sh 's/\[ -z ".root" \] && (! .*restore)/\1/' python3 deploy/check/packages.py
check Cargo.toml 's/^depends = .*/&\nrecommends = "libnvidia-ml1"/' python3 deploy/check/packages.py
check Cargo.toml '/"docs\/\*.md"/d' python3 deploy/check/packages.py
check deploy/packages/install.sh 's#/usr/lib/systemd/system/#/lib/systemd/#' python3 deploy/check/packages.py

check deploy/container/Containerfile 's/^USER .*/USER root/' hadolint deploy/container/Containerfile
check deploy/container/Containerfile 's/=debian:[0-9.]+-slim/=debian:latest/' python3 deploy/check/container.py
check deploy/container/Containerfile 's/_\$\{TARGETARCH\}//' python3 deploy/check/container.py
check deploy/container/Containerfile 's/, "status"/, "statu"/' python3 deploy/check/container.py
check deploy/container/Containerfile.dockerignore 's/^!.*//' python3 deploy/check/container.py
check deploy/compose/compose.yaml 's/^    cap_add:/    cap_ad:/' check-jsonschema --builtin-schema vendor.compose-spec deploy/compose/compose.yaml
check deploy/compose/compose.yaml 's#\./prometheus.yml#./prometeus.yml#' python3 deploy/check/compose.py
check deploy/compose/guard.yml 's/url:/ulr:/' config_valid deploy/compose/guard.yml
check deploy/compose/guard.yml 's/alertmanager:9093/alertmanger:9093/' python3 deploy/check/compose.py
check deploy/compose/prometheus.yml 's/scrape_timeout: 1s/scrape_timeout: 2s/' promtool check config --syntax-only deploy/compose/prometheus.yml
check deploy/compose/prometheus.yml 's/guard:10835/gard:10835/' python3 deploy/check/compose.py
check deploy/compose/alertmanager.yml 's/receiver: nobody/receiver: nobdy/' amtool check-config deploy/compose/alertmanager.yml
check deploy/compose/alertmanager.yml 's/severity="none"/severity="info"/' python3 deploy/check/compose.py
check deploy/compose/alertmanager.yml 's/severity="none"/severity="warning"/' python3 deploy/check/compose.py
check deploy/compose/grafana/datasources.yaml 's/prometheus:9090/prometeus:9090/' python3 deploy/check/compose.py
check deploy/compose/grafana/dashboards.yaml 's#path: /var#path: /vra#' python3 deploy/check/compose.py

kubernetes=deploy/kubernetes
for manifest in namespace serviceaccount configmap networkpolicy daemonset-read-only daemonset-actuating give-back give-back-config prometheus-role prometheus-rolebinding; do
    check $kubernetes/$manifest.yaml 's/^(kind|metadata|spec|data|automount[A-Za-z]*):/\1x:/' kubernetes-validate --strict $kubernetes/$manifest.yaml
    check $kubernetes/$manifest.yaml 's/thermal-guard/thermal-gard/' python3 deploy/check/kubernetes.py
done
check $kubernetes/daemonset-read-only.yaml 's/drop: \[ALL\]/drop: []/' python3 deploy/check/kubernetes.py
check $kubernetes/daemonset-actuating.yaml 's/add: \[SYS_ADMIN\]/add: [SYS_ADMIN, NET_ADMIN]/' python3 deploy/check/kubernetes.py
check $kubernetes/give-back.yaml '/mountPath: \/etc\/thermal-guard/d' python3 deploy/check/kubernetes.py
check $kubernetes/podmonitor.yaml 's/scrapeTimeout: 1s/scrapeTimeot: 1s/' python3 deploy/check/kubernetes.py
check $kubernetes/alertmanagerconfig.yaml 's/receiver: nobody/receiver: nobdy/' python3 deploy/check/kubernetes.py
check $kubernetes/alertmanagerconfig.yaml 's/value: none/value: info/' python3 deploy/check/kubernetes.py
check $kubernetes/alertmanagerconfig.yaml 's/value: none/value: warning/' python3 deploy/check/kubernetes.py
check $kubernetes/prometheusrule.yaml 's/for: 30s/for: 31s/' python3 deploy/check/kubernetes.py
check $kubernetes/kustomization.yaml 's/- namespace.yaml/- namspace.yaml/' python3 deploy/check/kubernetes.py
chart=deploy/helm/thermal-guard
check $chart/values.yaml 's/^mode: .*/mode: observe/' check-jsonschema --schemafile $chart/values.schema.json $chart/values.yaml
check $chart/values.schema.json 's/"read-only"/"readonly"/' check-jsonschema --schemafile $chart/values.schema.json $chart/values.yaml
for file in "$chart"/files/*; do check "$file" '1 s/$/ /' carried; done
check $chart/Chart.yaml 's/^appVersion: .*/appVersion: 0.0.9/' python3 deploy/check/kubernetes.py

check deploy/node-problem-detector/thermal-guard.json 's/"permanent"/"permnent"/' python3 deploy/check/npd.py
check deploy/node-problem-detector/thermal-guard-health 's/state="blind"/state="blinded"/' health
check deploy/node-problem-detector/thermal-guard-health 's/state="unguarded"/state="unguardd"/' health
check deploy/slurm/thermal-guard-slurm-health 's/ Comment=/ Reason=/' health
check deploy/slurm/thermal-guard-slurm-health 's/known=unknown/known=/' health
check deploy/slurm/thermal-guard-slurm-health 's/^"" \| "thermal-guard: "\*\)/?* | "")/' health
check deploy/slurm/thermal-guard-slurm-prolog 's/--below safe/--under safe/' prolog
check deploy/slurm/thermal-guard-slurm-prolog '$ s/exit 0/exit 1/' prolog
check deploy/slurm/thermal-guard-slurm-prolog 's/ \|\| true$//' prolog
for workflow in .github/workflows/*.yml; do
    check "$workflow" 's/^    runs-on:/    run-on:/' check-jsonschema --builtin-schema vendor.github-workflows "$workflow"
    check "$workflow" 's/@[0-9a-f]{40}.*/@v4/' zizmor --offline --quiet "$workflow"
done
check .github/workflows/release.yml 's/sudo env "PATH=.*" make/sudo --preserve-env=HOME,PATH make/' path_reaches_root
check deploy/release/check.sh 's/mistakes == 0/mistakes >= 0/' deploy/release/test.sh
check deploy/release/notes.sh 's/inside \&\&/0 \&\&/' deploy/release/test.sh

# Nothing lies here unchecked. The checks' own files ran; the demo is checked by running it, and gradio/ by its own tests.
covered+=(deploy/requirements.txt deploy/check/*.py)
# Those on a booted system, with Helm, and on the packages themselves plant their own faults: `make package-test`,
# `make helm-test`.
uncovered() {
    while read -r file; do
        case $file in
        deploy/demo/*.py | deploy/gradio/* | deploy/packages/booted/* | deploy/packages/*.py | deploy/helm/*) ;;
        # No pipe: grep leaves at the first match, and pipefail would take the writer's end for a miss.
        *) grep -qxF "$file" <<<"$(printf '%s\n' "${covered[@]}")" || echo "$file" ;;
        esac
    done
}
for file in $(git ls-files --cached --others --exclude-standard deploy | uncovered); do
    fail "no check covers $file"
done
[[ $(echo deploy/systemd/another.service | uncovered) ]] || fail "a file that no check covers goes unseen"

exposure() { systemd-analyze security --no-pager --offline=true "$scratch/thermal-guard.service" | tail -1; }
unit_valid && exposure
unit_valid deploy/systemd/observe.conf && echo "with observe.conf: $(exposure)"
if ((failures > 0)); then
    echo "$failures of the deployment checks failed"
    exit 1
fi
echo "all deployment checks passed"
