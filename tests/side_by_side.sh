#!/usr/bin/env bash
# Runs checks that mostly wait at the same time, and prints what each said when it is done.
#   tests/side_by_side.sh alerts/check.sh deploy/check.sh …
set -uo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

declare -A job
for check; do
    log=$scratch/${check//\//_}
    { time "$check"; } >"$log" 2>&1 &
    job[$check]=$!
done

status=0
for check; do
    if wait "${job[$check]}"; then verdict=passed; else verdict=FAILED status=1; fi
    printf '== %s\n' "$check"
    cat "$scratch/${check//\//_}"
    printf '== %s %s\n\n' "$check" "$verdict"
done
exit "$status"
