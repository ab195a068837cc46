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
home=$PWD/target/policy-mutants
# Random histories are the same each time.
export CI=1

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "cargo-mutants is missing: cargo install --locked cargo-mutants" >&2
    exit 1
fi

# Of the working tree, these files, in a fresh $home/NAME.
copy() {
    rm -rf "${home:?}/$1"
    mkdir -p "$home/$1"
    git ls-files -z --cached --others --exclude-standard -- .cargo Cargo.lock clippy.toml rust-toolchain.toml \
        src/units.rs src/device src/policy "${@:2}" | tar -c --null --files-from - | tar -x -C "$home/$1"
}

# The layers named, and nothing above them.
layers() {
    printf 'pub mod %s;\n' "${@:2}" >"$home/$1/src/lib.rs"
}

# What cargo-mutants tells with its code: 2 and 3 are survivors and timeouts, which the next stage
# looks at; others mean that it couldn't work.
stage() {
    local status=0
    export CARGO_TARGET_DIR=$home/$1/target
    cargo mutants --dir "$home/$1" --in-place --output "$home" "${@:2}" || status=$?
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
}

# The policy alone: pure, so hardly anything but itself is to be built.
copy alone
layers alone units device policy
rm -r "$home"/alone/src/device/nvml*
sed -i '/^\(pub \)\?mod nvml/d' "$home/alone/src/device/mod.rs"
cat >"$home/alone/Cargo.toml" <<'END'
[workspace]
[package]
name = "thermal-guard"
version = "0.0.0"
edition = "2024"
[dependencies]
thiserror = "2.0"
[profile.mutants]
inherits = "dev"
debug = false
END
stage alone "$@" --cargo-arg=--lib -- policy::

# With the workers around it, over simulated cards.
copy node Cargo.toml build.rs src/config src/guard tests/common/virtual_node.rs \
    tests/simulation.rs tests/plants.rs tests/properties.rs
layers node units device policy config guard
sed -i '/^default-run/d; /^\[\[bench\]\]/,/^$/d; s/^members = .*/members = ["."]/' "$home/node/Cargo.toml"
stage node --iterate "$@" --cargo-arg=--test=simulation
stage node --iterate "$@" --cargo-arg=--test=plants --cargo-arg=--test=properties

echo "survivors: $home/mutants.out/missed.txt"
