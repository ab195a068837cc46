#!/bin/sh
# Proves in a real browser what people see: the status page over a simulated NVML library, in
# headless Chromium. Fails if a proof does, or if Playwright can't be installed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/browser-venv

[ -n "${THERMAL_GUARD_BUILT:-}" ] || (cd "$root" && cargo build --quiet --workspace --locked)

# The list of what is installed is written last: a venv that was cut short is made anew.
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi

export BINARIES="$target/debug"
export PYTHONDONTWRITEBYTECODE=1
# Extra words are unittest's: `-k Reconnect`, `-v`.
exec "$venv/bin/python" -m unittest discover --start-directory "$here" --pattern 'prove_*.py' "$@"
