#!/usr/bin/env bash
# Mutation testing of src/policy: is there a claim that fails when a line of it is wrong?
#
# A build of the whole service for each of a thousand mutants would take a day. So this works on a
# copy that ends where the policy's callers begin, and in stages, each only for what survived the
# one before: the policy's own claims, then the scenarios in virtual time, then random histories.
set -euo pipefail

cd "$(dirname "$0")/../.."
home=$PWD/target/policy-mutants
tree=$home/tree

if ! cargo mutants --version >/dev/null 2>&1; then
    echo "cargo-mutants is missing: cargo install --locked cargo-mutants" >&2
    exit 1
fi

# The layers named, and nothing above them.
cut_to() {
    printf 'pub mod %s;\n' "$@" >"$tree/src/lib.rs"
}

# What `cargo mutants` tells with its code: 2 and 3 are survivors and timeouts, which the next stage
# looks at; others mean that it couldn't work.
stage() {
    local status=0
    cargo mutants --dir "$tree" --in-place --output "$home" "${@}" || status=$?
    case $status in 0 | 2 | 3) ;; *) exit "$status" ;; esac
}

mkdir -p "$home"
rm -rf "$tree"
mkdir "$tree"
git ls-files -z --cached --others --exclude-standard -- .cargo Cargo.toml Cargo.lock clippy.toml build.rs \
    rust-toolchain.toml src tests/common/virtual_node.rs tests/{simulation,plants,properties}.rs |
    tar -c --null --files-from - | tar -x -C "$tree"
rm -r "$tree"/src/{main.rs,cli,web}
sed -i '/^default-run/d; s/^members = .*/members = ["."]/' "$tree/Cargo.toml"

# The same random histories each time.
export CI=1
export CARGO_TARGET_DIR=$PWD/target

cut_to units device policy
stage "$@" --cargo-arg=--lib -- policy::
cut_to units device policy config guard
stage --iterate "$@" --cargo-arg=--test=simulation
stage --iterate "$@" --cargo-arg=--test=plants --cargo-arg=--test=properties

echo "survivors: $home/mutants.out/missed.txt"
