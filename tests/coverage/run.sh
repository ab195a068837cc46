#!/usr/bin/env bash
# How many lines of what must not fail are run by the Rust tests: those in the process, and those
# that start the real program, also where it is killed.
set -euo pipefail

cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR=$target/coverage

if ! cargo llvm-cov --version >/dev/null 2>&1; then
    echo "cargo-llvm-cov is missing: cargo install --locked cargo-llvm-cov" >&2
    exit 1
fi

# LLVM's own tools, of the compiler's version: Debian's, if they are there, or else rustup's.
export CARGO_LLVM_COV_SETUP=no
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if [ -z "${LLVM_COV:-}" ] && command -v "llvm-cov-$major" >/dev/null; then
    export LLVM_COV=llvm-cov-$major LLVM_PROFDATA=llvm-profdata-$major
fi

# A killed program writes nothing at its end, so the counters are in the file from the beginning (%c
# below, and the first flag). Many threads count: one that loses a race would hide a line that ran.
export RUSTFLAGS="${RUSTFLAGS:-} -Cllvm-args=-runtime-counter-relocation -Cllvm-args=-instrprof-atomic-counter-update-all"
environment=$(cargo llvm-cov show-env --sh 2>/dev/null)
eval "$environment"
# A few files for each program, which all of its processes share: thousands are started.
export LLVM_PROFILE_FILE=$CARGO_TARGET_DIR/%c%8m.profraw
# Programs of an older build would be asked, too.
cargo llvm-cov clean --workspace
rm -f "$CARGO_TARGET_DIR"/*.profraw

# Random histories are the same each time.
export CI=1
cargo build --workspace --locked
RUST_TEST_THREADS=4 cargo test --locked --tests

lcov=$CARGO_TARGET_DIR/lcov.info
# A program killed while it laid out its file leaves one that can't be read.
cargo llvm-cov report --failure-mode all --lcov --output-path "$lcov"

# The control: where nothing ran, every part must be found.
sed 's/^\(DA:[0-9]*\),.*/\1,0/' "$lcov" >"$lcov.control"
verdict=$(tests/coverage/table.py "$lcov.control" 2>&1 >/dev/null || true)
if [ "$verdict" != "under 95 % of lines: policy, guard, hook, access" ]; then
    echo "tests/coverage: lines that never ran were let through" >&2
    exit 1
fi
tests/coverage/table.py "$lcov"
