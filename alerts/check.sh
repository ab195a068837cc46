#!/usr/bin/env bash
# Checks the rules, their tests, their runbook and the configurations with promtool and amtool.
# A test that can't fail proves nothing: each claim has a negative control, a change to a copy of the
# files that must make the check fail. Every file here has one, and every alert.
#
# tests/gentle.test.yml is run by tests/program/generate, on rules that are in no file.
set -euo pipefail
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
controlled=" "

# Written down, because controls run beside each other.
fail() {
    echo "FAIL  $*"
    echo "$*" >>"$scratch/failed"
}

# Runs it in the background, as many at a time as there are processors.
beside() {
    while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
    "$@" &
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

# Is it still what it was meant to be? A control that only breaks the syntax proves nothing.
valid() {
    case $1 in
    *.md) true ;;
    */prometheus.yml) promtool check config --syntax-only "$1" ;;
    */alertmanager*.yml) amtool check-config "$(untemplated "$1")" ;;
    *) promtool check rules "$1" ;;
    esac
}

# amtool 0.25 takes no templated address, and no timeout: all else in the file can be checked by it.
untemplated() {
    local copy=$scratch/$BASHPID.yml
    sed 's/{{ .GroupLabels.instance }}/guard.example/; /^        timeout: /d' "$1" >"$copy"
    echo "$copy"
}

# Runs COMMAND in a copy of this folder after `sed -E EXPRESSION FILE` there; it must fail.
# must_fail NAME FILE EXPRESSION COMMAND…
must_fail() { beside fails_in_a_copy "$@"; }

fails_in_a_copy() {
    local name=$1 file=$2 expression=$3 own=$scratch/$BASHPID
    local copy=$own/alerts out=$own/out
    shift 3
    mkdir -p "$own/docs"
    cp -r . "$copy"
    cp ../docs/runbook.md "$own/docs"
    if ! sed -E -i "$expression" "$copy/$file"; then
        fail "control that sed doesn't understand: $name"
    elif cmp -s "$file" "$copy/$file"; then
        fail "control changes nothing, look at its expression: $name"
    elif ! valid "$copy/$file" >"$out" 2>&1; then
        fail "control breaks the syntax, which proves nothing: $name"
        sed 's/^/      /' "$out"
    elif (cd "$copy" && "$@") >"$out" 2>&1; then
        fail "passes although it must not: $name"
    else
        echo "ok    control: $name"
    fi
}

# The rules of one alert, as a sed address.
alert() { echo "/alert: $1\$/,/alert: |- name:/"; }

alerts_in() { sed -n 's/^ *- alert: //p' "$@" | sort -u; }

rules=thermal-guard.rules.yml
dcgm=thermal-guard-dcgm.rules.yml
margin='thermal_guard_margin_to_(alert|critical)_celsius'

for file in "$rules" "$dcgm"; do
    check "$file is valid" promtool check rules --lint=all --lint-fatal "$file"
done

# Runs those tests of a file that name the alert or ask PromQL: the others can't tell that its rule was changed.
tests_of() {
    awk -v named="(alertname: $2[,\n]|promql_expr_test)" '
        function end() { if (!among_tests || item ~ named) printf "%s", item; item = "" }
        /^  - / { end(); among_tests = 1 }
        { item = item $0 "\n" }
        END { end() }' "tests/$1.test.yml" >tests/of-one-alert.test.yml
    promtool test rules tests/of-one-alert.test.yml
}

# control TEST NAME ALERT EXPRESSION: with ALERT's rule changed, tests/TEST.test.yml must fail.
control() {
    local file=$rules
    [ "$1" != dcgm ] || file=$dcgm
    controlled+="$file:$3 "
    must_fail "$2" "$file" "$(alert "$3") { $4 }" tests_of "$1" "$3"
}

