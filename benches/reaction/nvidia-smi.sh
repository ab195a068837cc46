#!/usr/bin/env bash
# Stands in for nvidia-smi on the simulated machine, for the two calls that such loops make:
#   -i GPU --query-gpu=temperature.gpu --format=csv,noheader
#   -i GPU -pl WATTS
# Each takes SMI_SECONDS.
set -euo pipefail
sleep "$SMI_SECONDS"
gpu=$2
case $3 in
    -pl) exec "$NVML_SIMCTL" limit --gpu "$gpu" "$4" ;;
    --query-gpu=*) "$NVML_SIMCTL" show | sed -n "s/^$gpu .* die \([0-9]*\).*/\1/p" ;;
    *) echo "no $3 here" >&2; exit 2 ;;
esac
