#!/usr/bin/env bash
# Installs what the guard is compared with into target/bench-tools; what is there already stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${CARGO_TARGET_DIR:-$PWD/target}/bench-tools
nvitop=1.7.2
all_smi=0.22.0

# Written last: an installation that was cut short is begun anew.
if [[ $(cat "$tools/venv/installed" 2>/dev/null) != "$nvitop" ]]; then
    python3 -m venv --clear "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check \
        "nvitop==$nvitop" "nvitop-exporter==$nvitop"
    echo "$nvitop" >"$tools/venv/installed"
fi
if [[ $("$tools/bin/all-smi" --version 2>/dev/null) != "all-smi $all_smi" ]]; then
    cargo install --locked all-smi --version "$all_smi" --root "$tools"
fi