check "driving rules" promtool test rules tests/driving.test.yml
control driving "announced later, at the set point" ThermalGuardGpuHeatingTowardsAlertTrip 's/< 3$/< 2/'
control driving "announced without coming from outside the band" ThermalGuardGpuHeatingTowardsAlertTrip 's/>= 4/>= 0/'
control driving "no prediction" ThermalGuardGpuHeatingTowardsAlertTrip 's/7\) < 0/7) < -100/'
control driving "prediction too far ahead" ThermalGuardGpuHeatingTowardsAlertTrip 's/\[5s\], 7\)/[5s], 15)/'
control driving "no hold after the heat" ThermalGuardGpuHeatingTowardsAlertTrip 's/(keep_firing_for:) 30s/\1 5s/'
control driving "hold without end" ThermalGuardGpuHeatingTowardsAlertTrip 's/(keep_firing_for:) 30s/\1 5m/'
control driving "no bridge over lost scrapes" ThermalGuardGpuAtCriticalTrip "s/last_over_time\(($margin)\[30s\]\)/\1/"
control driving "uuid only, no index" ThermalGuardGpuHeatingTowardsAlertTrip 's/last_over_time\((.*)\) <= 8/min by (instance, job, uuid) (&)/'
control driving "no level hysteresis" ThermalGuardGpuPastAlertTrip 's/< 1$/< 0/'
control driving "level hysteresis as entry" ThermalGuardGpuPastAlertTrip 's/< 0$/< 1/'
control driving "hysteresis of another GPU" ThermalGuardGpuPastAlertTrip 's/on \(instance, uuid\)/on (instance)/'
control driving "waiting at critical" ThermalGuardGpuAtCriticalTrip 's/keep_firing_for: 10s/for: 5s/'
control driving "runaway not foreseen" ThermalGuardGpuAtCriticalTrip 's/5\) <= 0/5) <= -100/'
control driving "slow heat taken for a runaway" ThermalGuardGpuAtCriticalTrip 's/< -0.4/< -0.1/'
control driving "critical held for ever" ThermalGuardGpuAtCriticalTrip 's/(keep_firing_for:) 10s/\1 5m/'

check "heartbeat" promtool test rules tests/heartbeat.test.yml
control heartbeat "gone while the scrape fails" ThermalGuardHeartbeat 's/0 \* (up.*)/0 * (\1 == 1)/'
control heartbeat "one for all" ThermalGuardHeartbeat 's/time\(\) .*/vector(time())/'
control heartbeat "of every job" ThermalGuardHeartbeat 's/up\{.*\}/up/'
control heartbeat "time that stands still" ThermalGuardHeartbeat 's/time\(\)/10/'

for test in people gpus knobs hours trend days; do
    check "rules for people: $test" promtool test rules "tests/$test.test.yml"
