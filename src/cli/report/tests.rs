use std::fs;

use super::*;

/// A week on one node: a throttle and its recovery, heat that comes back, a guard that dies with a
/// GPU throttled, one that takes over, an emergency that can't be held, an alert chain that breaks,
/// a card that takes no writes, a torn line, and a throttle that is still on.
const LOG: &str = r#"
{"time":"2026-03-01T08:00:00Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":7}
{"time":"2026-03-01T09:00:00Z","gpu":0,"uuid":"GPU-a","event":"throttled","level":"gradual","trigger":"local","why":"set point","temperature_celsius":77.0,"margin_to_alert_celsius":1.0}
{"time":"2026-03-01T09:01:00Z","gpu":0,"uuid":"GPU-a","event":"recovering","temperature_celsius":71.0}
{"time":"2026-03-01T09:01:08Z","gpu":0,"uuid":"GPU-a","event":"recovered","seconds":68.0,"recovery_seconds":8.0,"hottest_celsius":78.0}
{"time":"2026-03-02T10:00:00Z","gpu":1,"uuid":"GPU-b","event":"throttled","level":"gradual","trigger":"alert","why":"lease","temperature_celsius":70.0}
{"time":"2026-03-02T10:00:30Z","gpu":1,"uuid":"GPU-b","event":"recovering","temperature_celsius":69.0}
{"time":"2026-03-02T10:00:40Z","gpu":1,"uuid":"GPU-b","event":"throttled","level":"gradual","trigger":"fallback","why":"set point","temperature_celsius":77.0}
{"time":"2026-03-02T10:01:00Z","gpu":1,"uuid":"GPU-b","event":"trouble_began","trouble":"action_failing","detail":"gpu_clock_lock: no_permission"}
{"time":"2026-03-02T10:02:00Z","gpu":1,"uuid":"GPU-b","event":"chain","from":"ok","to":"down"}
{"time":"2026-03-02T10:02:00Z","event":"chain","from":"ok","to":"stale"}
{"time":"2026-03-02T10:02:10Z","event":"chain","from":"stale","to":"down"}
{"time":"2026-03-02T10:03:00Z","event":"chain","from":"down","to":"ok"}
{"time":"2026-03-02T10:0
{"time":"2026-03-02T10:10:00Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":8}
{"time":"2026-03-02T10:10:01Z","gpu":1,"uuid":"GPU-b","event":"throttled","level":"gradual","why":"found so","temperature_celsius":79.0}
{"time":"2026-03-02T10:10:05Z","gpu":1,"uuid":"GPU-b","event":"escalated","level":"emergency","trigger":"local","why":"critical","temperature_celsius":85.0}
{"time":"2026-03-02T10:11:05Z","gpu":1,"uuid":"GPU-b","event":"trouble_began","trouble":"infeasible"}
{"time":"2026-03-02T10:13:05Z","gpu":1,"uuid":"GPU-b","event":"trouble_ended","trouble":"infeasible","seconds":120.0}
{"time":"2026-03-02T10:14:00Z","gpu":1,"uuid":"GPU-b","event":"xid","xid":79,"count":1}
{"time":"2026-03-02T10:20:00Z","gpu":1,"uuid":"GPU-b","event":"recovered","seconds":600.0,"recovery_seconds":60.0,"hottest_celsius":86.0}
{"time":"2026-03-02T11:00:00Z","event":"levitated","height":3}
{"time":"2026-03-02T11:00:00Z","event":"unrecorded","count":4}
{"time":"2026-03-02T11:59:00Z","gpu":0,"uuid":"GPU-a","event":"throttled","level":"gradual","trigger":"manual","why":"lease","temperature_celsius":50.0}
"#;

const PAGE: &str = "\
thermal-guard report  2026-03-01 00:00:00 to 2026-03-02 12:00:00 UTC
The log begins 2026-03-01 08:00:00 UTC.
The log has holes: 4 events not recorded, 1 lines not readable.

GPU 0  GPU-a
  throttle events   2: 1 by the guard itself, 1 by an operator
  recovery cycles   1, 1m 8s from trigger to full recovery on average
  time throttled    2m, 0.1 % of the time
  hottest           at least 78 °C while throttled
  couldn't be held  never
  failures          none

GPU 1  GPU-b
  throttle events   3: 1 by an alert, 1 by the guard itself without its alert chain, 1 by the guard itself; 1 to emergency
  recovery cycles   1, 20m from trigger to full recovery on average
  time throttled    19m, 1.1 % of the time
  hottest           at least 86 °C while throttled
  couldn't be held  once, 2m: look at the cooling
  failures          action failing once, 2m; Xid 79 (1)

Guard
  starts            2; died once
  alert chain away  once, 1m

Incidents (UTC)
  2026-03-01 09:00:00  GPU 0   1m 8s  gradual by the guard itself (set point), hottest 78 °C: recovered
  2026-03-02 10:00:00  GPU 1     20m  emergency by an alert, begun or raised 3 times, hottest at least 86 °C: recovered
  2026-03-02 10:01:00  GPU 1      2m  writing to it fails (gpu_clock_lock: no_permission)
  2026-03-02 10:02:00  guard      1m  alert chain stale, before ok
  2026-03-02 10:10:00  guard          started; the guard before ended without a word, last heard of 7m earlier: killed, or the machine went down
  2026-03-02 10:11:05  GPU 1      2m  not even the coldest rung holds it
  2026-03-02 10:14:00  GPU 1          Xid 79
  2026-03-02 11:00:00  guard          4 events weren't recorded
  2026-03-02 11:59:00  GPU 0     1m…  gradual by an operator, hottest at least 50 °C: ongoing, as far as the log shows; how hot it gets is known once it is over
";

fn at(text: &str) -> Duration {
    let time = humantime::parse_rfc3339(text).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap()
}

fn read(log: &str) -> History {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("events.jsonl"), log).unwrap();
    history(dir.path()).unwrap()
}

