#!/usr/bin/env bash
# Checks the rules, their tests and the example configurations with promtool and amtool.
# A test that can't fail proves nothing: each claim has a negative control, a change to a copy of the
# files that must make the check fail.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

fail() {
    echo "FAIL  $*"
    failures=$((failures + 1))
}

# check NAME COMMAND…: must succeed.
check() {
    local name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        echo "ok    $name"
    else
        fail "$name"
        sed 's/^/      /' "$scratch/out"
    fi
}

valid() {
    case $1 in
    */alertmanager.yml) amtool check-config "$1" ;;
    *) promtool check rules "$1" ;;
    esac
}

# Runs COMMAND in a copy of this folder after `sed -E EXPRESSION FILE` there; it must fail.
# must_fail NAME FILE EXPRESSION COMMAND…
must_fail() {
    local name=$1 file=$2 expression=$3 copy=$scratch/copy
    shift 3
    rm -rf "$copy"
    cp -r . "$copy"
    sed -E -i "$expression" "$copy/$file"
    if cmp -s "$file" "$copy/$file"; then
        fail "control changes nothing, look at its expression: $name"
    elif ! valid "$copy/$file" >"$scratch/out" 2>&1; then
        fail "control breaks the syntax, which proves nothing: $name"
        sed 's/^/      /' "$scratch/out"
    elif (cd "$copy" && "$@") >"$scratch/out" 2>&1; then
        fail "passes although it must not: $name"
    else
        echo "ok    control: $name"
    fi
}

# The rules of one alert, as a sed address.
alert() { echo "/alert: $1\$/,/alert: |- name:/"; }

rules=thermal-guard.rules.yml
margin='thermal_guard_margin_to_(alert|critical)_celsius'

check "rules are valid" promtool check rules --lint=all --lint-fatal "$rules"
check "prometheus.yml is valid" promtool check config --lint=all --lint-fatal prometheus.yml
check "alertmanager.yml is valid" amtool check-config alertmanager.yml

# control TEST NAME ALERT EXPRESSION: with ALERT's rule changed, tests/TEST.test.yml must fail.
control() { must_fail "$2" "$rules" "$(alert "$3") $4" promtool test rules "tests/$1.test.yml"; }

check "driving rules" promtool test rules tests/driving.test.yml
control driving "announced later, at the set point" GpuHeatingTowardsAlertTrip 's/< 3$/< 2/'
control driving "announced without coming from outside the band" GpuHeatingTowardsAlertTrip 's/>= 4/>= 0/'
control driving "no prediction" GpuHeatingTowardsAlertTrip 's/7\) < 0/7) < -100/'
control driving "prediction too far ahead" GpuHeatingTowardsAlertTrip 's/\[5s\], 7\)/[5s], 15)/'
control driving "no hold after the heat" GpuHeatingTowardsAlertTrip 's/(keep_firing_for:) 30s/\1 5s/'
control driving "hold without end" GpuHeatingTowardsAlertTrip 's/(keep_firing_for:) 30s/\1 5m/'
control driving "no bridge over lost scrapes" GpuAtCriticalTrip "s/last_over_time\(($margin)\[30s\]\)/\1/"
control driving "uuid only, no index" GpuHeatingTowardsAlertTrip 's/last_over_time\((.*)\) <= 8/min by (instance, job, uuid) (&)/'
control driving "no level hysteresis" GpuPastAlertTrip 's/< 1$/< 0/'
control driving "level hysteresis as entry" GpuPastAlertTrip 's/< 0$/< 1/'
control driving "hysteresis of another GPU" GpuPastAlertTrip 's/on \(instance, uuid\)/on (instance)/'
control driving "waiting at critical" GpuAtCriticalTrip 's/keep_firing_for: 10s/for: 5s/'
control driving "runaway not foreseen" GpuAtCriticalTrip 's/5\) <= 0/5) <= -100/'
control driving "slow heat taken for a runaway" GpuAtCriticalTrip 's/< -0.4/< -0.1/'
control driving "critical held for ever" GpuAtCriticalTrip 's/(keep_firing_for:) 10s/\1 5m/'

check "heartbeat" promtool test rules tests/heartbeat.test.yml
control heartbeat "gone while the scrape fails" ThermalGuardHeartbeat 's/0 \* (up.*)/0 * (\1 == 1)/'
control heartbeat "one for all" ThermalGuardHeartbeat 's/time\(\) .*/vector(time())/'
control heartbeat "of every job" ThermalGuardHeartbeat 's/up\{.*\}/up/'
control heartbeat "time that stands still" ThermalGuardHeartbeat 's/time\(\)/10/'

check "rules for people" promtool test rules tests/people.test.yml
control people "a restart reported as an outage" ThermalGuardDown 's/for: 30s/for: 5s/'
control people "absence unseen" ThermalGuardAbsent 's/for: 1m/for: 1h/'
control people "chain: reported where it is well" ThermalGuardChainBroken 's/ == 1/ >= 0/'
control people "cannot actuate: reported where it can" ThermalGuardCannotActuate 's/ == 1/ >= 0/'
control people "driver loss unseen" ThermalGuardTelemetryStale 's/thermal_guard_nvml_up == 0 or //'
control people "old readings unseen" ThermalGuardTelemetryStale 's/> 30$/> 3000/'
control people "lost GPU: reported of every GPU" GpuLost 's/ == 0/ >= 0/'
control people "blind GPU unseen" GpuBlind 's/"blind"/"blinded"/'
control people "slowdown: one alert per reason" GpuHardwareSlowdown 's/without \(reason\)/without ()/'
control people "slowdown: short ones missed" GpuHardwareSlowdown 's/\[1m\]/[6s]/'

# route NAME RECEIVERS LABEL=VALUE…: where an alert goes.
route() {
    check "route: $1" amtool config routes test --config.file alertmanager.yml \
        --verify.receivers="$2" "${@:3}"
}
n1=instance=n1.example:10835
route "gradual to the node and to people" guard-n1,people guard_action=gradual $n1
route "emergency to the node and to people" guard-n1,people guard_action=emergency $n1
route "heartbeat to its own node only" guard-n1 guard_action=heartbeat $n1
route "another node's heartbeat to nobody" nobody guard_action=heartbeat instance=n2.example:10835
route "another node's alert to people only" people guard_action=gradual instance=n2.example:10835
route "what is for people to people only" people alertname=GpuLost severity=critical $n1
must_fail "route: no explicit catch-all" alertmanager.yml '/^    - receiver: people$/d' \
    amtool config routes test --config.file alertmanager.yml \
    --verify.receivers=guard-n1,people guard_action=gradual $n1
must_fail "route: heartbeat without instance" alertmanager.yml 's/(heartbeat"'\'').*n1.*\]/\1]/' \
    amtool config routes test --config.file alertmanager.yml \
    --verify.receivers=nobody guard_action=heartbeat instance=n2.example:10835

if ((failures > 0)); then
    echo "$failures of the alert checks failed"
    exit 1
fi
echo "all alert checks passed"