done
control people "a restart reported as an outage" ThermalGuardDown 's/for: 30s/for: 5s/'
control people "absence unseen" ThermalGuardAbsent 's/for: 1m/for: 1h/'
control people "chain: reported where it is well" ThermalGuardChainBroken 's/ == 1/ >= 0/'
control people "chain: paged after each start" ThermalGuardChainBroken 's/"unknown"/"nknown"/'
control people "chain that comes and goes: unseen" ThermalGuardChainFlaps 's/>= 6/>= 9/'
control people "chain that comes and goes: two restarts reported" ThermalGuardChainFlaps 's/>= 6/>= 4/'
control people "webhook: reported where it takes messages" ThermalGuardWebhookFailing 's/ == 0/ >= 0/'
control people "webhook: one that came back reported" ThermalGuardWebhookFailing 's/for: 10m/for: 5m/'
control people "webhook: a lost scrape starts anew" ThermalGuardWebhookFailing 's/last_over_time\((.*)\[30s\]\)/\1/'
control people "chain: a lost scrape starts anew" ThermalGuardChainBroken 's/last_over_time\((.*)\[30s\]\)/\1/'
control people "cannot actuate: reported where it can" ThermalGuardCannotActuate 's/ == 1/ >= 0/'
control people "a single failed write reported" ThermalGuardActionFailing 's/> 2$/> 0/'
control people "failing actions: an alert for each" ThermalGuardActionFailing 's/\(action, result\)/(result)/'
control people "failing actions: a card that rounds reported" ThermalGuardActionFailing 's/"ineffective"\}\[10m\]\) == 1/"ineffective"}[10m]) >= 0/'
control people "failing actions: a card that gave back reported" ThermalGuardActionFailing 's/min_over_time/max_over_time/'
control people "failing actions: what isn't given back unseen" ThermalGuardActionFailing 's/"recovering"/"recovered"/'
control people "lack of permission counted twice" ThermalGuardActionFailing 's/failed\|/failed|no_permission|/'
control people "not possible: what was obeyed reported" ThermalGuardAlertNotPossible 's/hook_alerts_total\{result="not_possible"/hook_alerts_total{result=~"accepted|not_possible"/'
control people "not possible: pulled ones unseen" ThermalGuardAlertNotPossible 's/pull_alerts_total\{result="not_possible"/pull_alerts_total{result="impossible"/'
control people "not possible: an alert for each action" ThermalGuardAlertNotPossible 's/\(status, action, result\)/(status, result)/'
control people "not possible: paged during a detach" ThermalGuardAlertNotPossible 's/detached\[10m\]\) == 1/detached[10m]) == 2/'
control people "not possible: old ones reported for ever" ThermalGuardAlertNotPossible 's/increase\((.*)\[10m\]\)/\1/'
control people "refused alerts: what was obeyed reported" ThermalGuardAlertsRefused 's/"unmapped\|rejected/"accepted|unmapped|rejected/'
control people "refused alerts: unmapped ones unseen" ThermalGuardAlertsRefused 's/"unmapped\|rejected/"rejected/'
control people "refused alerts: other nodes' in a pull reported" ThermalGuardAlertsRefused 's/pull_alerts_total\{result=~"rejected/pull_alerts_total{result=~"unmapped|rejected/'
control people "refused alerts: pulled ones unseen" ThermalGuardAlertsRefused 's/pull_alerts_total\{result=~"rejected/pull_alerts_total{result=~"objected/'
control people "refused alerts: oversized deliveries unseen" ThermalGuardAlertsRefused 's/400\|413\|415/400|415/'
control people "refused alerts: anybody's request reported" ThermalGuardAlertsRefused 's/> 3$/> 0/'
control people "refused alerts: wrong tokens unseen" ThermalGuardAlertsRefused 's/401\|403/403/'
control people "refused alerts: what was cut off unseen" ThermalGuardAlertsRefused 's/truncated_alerts_total\[10m\]\) > 0/truncated_alerts_total[10m]) > 99/'
control people "refused alerts: old ones reported for ever" ThermalGuardAlertsRefused 's/increase\((.*)\[10m\]\)/\1/'
control people "journal: old failures reported for ever" ThermalGuardJournalFailing 's/increase\((.*)\[10m\]\)/\1/'
control people "restarted loops: old ones reported for ever" ThermalGuardLoopRestarted 's/increase\((.*)\[10m\]\)/\1/'
control people "refused configuration unseen" ThermalGuardReloadFailed 's/== 0/== 2/'
control people "unwritable file: reported where it can be written" ThermalGuardAppNotWritable 's/ == 0/ >= 0/'
control people "unwritable file: a deployment reported" ThermalGuardAppNotWritable 's/for: 5m/for: 1m/'
control people "unwritable file: a lost scrape starts anew" ThermalGuardAppNotWritable 's/last_over_time\((.*)\[30s\]\)/\1/'
control hours "a driver upgrade called too long" ThermalGuardDetachedTooLong 's/for: 30m/for: 5m/'
control people "driver loss unseen" ThermalGuardTelemetryStale 's/last_over_time\(thermal_guard_nvml_up\[30s\]\) == 0/vector(0) == 1/'
control people "old readings unseen" ThermalGuardTelemetryStale 's/> 30$/> 3000/'
control people "no readings: paged during a detach" ThermalGuardTelemetryStale 's/detached\[30s\]\) == 1/detached[30s]) == 2/'
control gpus "lost GPU: reported of every GPU" ThermalGuardGpuLost 's/gpu_up\[30s\]\) == 0/gpu_up[30s]) >= 0/'
control people "lost GPU: paged during a detach" ThermalGuardGpuLost '/last_over_time\(thermal_guard_detached/ s/== [01]/== 2/g'
control gpus "lost GPU: each of them with the driver" ThermalGuardGpuLost 's/nvml_up\[30s\]\) == 0/nvml_up[30s]) == 2/'
control gpus "blind GPU unseen" ThermalGuardGpuBlind 's/"blind"/"blinded"/'
control gpus "a lost GPU called blind, too" ThermalGuardGpuBlind 's/gpu_up\[30s\]\) == 1/gpu_up[30s]) >= 0/'
control gpus "a doubted GPU called blind, too" ThermalGuardGpuBlind 's/"frozen\|fallen/"fallen/; s/\|contradicted//'
control gpus "a doubt of the guard before called blind" ThermalGuardGpuBlind 's/\|inherited//'
control gpus "unguarded GPU unseen" ThermalGuardGpuUnguarded 's/"unguarded"/"unwatched"/'
control gpus "unguarded: one that comes back reported" ThermalGuardGpuUnguarded 's/for: 5m/for: 1m/'
control gpus "unguarded: a lost scrape starts anew" ThermalGuardGpuUnguarded 's/last_over_time\((thermal_guard_state.*)\[30s\]\)/\1/'
control gpus "unguarded: paged during a detach" ThermalGuardGpuUnguarded 's/detached\[30s\]\) == 1/detached[30s]) == 2/'
control gpus "unguarded: each of them with the driver" ThermalGuardGpuUnguarded 's/nvml_up\[30s\]\) == 0/nvml_up[30s]) == 2/'
control gpus "missing GPU unseen" ThermalGuardGpuMissing 's/ < / > /'
control gpus "missing: reported where all are there" ThermalGuardGpuMissing 's/ < / <= /'
control gpus "missing: reported at once" ThermalGuardGpuMissing 's/for: 5m/for: 1m/'
control gpus "missing: a lost scrape starts anew" ThermalGuardGpuMissing 's/last_over_time\((thermal_guard_gpus_expected)\[30s\]\)/\1/'
control gpus "missing: paged during a detach" ThermalGuardGpuMissing 's/detached\[30s\]\) == 1/detached[30s]) == 2/'
control gpus "missing: paged while the driver is away" ThermalGuardGpuMissing 's/nvml_up\[30s\]\) == 0/nvml_up[30s]) == 2/'
control gpus "doubt: a reason that changes starts anew" ThermalGuardGpuSensorDoubted 's/max without \(doubt\)/max without ()/'
control gpus "doubt: a missing reading taken for a lie" ThermalGuardGpuSensorDoubted 's/"frozen/"missing|frozen/'
control gpus "doubt of the guard before unseen" ThermalGuardGpuSensorDoubted 's/\|inherited//'
control gpus "sensor: a state that changes starts anew" ThermalGuardGpuSensorFailing 's/max without \(state\)/max without ()/'
control gpus "sensor: one that was never there reported" ThermalGuardGpuSensorFailing 's/"failing\|/"absent|failing|/'
control gpus "sensor: a short failure reported" ThermalGuardGpuSensorFailing 's/for: 5m/for: 30s/'
control gpus "sensor: what blinds called failing, too" ThermalGuardGpuSensorFailing 's/"blind\|unguarded"/"unguarded"/'
control gpus "sensor: of an unguarded GPU, too" ThermalGuardGpuSensorFailing 's/"blind\|unguarded"/"blind"/'
control gpus "sensor: what is doubted called failing, too" ThermalGuardGpuSensorFailing 's/"frozen\|fallen/"fallen/'
control knobs "knob: ineffective ones unseen" ThermalGuardGpuKnobOut 's/refused\|ineffective/refused/'
control knobs "knob: refused ones unseen" ThermalGuardGpuKnobOut 's/refused\|ineffective/ineffective/'
control knobs "knob: one that isn't there reported" ThermalGuardGpuKnobOut 's/refused\|/absent|refused|/'
control knobs "knob: each try starts anew" ThermalGuardGpuKnobOut 's/max_over_time\((thermal_guard_knob_state.*)\[5m\]\)/last_over_time(\1[30s])/'
control knobs "knob: a state that changes starts anew" ThermalGuardGpuKnobOut 's/max without \(state\)/max without ()/'
control knobs "knob: of a cool GPU reported" ThermalGuardGpuKnobOut 's/celsius\[5m\]\) <= 1/celsius[5m]) <= 99/'
control knobs "knob: of a hot GPU unseen" ThermalGuardGpuKnobOut 's/celsius\[5m\]\) <= 1/celsius[5m]) <= -99/'
control knobs "knob: of a held GPU unseen" ThermalGuardGpuKnobOut 's/level\[5m\]\) > 0/level[5m]) > 9/'
control knobs "knob: of an unguarded GPU, too" ThermalGuardGpuKnobOut 's/"unguarded"/"guarded"/'
control knobs "knob: a short refusal reported" ThermalGuardGpuKnobOut 's/for: 10m/for: 3m/'
control gpus "slowdown: one alert per reason" ThermalGuardGpuHardwareSlowdown 's/without \(reason\)/without ()/'
control gpus "slowdown: short ones missed" ThermalGuardGpuHardwareSlowdown 's/\[1m\]/[6s]/'
control gpus "slowdown: those between scrapes missed" ThermalGuardGpuHardwareSlowdown 's/ > 0$/ > 100/'
control gpus "slowdown: the driver's own taken for it" ThermalGuardGpuHardwareSlowdown 's/reason="hw_thermal/reason=~".w_thermal/'
control gpus "own slowdown: reported where there is none" ThermalGuardGpuFirmwareSlowdown 's/ == 1/ >= 0/'
control gpus "own slowdown: a short one reported" ThermalGuardGpuFirmwareSlowdown 's/for: 5m/for: 3m/'
control gpus "own slowdown: a lost scrape starts anew" ThermalGuardGpuFirmwareSlowdown 's/last_over_time\((thermal_guard_firmware_slowdown)\[30s\]\)/\1/'
control gpus "Xid of a program reported" ThermalGuardGpuXid 's/"48/"31|48/'
control gpus "Xid without its number" ThermalGuardGpuXid 's/increase\(.*\) > 0/sum without (xid) (&)/'
control gpus "memory by a fixed degree" ThermalGuardGpuMemoryHot 's/- ignoring.*/- 95/'
control gpus "memory by the core's limit" ThermalGuardGpuMemoryHot 's/mem_max/gpu_max/'
control gpus "infeasible: reported where it isn't" ThermalGuardGpuInfeasible 's/ == 1/ >= 0/'
control gpus "infeasible: reported at once" ThermalGuardGpuInfeasible 's/for: 1m/for: 5s/'
control gpus "cooling: reported where it isn't" ThermalGuardGpuCoolingWorse 's/ == 1/ >= 0/'
control gpus "cooling: reported at once" ThermalGuardGpuCoolingWorse 's/for: 1m/for: 0s/'
control gpus "fan: reported where it isn't" ThermalGuardGpuFanSuspect 's/ == 1/ >= 0/'
control gpus "fan: reported at once" ThermalGuardGpuFanSuspect 's/for: 30s/for: 0s/'
control gpus "fan: without its number" ThermalGuardGpuFanSuspect 's/last_over_time(.*) == 1/max without (fan) (last_over_time\1) == 1/'
control gpus "contested: reported where it isn't" ThermalGuardGpuContested 's/ == 1/ >= 0/'
control gpus "overheld: reported where it isn't" ThermalGuardGpuOverheld 's/ == 1/ >= 0/'
control hours "a short pause reported" ThermalGuardGpuPausedTooLong 's/for: 1h/for: 10m/'

