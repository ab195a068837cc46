#!/usr/bin/env bash
# Checks the chart with Helm itself: lint, what it renders, what it refuses, and that the plain manifests are its own.
# Each claim has a control: a fault in a copy that must be found. Without helm in PATH, Go builds it, once: 3 min.
set -euo pipefail
cd "$(dirname "$0")/../.."
chart=deploy/helm/thermal-guard
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0
venv=${CARGO_TARGET_DIR:-target}/deploy-venv
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}/helm")
PATH=$(realpath -m "$venv")/bin:$tools:$PATH
export PATH

if ! command -v helm >/dev/null; then
    command -v go >/dev/null || { echo "no helm and no Go to build it: install one of them (https://helm.sh)" && exit 1; }
    GOBIN=$tools CGO_ENABLED=0 go install helm.sh/helm/v4/cmd/helm@v4.3.1
fi
[ -x "$venv/bin/kubernetes-validate" ] || { echo "run \`make deploy-check\` before: it installs the validators" && exit 1; }

fail() {
    echo "FAIL  $*"
    failures=$((failures + 1))
}
# holds NAME COMMAND…
holds() {
    local name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then echo "ok    $name"; else fail "$name" && sed 's/^/      /' "$scratch/out"; fi
}
# refused WORDS VALUES…: Helm refuses the values and says so in these words.
refused() {
    local words=$1
    shift
    if helm template x "$chart" "$@" >"$scratch/out" 2>&1; then
        fail "taken although it must not: $*"
    elif grep -qF -- "$words" "$scratch/out"; then
        echo "ok    refused: $*"
    else
        fail "refused in other words: $*" && sed 's/^/      /' "$scratch/out"
    fi
}

# shellcheck disable=SC2054  # the commas are Helm's
everything=(--set podMonitor.enabled=true,prometheusAccess.enabled=true,prometheusRule.enabled=true,alertmanagerConfig.enabled=true
    --set networkPolicy.enabled=true,dashboards.enabled=true)

lints() { helm lint --strict "$1" "${@:2}"; }
holds "lint: read-only" lints $chart
holds "lint: actuating, everything" lints $chart --set mode=actuating "${everything[@]}"

# What it renders is what Kubernetes takes.
valid() {
    helm template x "$1" --namespace gpu "${@:2}" --show-only templates/daemonset.yaml --show-only templates/configmap.yaml \
        --show-only templates/serviceaccount.yaml --set prometheusAccess.enabled=true \
        --show-only templates/prometheus-role.yaml --show-only templates/prometheus-rolebinding.yaml >"$scratch/rendered.yaml" && kubernetes-validate --strict "$scratch/rendered.yaml"
}
holds "valid: read-only" valid $chart
holds "valid: actuating" valid $chart --set mode=actuating
holds "valid: a driver's folder, no runtime class" valid $chart --set runtimeClassName=,driver.hostPath=/run/nvidia/driver
holds "valid: all that pods can have" valid $chart --set hostNetwork=true,priorityClassName= \
    --set-json 'podLabels={"a":"b"},podAnnotations={"a":"b"},extraEnv=[{"name":"A","value":"b"}],imagePullSecrets=[{"name":"x"}]' \
    --set-json 'affinity={"nodeAffinity":{}},nodeSelector={},tolerations=[],extraVolumes=[{"name":"v","emptyDir":{}}]' \
    --set-json 'extraVolumeMounts=[{"name":"v","mountPath":"/v"}]'

rights() { GUARD=true python3 deploy/helm/rendered.py "$1"; }
holds "rights, names and labels are those that are said" rights $chart
notes() { python3 deploy/helm/notes.py "$1"; }
holds "the notes are true, and their remedies work" notes $chart

# only VALUES CONTENT: all that is in the configuration file.
only() {
    helm template x "$1" --set "$2" --show-only templates/configmap.yaml | sed '1,/thermal-guard.yml/d; /^ *$/d' >"$scratch/config" &&
        diff "$scratch/config" - <<<"    $3"
}
holds "no Alertmanager where it is null" only $chart config.alertmanager=null '{}'

refused "at '/mode': value must be one of 'read-only', 'actuating'" --set mode=observe
refused "additional properties 'tresholds' not allowed" --set tresholds=1
refused "additional properties 'tresholds' not allowed" --set config.tresholds.safe=70
refused "additional properties 'repo' not allowed" --set image.repo=x
refused "at '/podMonitor/interval'" --set podMonitor.interval=often
refused "at '/nodeSelector/a'" --set-json 'nodeSelector={"a":1}'
refused "each guard would be scraped twice" --set podMonitor.enabled=true,serviceMonitor.enabled=true

