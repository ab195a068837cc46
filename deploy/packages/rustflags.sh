#!/usr/bin/env bash
# Flags of the compiler for a program that leaves this machine: panics name the files of dependencies without its directories.
# That makes the program 23 kB smaller, and the same wherever it is built.
#   deploy/packages/rustflags.sh [AS]     AS: where the compiler sees cargo's home; by default where it is
set -euo pipefail
cd "$(dirname "$0")/../.."

home=${CARGO_HOME:-$HOME/.cargo}
# The directory of the registry's files has a name of cargo's own, and is there once they are.
cargo fetch --locked --quiet
flags=()
for index in "$home"/registry/src/*; do
    flags+=("--remap-path-prefix=${1:-$home}/registry/src/${index##*/}/=")
done
echo "${flags[*]}"