control trend "slow warming unseen" ThermalGuardGpuWarmingSteadily 's/< 30$/< 10/'
control trend "seconds taken for minutes" ThermalGuardGpuWarmingSteadily 's/-60/-1/'
control trend "a load that sets in taken for a trend" ThermalGuardGpuWarmingSteadily '/offset/d;'
control trend "a GPU at its set point taken for warming" ThermalGuardGpuWarmingSteadily 's/\) > 1\)/) > -9)/; s/-0\.003/0.1/'

control days "a first day of observing reported" ThermalGuardObservesOnly 's/3d/1h/'
control days "enforcing reported" ThermalGuardObservesOnly 's/\} == 1/} >= 0/; s/3d == 1/3d >= 0/'

check "rules on dcgm-exporter" promtool test rules tests/dcgm.test.yml
control dcgm "announced without coming from outside the band" ThermalGuardGpuHeatingTowardsAlertTrip 's/>= 11/>= 0/; s/< 10/< 16/'
control dcgm "past alert: no level hysteresis" ThermalGuardGpuPastAlertTrip 's/< 8$/< 7/'
control dcgm "past alert: hysteresis as entry" ThermalGuardGpuPastAlertTrip 's/celsius < 7$/celsius < 11/'
control dcgm "critical unseen" ThermalGuardGpuAtCriticalTrip 's/<= 0/< 0/'
control dcgm "heartbeat to the exporter's port" ThermalGuardHeartbeat 's/\$1:10835/$1:9400/'
control dcgm "heartbeat of every job" ThermalGuardHeartbeat 's/up\{.*\}/up/'
control dcgm "absence unseen" ThermalGuardDcgmAbsent 's/for: 2m/for: 1h/'
control dcgm "no limit known: reported of every GPU" ThermalGuardDcgmMarginUnknown '/unless/d;'
record() { must_fail "dcgm: $1" "$dcgm" "/- record:/,/- alert:/ { $2 }" promtool test rules tests/dcgm.test.yml; }
record "labels that change" 's/gpu, Hostname/gpu, pod, Hostname/'
record "a limit of 0 believed" 's/\(last_over_time\((DCGM_FI_DEV_GPU_MAX_OP_TEMP.*)\) >= 60 <= 110\)/last_over_time(\1)/'
record "memory left out" 's/"sensor", "memory"/"sensor", ""/'
record "no bridge between scrapes" 's/\[1m\]/[4s]/'

