#!/usr/bin/env bash
# thermal-guard-health and the Slurm recipe against a real guard over the simulated NVML library: a good card, a hot one,
# one without a temperature, a lost one, one that nothing can be done for, one that is missing, no guard. GUARD is the program; nvml-simctl and the library lie beside it.
# test.sh FOLDER: of the tree whose scripts are tried.
set -euo pipefail
health=$1/deploy/node-problem-detector/thermal-guard-health
slurm=$1/deploy/slurm/thermal-guard-slurm-health
program=${GUARD:?}
built=$(dirname "$program")
here=$(mktemp -d)
guard=
trap '[[ -z $guard ]] || kill -9 "$guard"; wait; rm -rf "$here"' EXIT
export NVML_SIM_STATE=$here/sim THERMAL_GUARD_LAST=$here/last
ctl() { "$built/nvml-simctl" "$@" >/dev/null; }

# says CODE WORDS: within 30 s.
says() {
    for _ in $(seq 150); do
        code=0
        said=$("$health") || code=$?
        if [[ $code == "$1" && $said == *"$2"* ]]; then
            echo "$said"
            return
        fi
        sleep 0.2
    done
    echo "never: $1 $2; last: $code $said" >&2
    exit 1
}

# What Slurm and the system log are told, instead of both. slurmctld's comment is a file.
mkdir "$here/bin"
ln -s "$health" "$here/bin/thermal-guard-health"
cp "$slurm" "$here/bin/slurm-health"
cat >"$here/bin/scontrol" <<EOF
#!/bin/sh
echo "\$*" >>$here/scontrol
case \$1 in
show) echo "   Comment=\$(cat $here/comment)" ;;
update) echo "\${3#Comment=}" >$here/comment ;;
esac
EOF
printf '#!/bin/sh\necho "$*" >>%s/logged\n' "$here" >"$here/bin/logger"
chmod +x "$here"/bin/{scontrol,logger}
comment() { # it is, after a check
    PATH=$here/bin:$PATH SLURMD_NODENAME=n1 "$here/bin/slurm-health"
    [[ $(cat "$here/comment") == "$1" ]] || { echo "slurmctld has '$(cat "$here/comment")', not '$1'" >&2 && exit 1; }
}
heard() { wc -l <"$here/scontrol"; }
echo >"$here/comment"

ctl create --gpu a100-80gb --time-scale 40
port=$((20000 + RANDOM % 10000))
export THERMAL_GUARD_URL=http://127.0.0.1:$port
says 1 "does not answer"
silent="thermal-guard: does not answer: GPUs may be unprotected"
comment "$silent"
before=$(heard)
comment "$silent"
[[ $(heard) == "$before" ]] || { echo "slurmctld heard the same twice" >&2 && exit 1; }
# An administrator's comment stays, and the system log is told once. Ours comes when theirs is gone.
theirs="rack 7, fan replaced"
echo "$theirs" >"$here/comment"
rm "$here/last"
comment "$theirs"
comment "$theirs"
[[ $(grep -c "withheld: $silent" "$here/logged") == 1 ]] || { cat "$here/logged" >&2 && exit 1; }
echo >"$here/comment"
comment "$silent"

"$program" serve --nvml.library="$built/libnvidia_ml.so" --state.dir="$here/state" --lock.dir="$here/locks" \
    --debug.time-scale=40 --web.listen-address="127.0.0.1:$port" 2>"$here/log" &
guard=$!
says 0 "GPUs are protected from heat"
# A reboot between: slurmctld has the comment still, and the script knows nothing of it.
rm "$here/last"
comment ""
echo "$theirs" >"$here/comment"
rm "$here/last"
comment "$theirs"
echo >"$here/comment"
comment ""
ctl set load=1 inlet=38 airflow=1.6
says 0 "throttled for heat, and held: GPU 0"
comment ""
ctl fault --gpu 0 failing-reads
says 1 "GPU 0 has no temperature"
ctl fault --gpu 0 lost
says 1 "GPU 0 is lost or hangs"
ctl fault --gpu 0 none
says 0 ""
comment ""

# One that never had a temperature, and one that isn't there.
kill -9 "$guard"
wait "$guard" 2>/dev/null || true
guard=
echo 'gpus: [0, 7]' >"$here/config.yml"
ctl fault --gpu 0 unsupported:temperature,memory-temperature
"$program" serve --config.file="$here/config.yml" --nvml.library="$built/libnvidia_ml.so" --state.dir="$here/state2" \
    --lock.dir="$here/locks2" --debug.time-scale=40 --web.listen-address="127.0.0.1:$port" 2>"$here/log" &
guard=$!
says 1 "GPU 0 is unguarded, only 1 of 2 GPUs are there"
ctl fault --gpu 0 none

# Watched is not protected.
kill -9 "$guard"
wait "$guard" 2>/dev/null || true
guard=
says 1 "does not answer"
"$program" serve --mode=observe --nvml.library="$built/libnvidia_ml.so" --state.dir="$here/state" --lock.dir="$here/locks" \
    --debug.time-scale=40 --web.listen-address="127.0.0.1:$port" 2>"$here/log" &
guard=$!
says 1 "watched, not protected"
