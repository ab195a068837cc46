#!/usr/bin/env bash
# The prolog: asks the program for the job's GPUs in words that the program takes, and never fails. GUARD is the program.
# test.sh FOLDER: of the tree whose script is tried.
set -euo pipefail
prolog=$1/deploy/slurm/thermal-guard-slurm-prolog
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
mkdir "$here/bin"
# Nobody answers at that address, so the program exits with 1; with words that it doesn't take, 2.
# shellcheck disable=SC2016  # the script's own variables
printf '#!/bin/sh\necho "$*" >>%s/asked\nexec "$GUARD" "$@" --url=http://127.0.0.1:1\n' "$here" >"$here/bin/thermal-guard"
printf '#!/bin/sh\necho "$*" >>%s/logged\n' "$here" >"$here/bin/logger"
chmod +x "$here"/bin/*
export PATH=$here/bin:$PATH THERMAL_GUARD=$here/bin/thermal-guard

# A job without GPUs waits for nothing.
env -u SLURM_JOB_GPUS "$prolog"
[[ ! -e $here/asked ]] || { echo "asked for a job without GPUs" >&2 && exit 1; }

SLURM_JOB_ID=7 SLURM_JOB_GPUS=0,2 "$prolog"
[[ $(cat "$here/asked") == "wait --gpu 0,2 --below safe --for 30s --timeout 5m" ]] || { cat "$here/asked" >&2 && exit 1; }
grep -q "job 7 starts anyway (1): .*no guard answers" "$here/logged" || { cat "$here/logged" >&2 && exit 1; }

# A logger that fails fails no prolog: that would drain the node.
mv "$here/bin/logger" "$here/bin/works"
printf '#!/bin/sh\nexit 1\n' >"$here/bin/logger"
chmod +x "$here/bin/logger"
SLURM_JOB_GPUS=0 "$prolog" || { echo "a logger that fails drains the node" >&2 && exit 1; }
mv "$here/bin/works" "$here/bin/logger"

# One that is cool says nothing.
rm "$here/logged"
printf '#!/bin/sh\nexit 0\n' >"$here/bin/thermal-guard"
SLURM_JOB_GPUS=0 "$prolog"
[[ ! -e $here/logged ]] || { cat "$here/logged" >&2 && exit 1; }