# Of each alert at least one control, and an entry in the runbook; and no entry of anything else.
for file in "$rules" "$dcgm"; do
    for name in $(alerts_in "$file"); do
        case $controlled in *" $file:$name "*) ;; *) fail "no control of $name in $file" ;; esac
    done
done
runbook() { diff <(alerts_in "$rules" "$dcgm") <(sed -n 's/^## //p' ../docs/runbook.md | sort); }
# What an alert links to is its own entry.
links() {
    diff <(alerts_in "$rules" "$dcgm" | tr '[:upper:]' '[:lower:]') \
        <(sed -n "s|^ *runbook_url: 'docs/runbook.md#\(.*\)'|\1|p" "$rules" "$dcgm" | sort -u)
}
check "runbook: an entry for each alert" runbook
check "runbook: each alert links to its own" links
must_fail "runbook: an entry is missing" ../docs/runbook.md '/^## ThermalGuardGpuLost$/d' runbook
must_fail "runbook: an entry is left over" ../docs/runbook.md 's/^## ThermalGuardGpuLost$/&\n## GpuFound/' runbook
must_fail "runbook: a link to nowhere" "$rules" 's/#thermalguardgpulost/#gpu-lost/' links

# An alert that throttles must not be inhibited: kube-prometheus does so to those of severity info.
acts_whatever_else() {
    awk '/- alert:/ { severity = "" } /^ *severity:/ { severity = $2 }
        /^ *guard_action:/ { seen++; if (severity == "info" || severity == "") bad++ } END { exit bad > 0 || !seen }' "$1"
}
for file in "$rules" "$dcgm"; do
    check "$file: no alert that throttles is mere information" acts_whatever_else "$file"
    must_fail "$file: an alert that throttles is mere information" "$file" 's/severity: none/severity: info/' acts_whatever_else "$file"
