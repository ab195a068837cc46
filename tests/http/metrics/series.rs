//! Which series are there, when, and what they say of a card.

use thermal_guard::policy::{Decision, Unguarded};

use super::*;

#[test]
fn what_a_card_does_not_have_is_absent_not_zero() {
    let text = classic(fleet::snapshot());
    let memory = samples(&text, "thermal_guard_gpu_memory_temperature_celsius{");
    assert_eq!(memory.len(), 1, "the A100's only: {memory:?}");
    assert!(memory[0].contains("gpu=\"0\""));
    assert!(!text.contains("NaN") && !text.contains("} -1"));
    assert!(!text.contains("thermal_guard_gpu_temperature_margin"));
    assert!(!text.contains("gpu=\"1\",uuid=\"GPU-11110000-made-up\",fan=\"2\""));
    let unnamed = "thermal_guard_gpu_clock_event_active{gpu=\"1\",uuid=\"GPU-11110000-made-up\",reason=\"unknown\"} 1";
    assert!(text.lines().any(|line| line == unnamed));
    assert_eq!(
        samples(&text, "thermal_guard_gpu_clock_event_active{gpu=\"0\"").len(),
        10
    );
}

#[test]
fn a_gpu_is_in_one_state_of_six_and_so_is_each_sensor_and_knob() {
    let mut snapshot = fleet::snapshot();
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.decision = Decision::unguarded(Unguarded::NoTemperature);
    snapshot.gpus[0].tick = Some(Arc::new(tick));
    let text = classic(snapshot);
    for (family, gpus, states) in [
        ("state", 3, 6),
        ("sensor_state", 3 * 4, 4),
        ("knob_state", 3 * 4, 5),
    ] {
        let all = samples(&text, &format!("thermal_guard_{family}{{"));
        assert_eq!(all.len(), gpus * states, "{family}");
        let hot = all.iter().filter(|line| line.ends_with(" 1")).count();
        assert_eq!(hot, gpus, "{family}: one each");
    }
    let is = |line: &str| text.lines().any(|it| it == line);
    let gpu = "gpu=\"0\",uuid=\"GPU-00000000-made-up\"";
    assert!(is(&format!(
        "thermal_guard_state{{{gpu},state=\"unguarded\"}} 1"
    )));
    assert!(is(&format!(
        "thermal_guard_knob_state{{{gpu},knob=\"fan\",state=\"absent\"}} 1"
    )));
}

#[test]
fn a_configured_sensor_works_or_fails_and_takes_no_series_of_the_cards_own() {
    let mut snapshot = fleet::snapshot();
    let state = |text: &str, sensor: &str, state: &str| {
        let labels = format!("sensor=\"{sensor}\",state=\"{state}\"}} 1");
        let all = samples(text, "thermal_guard_sensor_state{gpu=\"0\"");
        all.iter().filter(|line| line.ends_with(&labels)).count()
    };
    let text = classic(snapshot.clone());
    assert_eq!(state(&text, "inlet", "working"), 1);
    assert_eq!(state(&text, "rack-door", "failing"), 1);
    let mut tick = Tick::clone(snapshot.gpus[0].tick.as_ref().unwrap());
    tick.probes[1].name = "core".into();
    snapshot.gpus[0].tick = Some(Arc::new(tick));
    let text = classic(snapshot);
    assert_eq!(state(&text, "core", "working"), 1);
    assert_eq!(state(&text, "core", "failing"), 0, "the file's");
}

#[test]
fn a_lost_gpu_keeps_its_counters_and_loses_its_readings() {
    let text = classic(fleet::snapshot());
    let lost = |prefix: &str| {
        text.lines()
            .any(|line| line.starts_with(prefix) && line.contains("gpu=\"2\""))
    };
    for kept in [
        "thermal_guard_gpu_info",
        "thermal_guard_gpu_up",
        "thermal_guard_state",
        "thermal_guard_throttle_events_total",
        "thermal_guard_gpu_xid_errors_total",
        "thermal_guard_leases",
    ] {
        assert!(lost(kept), "{kept} is gone");
    }
    for gone in [
        "thermal_guard_gpu_temperature",
        "thermal_guard_gpu_power",
        "thermal_guard_gpu_clock",
        "thermal_guard_trip",
        "thermal_guard_margin",
    ] {
        assert!(!lost(gone), "{gone} is still there");
    }
}

#[test]
fn a_gpu_is_down_two_polls_after_its_last_tick_but_not_under_two_seconds() {
    let tick = Arc::new(fleet::bare(fleet::identity(0, "x")));
    let up = |age: f64, poll: f64| {
        let now = Moment::from_secs_f64(tick.at.since_start().as_secs_f64() + age);
        let poll = Duration::from_secs_f64(poll);
        GpuView::new(&tick.identity, Some(tick.clone()), now, poll).up
    };
    assert!(up(1.9, 0.1) && !up(2.1, 0.1));
    assert!(up(1.9, 1.0) && !up(2.1, 1.0));
    assert!(up(19.0, 10.0) && !up(21.0, 10.0));
}

#[test]
fn counters_of_events_are_there_before_the_first_event() {
    let mut snapshot = fleet::snapshot();
    let tick = fleet::bare(fleet::identity(0, "NVIDIA A100 80GB PCIe"));
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    snapshot.gpus = vec![GpuView::new(
        &identity,
        Some(Arc::new(tick)),
        fleet::now(),
        poll,
    )];
    let text = classic(snapshot);
    for (family, series) in [
        ("thermal_guard_throttle_events_total{", 8),
        ("thermal_guard_recoveries_total{", 1),
        ("thermal_guard_throttled_seconds_total{", 2),
        ("thermal_guard_actions_total{", 28),
        ("thermal_guard_foreign_limits_total{", 1),
        ("thermal_guard_journal_failures_total{", 1),
        ("thermal_guard_gpu_reopened_total{", 1),
        ("thermal_guard_poll_failures_total{", 1),
        ("thermal_guard_gpu_xid_errors_total{", 9),
    ] {
        let found = samples(&text, family);
        assert_eq!(found.len(), series, "{family}");
        let is_zero = |line: &&str| line.ends_with(" 0") || line.ends_with(" 0.0");
        assert!(found.iter().all(is_zero), "{found:?}");
    }
}
