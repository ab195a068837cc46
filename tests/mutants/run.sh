#!/usr/bin/env bash
# Mutation testing of src/policy: is there a claim that fails when a line of it is wrong?
#
# A build of the whole service for each of a thousand mutants would take a day. So this works on
# copies that end where the policy does, and in stages, each only for what survived the one before:
# the policy's own claims, the scenarios in virtual time, random histories.
#
# Arguments go to cargo-mutants in each stage.
set -euo pipefail

cd "$(dirname "$0")/../.."
home=$(realpath -m "${CARGO_TARGET_DIR:-target}")/policy-mutants
# Random histories are the same each time.
export CI=1

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "cargo-mutants is missing: cargo install --locked cargo-mutants" >&2
    exit 1
fi

# Of the working tree, these layers and files, in a fresh $home/NAME. What is built ends with them.
#   copy NAME "LAYER…" FILE…
copy() {
    local name=$1 layers=$2
    local place=$home/$name
    shift 2
    rm -rf "${place:?}"
    mkdir -p "$place"
    # shellcheck disable=SC2046,SC2086  # names without blanks
    git ls-files -z --cached --others --exclude-standard -- .cargo Cargo.toml Cargo.lock build.rs clippy.toml rust-toolchain.toml \
        $(for layer in $layers; do echo "src/$layer.rs" "src/$layer"; done) "$@" |
        tar -c --null --files-from - | tar -x -C "$place"
    # shellcheck disable=SC2086
    printf 'pub mod %s;\n' $layers >"$place/src/lib.rs"
    sed -i '/^default-run/d; /^\[\[bench\]\]/,/^$/d; s/^members = .*/members = ["."]/' "$place/Cargo.toml"
}

# What cargo-mutants tells with its code: 2 and 3 are survivors and timeouts, which the next stage
# looks at; others mean that it couldn't work.
stage() {
    local status=0
    export CARGO_TARGET_DIR=$home/$1/target
    cargo mutants --dir "$home/$1" --in-place --output "$home" "${@:2}" || status=$?
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
}

# The policy alone: pure, so little but itself is to be built.
copy alone "units disk device policy"
stage alone "$@" --cargo-arg=--lib -- policy::

# With the workers around it, over simulated cards.
copy node "units disk device policy clock config events guard sim" tests/common/virtual_node.rs \
    tests/virtual_time/{simulation,plants.rs,properties.rs}
echo 'pub(crate) mod virtual_node;' >"$home/node/tests/common/mod.rs"
cat >"$home/node/tests/virtual_time/main.rs" <<'END'
#[path = "../common/mod.rs"]
mod common;
mod plants;
mod properties;
mod simulation;
END
stage node --iterate "$@" --cargo-arg=--test=virtual_time -- simulation::
stage node --iterate "$@" --cargo-arg=--test=virtual_time

echo "survivors: $home/mutants.out/missed.txt"