fn page(log: &str, since: &str, until: &str) -> String {
    let record = gather::all(&read(log), at(since), at(until));
    anstream::adapter::strip_str(&text::page(&record, &Look::PLAIN)).to_string()
}

#[test]
fn a_week_is_told_on_a_page() {
    let page = page(LOG, "2026-03-01T00:00:00Z", "2026-03-02T12:00:00Z");
    assert_eq!(page, PAGE, "{page}");
}

/// One throttle of which all is known, and one of which it isn't known what the card would have done.
const COSTS: &str = r#"
{"time":"2026-03-01T09:00:00Z","gpu":0,"uuid":"GPU-a","event":"throttled","level":"gradual","trigger":"local","why":"set point","temperature_celsius":77.0}
{"time":"2026-03-01T09:10:00Z","gpu":0,"uuid":"GPU-a","event":"recovered","seconds":600.0,"recovery_seconds":8.0,"hottest_celsius":78.0,"work_asked_seconds":600.0,"work_lost_ratio":0.17,"work_lost_least_ratio":0.051,"unguarded_work_lost_ratio":0.12,"unguarded_work_lost_least_ratio":0.03,"unguarded_work_lost_most_ratio":0.14,"unguarded_hottest_celsius":86.0}
{"time":"2026-03-01T10:00:00Z","gpu":0,"uuid":"GPU-a","event":"throttled","level":"gradual","trigger":"local","why":"set point","temperature_celsius":77.0}
{"time":"2026-03-01T10:10:00Z","gpu":0,"uuid":"GPU-a","event":"recovered","seconds":600.0,"recovery_seconds":8.0,"hottest_celsius":78.0,"work_asked_seconds":200.0,"work_lost_ratio":0.003,"work_lost_least_ratio":0.001}
"#;

