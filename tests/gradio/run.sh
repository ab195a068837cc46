#!/bin/sh
# Proves deploy/gradio: the real Gradio, the real guard over a simulated NVML library, and a browser
# that clicks. Fails if a proof does, or if Gradio can't be installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/gradio-venv

[ -n "${THERMAL_GUARD_BUILT:-}" ] || (cd "$root" && cargo build --quiet --workspace --locked)

# The list of what is installed is written last: a venv that was cut short is made anew.
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

export BINARIES="$target/debug"
export GRADIO_ANALYTICS_ENABLED=False
export PYTHONDONTWRITEBYTECODE=1
# Gradio leaves its event loops to the collector. Extra words are unittest's: `-k Story`, `-v`.
exec "$venv/bin/python" -W ignore::ResourceWarning -m unittest discover --start-directory "$here" --pattern 'prove_*.py' "$@"