done

# The scrape's name is what the rules ask for, and the rules are there.
job() { grep -q "job_name: $(sed -n 's/.*absent(up{job="\(.*\)"}).*/\1/p' "$rules") " prometheus.yml; }
check "prometheus.yml is valid" promtool check config --lint=all --lint-fatal prometheus.yml
check "prometheus.yml scrapes the job of the rules" job
must_fail "prometheus: rules that aren't there" prometheus.yml 's/(thermal-guard).rules/\1s.rules/' \
    promtool check config prometheus.yml
must_fail "prometheus: another job" prometheus.yml 's/job_name: .*/job_name: guards # not/' job

# goes FILE RECEIVERS LABEL=VALUE…: where an alert is sent.
goes() {
    amtool config routes test --config.file "$(untemplated "$1")" --verify.receivers="$2" "${@:3}"
}
# Each alert that isn't for guards, with its severity.
for_people() {
    awk 'function end() { if (name && !acts) print name, severity; name = "" }
        /- alert:/ { end(); name = $3; acts = 0 } /^ *severity:/ { severity = $2 } /^ *guard_action:/ { acts = 1 }
        END { end() }' "$rules" "$dcgm"
}
reaches_people() {
    local name severity
    while read -r name severity; do
        goes "$1" people alertname="$name" severity="$severity" $n1 || { echo "not to people: $name" && return 1; }
    done <<<"$(for_people)"
}
burst=(alertname=ThermalGuardGpuHeatingTowardsAlertTrip severity=none guard_action=gradual)
n1=instance=n1.example:10835
n2=instance=n2.example:10835
for file in alertmanager.yml alertmanager-0.31.yml; do
    own=guard-n1.example:10835
    [ $file = alertmanager.yml ] || own=guards
    route() { check "$file: $1" goes "$file" "${@:2}"; }
    misroute() { must_fail "$file: $1" "$file" "$2" goes "$file" "${@:3}"; }
    check "$file is valid" amtool check-config "$(untemplated "$file")"
    route "gradual to the node and to people" "$own,people" guard_action=gradual $n1
    route "emergency to the node and to people" "$own,people" guard_action=emergency $n1
    route "heartbeat to its own node only" "$own" guard_action=heartbeat $n1
    route "another node's heartbeat to nobody" nobody guard_action=heartbeat $n2
    route "another node's alert to people only" nobody,people guard_action=gradual $n2
    route "what is for people to people only" people alertname=ThermalGuardGpuLost severity=critical $n1
    route "a burst of load to the node, and to nobody else" "$own,nobody" "${burst[@]}" $n1
    misroute "a burst of load to people" 's/severity="none"/severity="info"/' "$own,nobody" "${burst[@]}" $n1
    check "$file: each alert for people reaches them" reaches_people "$file"
    must_fail "$file: warnings to nobody" "$file" 's/severity="none"/severity="warning"/' reaches_people "$file"
    misroute "no explicit catch-all" '/^    - receiver: people$/d' "$own,people" guard_action=gradual $n1
    misroute "any instance will do" 's/instance=~?"[^"]*"/instance=~".*"/' nobody guard_action=heartbeat $n2
    misroute "the wrong instance" 's/(instance=~?"n)1/\13/' "$own" guard_action=heartbeat $n1
    # What keeps the token where it belongs.
    token() { grep -q 'follow_redirects: false' "$1"; }
    check "$file: no redirects" token "$file"
    must_fail "$file: redirects" "$file" 's/(follow_redirects:) false/\1 true/' token "$file"
