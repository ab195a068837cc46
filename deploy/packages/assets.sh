#!/usr/bin/env bash
# Writes the completions and man pages of a program into target/assets, where the packages' metadata in
# Cargo.toml looks for them, whatever CARGO_TARGET_DIR says.
#   deploy/packages/assets.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
out=$(cd "$(dirname "$0")/../.." && pwd)/target/assets

rm -rf "$out"
mkdir -p "$out/completions"
"$program" completions bash >"$out/completions/thermal-guard.bash"
"$program" completions zsh >"$out/completions/_thermal-guard"
"$program" completions fish >"$out/completions/thermal-guard.fish"
"$program" man "$out/man"
