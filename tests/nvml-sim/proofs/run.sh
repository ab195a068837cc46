#!/bin/sh
# Proves the simulated library against programs that were written for the real one, unmodified:
# NVIDIA's own Python bindings and nvitop. Fails if a proof does, or if they can't be installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/proofs-venv

[ -n "${THERMAL_GUARD_BUILT:-}" ] || (cd "$root" && cargo build --quiet --locked --package nvml-sim)

# The list of what is installed is written last: a venv that was cut short is made anew.
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ln -s "$target/debug/libnvidia_ml.so" "$scratch/libnvidia-ml.so.1"

export LD_LIBRARY_PATH="$scratch"
export NVML_SIM_STATE="$scratch/state"
export NVML_SIMCTL="$target/debug/nvml-simctl"
export PYTHONDONTWRITEBYTECODE=1
export NVML_SIM_SYMBOLS="$here/../symbols.txt"
export NVITOP="$venv/bin/nvitop"

"$venv/bin/python" -m unittest discover --start-directory "$here" --pattern 'prove_*.py' "$@"