done
tls() { grep -q "url: 'https://{{" "$1" && grep -q 'tls_config: {ca_file: ' "$1"; }
check "alertmanager-0.31.yml: TLS where the alert names the address" tls alertmanager-0.31.yml
must_fail "alertmanager-0.31.yml: plain HTTP" alertmanager-0.31.yml 's/https:/http:/' tls alertmanager-0.31.yml

pull=alertmanager-pull.yml
check "$pull is valid" amtool check-config "$pull"
check "$pull: heartbeats wake nobody" goes "$pull" nobody guard_action=heartbeat $n1
check "$pull: alerts go to people" goes "$pull" people guard_action=gradual $n1
check "$pull: a burst of load wakes nobody" goes "$pull" nobody "${burst[@]}" $n1
check "$pull: each alert for people reaches them" reaches_people "$pull"
must_fail "$pull: a burst of load to people" "$pull" 's/severity="none"/severity="info"/' goes "$pull" nobody "${burst[@]}" $n1
must_fail "$pull: warnings to nobody" "$pull" 's/severity="none"/severity="warning"/' reaches_people "$pull"
must_fail "an alert for people that reaches nobody" "$rules" "$(alert ThermalGuardObservesOnly) { s/severity: warning/severity: none/ }" \
    reaches_people "$pull"
must_fail "$pull: heartbeats to people" "$pull" 's/(receiver: )nobody/\1people/' \
    goes "$pull" nobody guard_action=heartbeat $n1

wait
if [ -s "$scratch/failed" ]; then
    echo "$(wc -l <"$scratch/failed") of the alert checks failed:"
    cat "$scratch/failed"
    exit 1
fi
echo "all alert checks passed"
