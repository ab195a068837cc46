#!/usr/bin/env bash
# The loop that people write: look every 2 s, cap the GPU from 78 °C on, and again in each round while
# it is that hot. What gives the power back isn't here, as that isn't measured.
#
# loop.sh NVIDIA_SMI GPU: what stands in for nvidia-smi.
set -euo pipefail
smi=$1 gpu=$2

while :; do
    temperature=$("$smi" -i "$gpu" --query-gpu=temperature.gpu --format=csv,noheader)
    if [ "$temperature" -ge 78 ]; then
        "$smi" -i "$gpu" -pl 200
    fi
    sleep 2
done