#[test]
fn what_a_throttle_cost_is_told_and_what_isn_t_known_too() {
    let page = page(COSTS, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z");
    let lines = [
        "work lost         1m 43s at the most, 12.8 % of the work while throttled; without the guard, it would be 12.0 % (known for 75 % of that work)",
        "it cost 5 to 17 % of the work; without the guard, it would be 3 to 14 % at up to 86 °C",
        "it cost less than 1 % of the work; the cost without the guard isn't known",
    ];
    for line in lines {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn what_was_over_before_is_left_out_and_what_reaches_in_is_not() {
    let page = page(LOG, "2026-03-02T10:12:00Z", "2026-03-02T12:00:00Z");
    assert!(!page.contains("2026-03-01"), "{page}");
    assert!(!page.contains("without a word"), "{page}");
    assert!(page.contains("10:00:00  GPU 1   20m  emergency"), "{page}");
    assert!(page.contains("couldn't be held  once"), "{page}");
}

#[test]
fn a_guard_that_left_a_gpu_capped_and_never_came_back_is_said() {
    let stopped = r#"{"time":"2026-03-02T10:01:00Z","event":"stopped","pid":7}"#;
    let log: Vec<_> = LOG.lines().take(6).chain([stopped]).collect();
    let log = log.join("\n");
    let page = page(&log, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
    assert!(
        page.contains("1m  gradual by an alert, hottest at least 70 °C: left capped"),
        "{page}"
    );
    assert!(!page.contains("died"), "{page}");
}

/// A guard that goes after a minute, and the next one, which runs for hours.
fn two_guards(stopped: &str, next: &str) -> String {
    let begun: Vec<_> = LOG.lines().take(7).collect();
    let next = [
        r#"{"time":"2026-03-02T10:01:05Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":8}"#,
        next,
        r#"{"time":"2026-03-02T15:00:00Z","event":"chain","from":"ok","to":"stale"}"#,
        r#"{"time":"2026-03-02T15:00:10Z","event":"chain","from":"stale","to":"ok"}"#,
    ];
    let log = [begun.join("\n"), stopped.to_owned(), next.join("\n")].join("\n");
    page(&log, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
}

#[test]
fn a_throttle_ends_with_its_guard_unless_the_next_one_takes_it_over() {
    let stopped = r#"{"time":"2026-03-02T10:01:00Z","event":"stopped","pid":7}"#;
    let taken = r#"{"time":"2026-03-02T10:01:06Z","gpu":1,"uuid":"GPU-b","event":"throttled","level":"gradual","why":"found so"}"#;
    let page = two_guards(stopped, "");
    let ended = "1m  gradual by an alert, hottest at least 70 °C: its guard ended, and the next one took nothing over";
    assert!(page.contains(ended), "{page}");
    // Killed: as long as it was heard of.
    let page = two_guards("", "");
    let ended =
        "30s  gradual by an alert, hottest at least 70 °C: its guard ended, and the next one";
    assert!(page.contains(ended), "{page}");
    let page = two_guards(stopped, taken);
    assert!(page.contains("14h…  gradual by an alert"), "{page}");
}

#[test]
fn a_throttle_that_a_guard_left_with_nothing_on_the_card_is_over() {
    let left = r#"{"time":"2026-03-02T10:00:59Z","gpu":1,"uuid":"GPU-b","event":"left","capped":false}
{"time":"2026-03-02T10:01:00Z","event":"stopped","pid":7}"#;
    let page = two_guards(left, "");
    let over = "59s  gradual by an alert, hottest at least 70 °C: given back as the guard left";
    assert!(page.contains(over), "{page}");
}

#[test]
fn a_guard_that_only_observed_left_nothing_capped() {
    let stopped = r#"{"time":"2026-03-02T10:01:00Z","event":"stopped","pid":7}"#;
    let log: Vec<_> = LOG.lines().take(6).chain([stopped]).collect();
    let log = log.join("\n").replace("\"enforce\"", "\"observe\"");
    let page = page(&log, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
    assert!(page.contains("only observed: nothing was set"), "{page}");
    assert!(!page.contains("capped"), "{page}");
}

#[test]
fn a_quiet_week_says_so_and_a_tampered_log_moves_no_cursor() {
    let started = LOG.lines().nth(1).unwrap();
    let page = page(started, "2026-03-01T00:00:00Z", "2026-03-02T12:00:00Z");
    assert!(page.contains("Nothing happened on any GPU."), "{page}");
    assert!(page.ends_with("No incident.\n"), "{page}");
    let evil = r#"{"time":"2026-03-01T09:00:00Z","gpu":0,"uuid":"\u001b[2J","event":"trouble_began","trouble":"\u001b[2J"}"#;
    let record = gather::all(&read(evil), Duration::ZERO, at("2026-03-02T12:00:00Z"));
    let page = text::page(&record, &Look::PLAIN);
    assert!(!page.contains("\u{1b}[2J"), "{page:?}");
}

#[test]
fn a_period_is_a_duration_within_reason() {
    assert_eq!(durations::of_years("24h"), Ok(Duration::from_secs(86400)));
    for wrong in ["7x", "", "0s", "-1d", "9999y", "7"] {
        assert!(durations::of_years(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_that_no_guard_wrote_are_no_end_of_the_report() {
    const MOST: u64 = u64::MAX;
    let log = format!(
        r#"{{"time":"2026-03-02T10:00:00Z","gpu":0,"uuid":"GPU-a","event":"throttled","level":"gradual","trigger":"local","why":"set point"}}
{{"time":"2026-03-02T10:01:00Z","gpu":0,"uuid":"GPU-a","event":"recovered","seconds":1.8446744073709550e19,"recovery_seconds":1e308}}
{{"time":"2026-03-02T10:02:00Z","gpu":0,"uuid":"GPU-a","event":"xid","xid":79,"count":{MOST}}}
{{"time":"2026-03-02T10:02:00Z","gpu":0,"uuid":"GPU-a","event":"xid","xid":79,"count":1}}
{{"time":"2026-03-02T10:02:00Z","event":"unrecorded","count":{MOST}}}
{{"time":"2026-03-02T10:02:00Z","event":"unrecorded","count":1}}
"#
    );
    let page = page(&log, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
    assert!(
        page.contains(&format!("{MOST} events not recorded")),
        "{page}"
    );
    assert!(page.contains(&format!("Xid 79 ({MOST})")), "{page}");
}

#[test]
fn a_second_guard_that_was_refused_is_no_death_of_the_first() {
    let log: Vec<_> = LOG.lines().take(6).collect();
    let second = r#"
{"time":"2026-03-02T10:00:01Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":9}
{"time":"2026-03-02T10:00:02Z","event":"stopped","pid":9,"refused":true}"#;
    let log = log.join("\n") + second;
    let page = page(&log, "2026-03-02T00:00:00Z", "2026-03-02T12:00:00Z");
    assert!(!page.contains("died"), "{page}");
    assert!(page.contains("guard refused: another one"), "{page}");
    assert!(page.contains("ongoing, as far as the log shows"), "{page}");
    // The control: one that wasn't refused came after a death.
    let control = log.replace(",\"refused\":true", "");
    let record = gather::all(&read(&control), Duration::ZERO, at("2026-03-02T12:00:00Z"));
    assert_eq!(record.guard.deaths, 1);
}

#[test]
fn what_restore_gave_back_or_kept_is_told() {
    let log: Vec<_> = LOG.lines().take(6).collect();
    let restored = r#"
{"time":"2026-03-02T10:01:00Z","event":"stopped","pid":7}
{"time":"2026-03-02T10:02:00Z","gpu":1,"uuid":"GPU-b","event":"restored","kept":true,"detail":"kept throttled: still 4 °C above safe"}
{"time":"2026-03-02T10:05:00Z","gpu":1,"uuid":"GPU-b","event":"restored","kept":false,"detail":"gave back the power limit 400 W"}"#;
    let log = log.join("\n") + restored;
    let page = page(&log, "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
    assert!(
        page.contains("hottest at least 70 °C: given back by `restore`"),
        "{page}"
    );
    assert!(
        page.contains("`restore`: kept throttled: still 4 °C"),
        "{page}"
    );
}

/// One GPU with a sensor that fails twice, a knob that is refused and a time that nobody guards it.
const FAULTS: &str = r#"
{"time":"2026-03-01T08:00:00Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":7}
{"time":"2026-03-01T09:00:00Z","gpu":0,"uuid":"GPU-a","event":"trouble_began","trouble":"sensor_fault","detail":"core: failing"}
{"time":"2026-03-01T09:00:10Z","gpu":0,"uuid":"GPU-a","event":"trouble_began","trouble":"sensor_fault","detail":"memory: doubted"}
{"time":"2026-03-01T09:01:00Z","gpu":0,"uuid":"GPU-a","event":"trouble_ended","trouble":"sensor_fault","detail":"core: failing","seconds":60.0}
{"time":"2026-03-01T09:02:10Z","gpu":0,"uuid":"GPU-a","event":"trouble_ended","trouble":"sensor_fault","detail":"memory: doubted","seconds":120.0}
{"time":"2026-03-01T10:00:00Z","gpu":0,"uuid":"GPU-a","event":"trouble_began","trouble":"knob_fault","detail":"power_limit: refused"}
{"time":"2026-03-01T10:05:00Z","gpu":0,"uuid":"GPU-a","event":"trouble_ended","trouble":"knob_fault","detail":"power_limit: refused","seconds":300.0}
{"time":"2026-03-01T11:59:00Z","gpu":0,"uuid":"GPU-a","event":"trouble_began","trouble":"unguarded","detail":"no_permission"}
"#;

#[test]
fn faults_of_sensors_and_knobs_and_unguarded_times_are_reported() {
    let page = page(FAULTS, "2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z");
    for told in [
        "failures          knob fault once, 5m; sensor fault 2 times, 3m; unguarded once, 1m",
        "1m  a sensor fails or isn't believed (core: failing)",
        "2m  a sensor fails or isn't believed (memory: doubted)",
        "5m  a knob is out of the plan (power_limit: refused)",
        "1m…  unguarded, nothing can be done for it (no_permission)",
    ] {
        assert!(page.contains(told), "{told} in\n{page}");
    }
}

#[test]
fn a_slowdown_by_the_card_itself_is_told_like_a_throttle() {
    let log = r#"
{"time":"2026-03-01T08:00:00Z","event":"started","version":"1.0.0","mode":"enforce","simulated":false,"pid":7}
{"time":"2026-03-01T09:00:05Z","gpu":0,"uuid":"GPU-a","event":"slowed_itself","target_celsius":83.0,"temperature_celsius":83.0,"margin_to_alert_celsius":3.0}
{"time":"2026-03-01T10:01:00Z","gpu":0,"uuid":"GPU-a","event":"slowed_itself_ended","seconds":3600.0,"recovery_seconds":0.0,"hottest_celsius":84.0}
{"time":"2026-03-01T11:00:00Z","gpu":0,"uuid":"GPU-a","event":"slowed_itself","temperature_celsius":80.0}
"#;
    let page = page(log, "2026-03-01T00:00:00Z", "2026-03-01T11:10:00Z");
    for line in [
        "  throttle events   none\n",
        "  slowed itself     2 times, 1h 10m, hottest 84 °C\n",
        "  failures          none\n",
        "GPU 0     1h  slows itself down for heat at 83 °C, 3.0 °C under alert, at its own target of 83 °C, hottest 84 °C\n",
        "GPU 0   10m…  slows itself down for heat at 80 °C\n",
    ] {
        assert!(page.contains(line), "{line:?} in {page}");
    }
}
