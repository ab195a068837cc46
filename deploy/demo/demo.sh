#!/usr/bin/env bash
# The whole chain on this machine: a guard over simulated GPUs, real Prometheus, real Alertmanager.
# Heats one GPU, shows what happens, then does it again without Alertmanager. About three minutes.
# Everything runs on loopback, in a temporary directory, and ends with this script.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

"$root/deploy/demo/install-deps.sh" prometheus:prometheus \
    prometheus-alertmanager:prometheus-alertmanager python3:python3
(cd "$root" && cargo build --workspace --locked)

exec python3 -B "$root/deploy/demo/demo.py" "$@"
