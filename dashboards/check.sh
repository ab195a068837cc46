#!/usr/bin/env bash
# Checks the dashboards: against Grafana's own types, the places of their panels, and each of their expressions
# against a real Prometheus that scrapes real guards over simulated GPUs. Each claim has negative controls.
# Needs `prometheus`, Python 3 with venv, and PyPI once; the guard is built if it isn't.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$(realpath -m "${CARGO_TARGET_DIR:-target}")/dashboards-venv
schema=dashboards/schema/dashboard.schema.json
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# The list of what is installed is written last: a venv that was cut short is made anew.
if ! cmp -s dashboards/requirements.txt "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement dashboards/requirements.txt
    cp dashboards/requirements.txt "$venv/installed.txt"
fi

valid() { "$venv/bin/check-jsonschema" --schemafile "$schema" "$@" >"$scratch/out" 2>&1; }

if valid dashboards/*.json; then
    echo "ok    dashboards fit Grafana's types"
else
    cat "$scratch/out"
    failures=$((failures + 1))
fi

# control NAME MESSAGE EXPRESSION: with sed's EXPRESSION done to it, a dashboard must not be valid,
# and the message must name what is wrong.
control() {
    local name=$1 message=$2 expression=$3 dashboard=dashboards/thermal.json
    sed -E "$expression" "$dashboard" >"$scratch/thermal.json"
    if cmp -s "$dashboard" "$scratch/thermal.json"; then
        echo "FAIL  control changes nothing, look at its expression: $name"
    elif valid "$scratch/thermal.json"; then
        echo "FAIL  passes although it must not: $name"
    elif ! grep -q -- "$message" "$scratch/out"; then
        echo "FAIL  doesn't say \"$message\": $name"
        sed 's/^/      /' "$scratch/out"
    else
        echo "ok    control: $name"
        return
    fi
    failures=$((failures + 1))
}

control "a misspelt option of a panel" "'graphMod' was unexpected" 's/"graphMode"/"graphMod"/'
control "an option's value that isn't one" "'backgrounds' is not one of" 's/"colorMode": "background"/"colorMode": "backgrounds"/'
control "a misspelt field setting" "'showPoint' was unexpected" 's/"showPoints"/"showPoint"/'
control "a misspelt override" "'custom.lineStile' is not one of" 's/"custom\.lineStyle"/"custom.lineStile"/'
control "an override's value of the wrong type" "'thin' is not of type 'number'" 's/("custom\.lineWidth", "value": )1/\1"thin"/'
control "a panel type we have no types for" "'graph' is not one of" 's/"type": "timeseries"/"type": "graph"/'
control "a panel without a description" "'description' is a required property" '/"title": "Power"/,/"description"/s/"description"/"comment"/'

PYTHONDONTWRITEBYTECODE=1 python3 dashboards/check/layout.py dashboards/*.json || failures=$((failures + 1))

[[ -n ${THERMAL_GUARD_BUILT:-} ]] || cargo build --quiet --workspace --locked
PYTHONDONTWRITEBYTECODE=1 python3 dashboards/check/check.py dashboards/*.json || failures=$((failures + 1))

if ((failures > 0)); then
    echo "$failures of the dashboard checks failed"
    exit 1
fi
echo "all dashboard checks passed"
