//! What is wrong with a card, in words of all views.

use thermal_guard::device::{Knob, nvml};
use thermal_guard::guard::state::history::History;
use thermal_guard::policy::{
    Claim, Decision, KnobReport, KnobState, Level, Sensor, SensorReport, SensorState, State,
    Targets, Trigger, Unguarded,
};

use super::*;

/// The fleet's first card, changed, in words of all views.
fn with(change: impl FnOnce(&mut Tick)) -> (Value, String) {
    let mut snapshot = calm_snapshot();
    let gpu = &mut snapshot.gpus[0];
    let mut tick = Tick::clone(gpu.tick.as_ref().unwrap());
    change(&mut tick);
    let identity = gpu.identity.clone();
    let tick = Some(Arc::new(tick));
    *gpu = GpuView::new(&identity, tick, fleet::now(), Duration::from_secs(1));
    let status = Status::of(&snapshot);
    let html = page::render(&status, "/metrics");
    (
        serde_json::to_value(&status).unwrap()["gpus"][0].clone(),
        html,
    )
}

#[test]
fn an_unguarded_gpu_says_so_and_why_and_what_helps_also_when_it_is_gone() {
    for (why, up) in Unguarded::ALL.map(|why| (why, why != Unguarded::NotOpen)) {
        let (gpu, html) = with(|tick| {
            tick.up = up;
            tick.decision = Decision::unguarded(why);
            tick.claim = Claim::default();
        });
        assert_eq!(gpu["state"], "unguarded");
        assert_eq!(gpu["unguarded"], why.name());
        assert_eq!(gpu["why"], why.explained());
        assert!(html.contains("data-tone=\"unguarded\""), "{html}");
        let notice = format!(
            "Unguarded: nothing can be done for GPU 0: {}",
            why.explained()
        );
        let notice = notice.replace('\'', "&#39;");
        assert!(html.contains(&notice), "{notice} in\n{html}");
        assert!(html.contains(">1 GPU, 1 unguarded"), "{html}");
        assert!(html.contains("<title>(1) "), "alarms");
    }
    let (calm, html) = with(|_| {});
    assert_eq!(calm.get("unguarded"), None);
    assert!(!html.contains("Unguarded"), "{html}");
}

#[test]
fn each_sensor_and_knob_tells_its_state_and_what_is_wrong_with_it() {
    let (gpu, html) = with(|tick| {
        tick.decision.sensors[Sensor::Memory] = SensorReport {
            state: SensorState::Failing,
            missing: Some(Missing::Failed(nvml::code(999))),
            doubt: None,
        };
        tick.decision.knobs[Knob::GpuClock] = KnobReport {
            state: KnobState::Refused,
            denied: false,
        };
    });
    let named = |list: &str, name: &str| {
        let all = gpu[list].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap().clone()
    };
    let inlet = serde_json::json!({
        "name": "inlet", "state": "working", "celsius": 31.5,
        "alert_celsius": 38.0, "critical_celsius": 45.0,
    });
    assert_eq!(gpu["sensors"][0], inlet, "configured ones come first");
    assert_eq!(named("sensors", "rack-door")["state"], "failing");
    let core = serde_json::json!({"name": "core", "state": "working"});
    assert_eq!(named("sensors", "core"), core);
    assert_eq!(named("sensors", "margin")["state"], "absent");
    let memory = named("sensors", "memory");
    assert_eq!(memory["why"], "fails with NVML code 999 (UNKNOWN)");
    assert_eq!(named("knobs", "power_limit")["state"], "working");
    assert_eq!(named("knobs", "gpu_clock")["state"], "refused");
    assert_eq!(named("knobs", "memory_clock")["state"], "absent");
    assert_eq!(named("knobs", "fan")["state"], "absent");
    let why = gpu["why"].as_str().unwrap();
    assert!(
        why.contains("the memory sensor fails with NVML code 999"),
        "{why}"
    );
    assert!(why.contains("gpu_clock is refused"), "{why}");
    for told in [
        "inlet working, rack-door failing, core working, memory failing, power working<",
        ">power limit working, gpu clock refused<",
    ] {
        assert!(html.contains(told), "{told} in\n{html}");
    }
}

#[test]
fn a_throttle_lasts_since_it_began_also_under_a_guard_before_this_one() {
    let (gpu, html) = with(|tick| {
        tick.changed = fleet::unix_ago(5);
        tick.held_since = Some(fleet::unix_ago(7200));
    });
    assert_eq!(gpu["state_age_seconds"], 5.0);
    assert_eq!(gpu["held_for_seconds"], 7200.0);
    assert!(html.contains(">for 2h<"), "{html}");
    let (gpu, html) = with(|tick| {
        tick.decision = Decision::unseen();
        tick.held_since = None;
        tick.changed = fleet::unix_ago(5);
    });
    assert_eq!(gpu.get("held_for_seconds"), None);
    assert!(html.contains(">for 5s<"), "{html}");
}

#[test]
fn an_hour_shows_when_nothing_could_be_done() {
    let clock = Moment::from_secs_f64(3.0);
    let mut history = History::default();
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.reading.at = clock;
    history.record(&tick);
    tick.decision = Decision::unguarded(Unguarded::NoTemperature);
    history.record(&tick);
    let state = history.points(clock).next().unwrap().state();
    assert_eq!(state, Some(State::Unguarded), "the gravest");
}

#[test]
fn a_throttle_names_its_cause_and_only_heat_holds_under_alert() {
    for (trigger, said) in [
        (
            Some(Trigger::Local),
            "held under alert: the local loop acted; ",
        ),
        (Some(Trigger::Manual), "throttled: an operator asked; "),
        (Some(Trigger::Alert), "throttled: an alert asked; "),
        (None, "throttled: left so by the guard before; "),
    ] {
        let (gpu, _) = with(|tick| {
            tick.decision.state = State::Gradual;
            tick.decision.trigger = trigger;
        });
        let why = gpu["why"].as_str().unwrap();
        assert!(why.starts_with(said), "{why}");
    }
}

/// All given back, and the applications that haven't answered yet.
fn waiting_for(well: Option<bool>, failing: bool) -> (Status, String) {
    let mut snapshot = calm_snapshot();
    let gpu = &mut snapshot.gpus[0];
    let tick = gpu.tick.as_mut().map(Arc::make_mut).unwrap();
    tick.claim = Claim::default();
    tick.decision.state = State::Recovering;
    tick.decision.level = Level::None;
    tick.decision.targets = Targets::default();
    let app = &mut snapshot.service.apps[0].status;
    app.well = well;
    app.last_error = failing.then(|| "answered 503".to_owned());
    let status = Status::of(&snapshot);
    let html = page::render(&status, "/metrics");
    (status, html)
}

#[test]
fn a_recovery_says_which_application_it_waits_for() {
    let (status, html) = waiting_for(Some(false), true);
    let why = "all given back; waiting until the app medgemma answers at its health_url";
    assert_eq!(status.gpus[0].why, why);
    let now = "told 4 times, failed 1 times; fails now, and is tried again<";
    assert!(html.contains(now), "{html}");
    let (_, html) = waiting_for(Some(false), false);
    assert!(
        html.contains("; its health_url hasn&#39;t answered yet<"),
        "{html}"
    );
    let (status, html) = waiting_for(Some(true), false);
    assert_eq!(status.gpus[0].why, "all given back");
    assert!(html.contains("failed 1 times<"), "{html}");
}
