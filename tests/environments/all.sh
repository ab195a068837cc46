#!/usr/bin/env bash
# Every environment that its users run it in, one after the other: packages, ARM, systemd, containers,
# Kubernetes, Slurm, old and new Prometheus. As root; `make environments`. One that fails doesn't keep
# the next from running. The last lines say what each took.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

began=$SECONDS
lines=()
failed=0
for target in "packages ARCH='x86_64 aarch64'" package-test arm-test containers-test kubernetes-test slurm-test matrix-test; do
    start=$SECONDS verdict=passed
    echo "== make $target"
    eval "make $target" || { verdict=FAILED && failed=$((failed + 1)); }
    lines+=("$(printf '%-36s %5d s  %s' "$target" $((SECONDS - start)) "$verdict")")
done
printf '\n'
printf '%s\n' "${lines[@]}"
printf '%s in %d min\n' "$( ((failed == 0)) && echo "all passed" || echo "$failed FAILED")" $(((SECONDS - began) / 60))
((failed == 0))
