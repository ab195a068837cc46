#!/usr/bin/env bash
# Everything that continuous integration checks, after `make install-deps`: `make test` runs it.
#
# Steps that wait for a browser or for systemd run beside each other, in two lanes, with what only
# computes niced beneath them. The tests of running guards come afterwards, alone.
#
# Each step's output is printed when it ends. The last lines say what ran, how long it took, how many
# Rust tests passed, what was skipped and why, and what passed only at a second try.
#
# What fails is tried once more, alone: most of it waits for other programs, on a machine that others
# use, too. Both outputs are printed. Random cases are the same at both tries.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
began=$SECONDS
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR=$target
# A missing program is a failure here, not a skipped test.
export THERMAL_GUARD_TEST_REQUIRE=all
# The scripts needn't build: it is done, and cargo would make them wait for the compilers here.
export THERMAL_GUARD_BUILT=yes
TIMEFORMAT='%R %U %S'

# step NAME COMMAND…: runs it, prints its output, and notes how it ended and how long it took.
step() {
    local name=$1 status=0
    local log=$logs/${name//[ \/]/_}
    shift
    { time "$@" >"$log" 2>&1; } 2>"$log.time" || status=$?
    # 77: this machine can't run it, as it says.
    local verdict=passed
    if ((status == 77)); then verdict=skipped; elif ((status != 0)); then verdict=FAILED; fi
    {
        flock 9
        printf '== %s\n' "$name"
        cat "$log"
        printf '== %s: %s\n\n' "$name" "$verdict"
        printf '%s\t%s\t%s\n' "$verdict" "$(tail -1 "$log.time")" "$name" >>"$logs/steps"
    } 9>"$logs/lock"
    ((status == 0 || status == 77))
}

# twice COMMAND…: once more if it fails.
twice() {
    local status=0
    "$@" || status=$?
    ((status != 0 && status != 77)) || return "$status"
    printf '\n-- failed with %d: a second try\n' "$status"
    "$@" || return
    echo "passed only at the second try: $*"
}

quiet() { nice -n 19 "$@"; }

# Cargo names the test programs that it has built. They are started without it, because it would wait
# for another cargo's lock.
build() {
    cargo build --workspace --locked && cargo test --workspace --locked --no-run --color never 2>&1 | tee "$logs/programs"
}
# tests [--not] FOLDER…: runs the programs of tests/FOLDER, or all others.
tests() {
    local status=0 ran=0 keep=() folders
    [[ $1 != --not ]] || { keep=(-v) && shift; }
    folders=$(IFS='|' && echo "tests/($*)/")
    while read -r source program; do
        echo "-- $source"
        rust_tests "$program" || status=1
        ran=$((ran + 1))
    done < <(sed -n 's/^ *Executable \(unittests \)\?\(.*\) (\(.*\))$/\2 \3/p' "$logs/programs" | grep -E "${keep[@]}" "$folders")
    ((ran > 0 && status == 0))
}

# What failed must pass to the last test: a program that broke off named none or not all.
rust_tests() {
    local program=$1 failed
    "$program" --quiet 2>&1 | tee "$program.log"
    ((PIPESTATUS[0] != 0)) || return 0
    mapfile -t failed < <(awk '/^failures:$/ { names = "" } /^    [^ ]+$/ { names = names $1 "\n" } END { printf "%s", names }' "$program.log")
    ((${#failed[@]} > 0)) || return
    echo "-- a second try of ${#failed[@]}"
    RUST_TEST_THREADS=1 "$program" --quiet --exact "${failed[@]}" 2>&1 | tee "$program.log"
    grep -q "^test result: ok. ${#failed[@]} passed" "$program.log" || return
    printf 'passed only at the second try: %s\n' "${failed[@]}"
}

# As many at a time as there are processors: these only compute.
computing() (renice -n 19 -p "$BASHPID" >/dev/null && tests --not program chain stress)
# More at a time: these wait for guards and other programs.
program() { RUST_TEST_THREADS=8 tests program; }
# As many at a time as there are processors: more chains at once miss their own deadlines.
chain() { tests chain; }
# In brief: `make crash-test`, `storm-test`, `soak` and `fuzz` run each of them in full.
stress() { tests stress; }

summary() {
    local passed skipped failed
    printf '\n%-44s %7s %8s\n' "step" "seconds" "CPU"
    while IFS=$'\t' read -r verdict times name; do
        # shellcheck disable=SC2086  # three numbers
        printf '%-44s %7.0f %8.0f  %s\n' "$name" ${times%% *} \
            "$(awk '{ print $2 + $3 }' <<<"$times")" "$verdict"
    done <"$logs/steps"
    passed=$(awk '/^test result: / { n += $4 } END { print n + 0 }' "$logs"/*)
    skipped=$(cat "$logs"/* | grep -c '^skipped: ')
    failed=$(grep -c '^FAILED' "$logs/steps")
    echo
    cat "$logs"/* | grep '^skipped: \|^passed only at the second try: ' | sort -u
    printf '%s: %d steps, %d Rust tests passed, %d skipped, in %d min %d s\n' \
        "$( ((failed == 0)) && echo "all passed" || echo "$failed FAILED")" "$(wc -l <"$logs/steps")" "$passed" "$skipped" \
        $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60))
    ((failed == 0))
}

# What is wrong at first sight fails at once.
step "formatting" cargo fmt --all -- --check || { summary; exit 1; }
step "build" build || { summary; exit 1; }

# The lanes. Each runs one step after the other, whatever becomes of the step.
systemd() {
    step "package on a booted Debian" twice deploy/packages/booted/run.py --fast
    step "deployment files" twice deploy/check.sh
}
people() {
    step "status page in a browser" twice tests/browser/run.sh
    step "Gradio module" twice tests/gradio/run.sh
    step "NVIDIA's bindings and nvitop" twice tests/nvml-sim/proofs/run.sh
    step "dashboards" twice dashboards/check.sh
}
systemd &
people &

step "licences and sources of the dependencies" tests/supply/run.sh
step "cargo test --lib and without waiting" computing
wait

# By themselves: they judge how real programs get on with each other, and a machine that is busy with
# something else answers that question wrongly. The chains mostly wait, and take no notice of what is
# niced.
step "cargo test --test program" program
idle() {
    step "alert rules" twice quiet alerts/check.sh
    step "clippy" quiet cargo clippy --workspace --all-targets --locked -- -D warnings
}
idle &
step "cargo test --test chain" chain
wait
step "cargo test --test stress" stress
summary