# The plain manifests are the chart's.
plain() {
    mkdir -p "$scratch/plain" && rm -f "$scratch"/plain/*
    "$1/deploy/kubernetes/generate.sh" "$scratch/plain" || return 1
    for file in "$scratch"/plain/*.yaml; do
        diff "$file" "deploy/kubernetes/$(basename "$file")" || return 1
    done
}
holds "deploy/kubernetes is what the chart renders" plain "$PWD"

# control NAME FILE EXPRESSION COMMAND…: the command must fail on a copy with this fault; COPY is where it is.
control() {
    local name=$1 file=$2 expression=$3
    shift 3
    rm -rf "$scratch/tree" && mkdir "$scratch/tree" && cp -r deploy alerts dashboards "$scratch/tree/"
    sed -E -i "$expression" "$scratch/tree/$file"
    if cmp -s "$file" "$scratch/tree/$file"; then
        fail "control changes nothing: $name"
    elif "${@//COPY/$scratch/tree}" >"$scratch/out" 2>&1; then
        fail "passes although it must not: $name"
    else
        echo "ok    control: $name"
    fi
}
# shellcheck disable=SC2016  # the faults are not for this shell
controls() {
    control "a template that isn't one" $chart/templates/daemonset.yaml 's/\{\{- end \}\}//' lints COPY/$chart
    control "a field that Kubernetes doesn't know" $chart/templates/daemonset.yaml 's/serviceAccountName:/serviceAcountName:/' valid COPY/$chart
    control "read-only with a capability" $chart/templates/daemonset.yaml 's/drop: \[ALL\] \}$/drop: [ALL], add: [SYS_ADMIN] }/' rights COPY/$chart
    control "read-only with the host's folders" $chart/templates/daemonset.yaml 's/^        \{\{- if \$actuating \}\}$/        {{- if true }}/' rights COPY/$chart
    control "actuating with every capability" $chart/templates/daemonset.yaml 's/drop: \[ALL\], add: \[SYS_ADMIN\]/add: [ALL]/' rights COPY/$chart
    control "a give-back by the default thresholds" $chart/templates/give-back-config.yaml 's/\.Values\.config/dict/' rights COPY/$chart
    control "a give-back without the guard's volumes" $chart/templates/give-back.yaml 's/\.Values\.extraVolumes/dict/' rights COPY/$chart
    control "alerts that change with their pod" $chart/templates/_helpers.tpl 's/pod\|container$/container/' rights COPY/$chart
    control "a default label that Helm adds to others" $chart/values.yaml 's/^nodeSelector: .*/nodeSelector: { nvidia.com\/gpu.deploy.dcgm-exporter: "true" }/' notes COPY/$chart
    control "notes that give no label to choose" $chart/templates/NOTES.txt 's/nvidia.com\/gpu.present/nvidia.com\/gpu.deploy.dcgm-exporter/' notes COPY/$chart
    control "notes that miss no RuntimeClass" $chart/templates/NOTES.txt 's/and \$classes \(not \$there\)/and false/' notes COPY/$chart
    control "notes that forget caps" $chart/templates/NOTES.txt 's/if \.Release\.IsUpgrade/if false/' notes COPY/$chart
    control "notes that forget the values" $chart/templates/NOTES.txt 's/--values values.yaml //' notes COPY/$chart
    control "an Alertmanager that stays" $chart/templates/configmap.yaml 's/toYaml \.Values\.config/toYaml (merge .Values.config (dict "alertmanager" dict))/' only COPY/$chart config.alertmanager=null '{}'
    control "a Prometheus that may change pods" $chart/templates/prometheus-role.yaml 's/list, watch\]/list, watch, delete]/' rights COPY/$chart
    control "other rules than alerts/" $chart/templates/prometheusrule.yaml 's/thermal-guard.rules.yml"/thermal.json"/' rights COPY/$chart
    control "a chart that the plain manifests don't follow" $chart/templates/daemonset.yaml 's/periodSeconds: 15/periodSeconds: 16/' plain COPY
}
controls

if ((failures > 0)); then
    echo "$failures of the chart's checks failed"
    exit 1
fi
echo "all checks of the chart passed"
