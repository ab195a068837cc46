#!/bin/sh
# Runs each target, or those named, for FUZZ_SECONDS (60) under libFuzzer. What it finds on the way
# stays in target/fuzz and is gone on from; what breaks a target ends the run, and its bytes lie in
# target/fuzz/found. `FUZZ_MERGE=1` takes what reaches new code into the kept corpus.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/fuzz
kept=$root/tests/stress/fuzz/corpus

command -v cargo-fuzz >/dev/null || {
    echo "cargo-fuzz is missing: cargo install --locked cargo-fuzz" >&2
    exit 1
}
cd "$root"
# The versions that ship, and libFuzzer.
cp Cargo.lock "$here/Cargo.lock"
# Without a sanitizer it builds on stable; one would find nothing in safe code but its own cost.
export RUSTC_BOOTSTRAP=1
cargo fuzz build --fuzz-dir "$here" --target-dir "$target" --sanitizer none guided
guided=$(find "$target" -path '*/release/guided' -type f | head -n 1)

mkdir -p "$target/found"
[ $# -gt 0 ] || set -- $(ls "$kept")
for name in "$@"; do
    echo "== $name"
    export THERMAL_GUARD_FUZZ="$name"
    mkdir -p "$target/corpus/$name"
    if [ "${FUZZ_MERGE:-0}" = 1 ]; then
        "$guided" -merge=1 -max_len=4096 "$kept/$name" "$target/corpus/$name" 2>&1 | tail -n 1
        continue
    fi
    # A single input that takes ten seconds hangs; a gigabyte for it is a leak.
    "$guided" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$target/found/$name-" -print_final_stats=1 \
        "$target/corpus/$name" "$kept/$name" 2>&1 | grep -Ev '^#.*(NEW|REDUCE|pulse)|^INFO'
done
