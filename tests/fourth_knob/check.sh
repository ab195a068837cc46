#!/usr/bin/env bash
# Adds an imaginary fourth knob, a lock of the video clock, to a copy of the tree, and type-checks it.
# The patch shows every place that a new clock lock touches, but for documents and the metric of its
# target. If it doesn't apply any more, make these changes by hand in a copy and write it anew:
#   diff -ru a/src b/src > tests/fourth_knob/video_clock.patch
set -euo pipefail
cd "$(dirname "$0")/../.."
most=10
patch=tests/fourth_knob/video_clock.patch

files=$(grep -c '^+++ ' "$patch")
if ((files > most)); then
    echo "a new knob touches $files files, $most at most are allowed" >&2
    exit 1
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$copy"
patch --directory="$copy" --strip=1 --quiet < "$patch"
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}") \
    cargo check --locked --lib --bins --manifest-path "$copy/Cargo.toml"
echo "a new knob touches $files files"
