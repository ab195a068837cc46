//! Each change is told once, as the metrics count it.

use super::*;
use crate::policy::{Level, Trigger};
use crate::sim::card::Fault;

#[test]
fn a_start_is_told_with_the_first_event_or_when_it_is_sure_and_never_if_it_was_refused() {
    let (start, other) = (|| xid(1), || xid(2));
    let told = |act: &dyn Fn(&Events)| -> Vec<What> {
        let events = Events::new();
        events.starting(start());
        act(&events);
        let recent = events.recent();
        recent.iter().map(|event| event.what.clone()).collect()
    };
    assert_eq!(told(&|_| {}), []);
    assert_eq!(told(&|events| events.started()), [start()]);
    let twice = |events: &Events| {
        events.note(None, other());
        events.started();
    };
    assert_eq!(told(&twice), [start(), other()]);
    let refused = |events: &Events| {
        assert!(events.withdraw_start());
        assert!(!events.withdraw_start());
        events.started();
        events.note(None, other());
    };
    assert_eq!(told(&refused), [other()]);
}

fn names(node: &Node) -> Vec<String> {
    let json = |what: What| serde_json::to_value(what).unwrap()["event"].clone();
    let names = whats(node).into_iter().map(json);
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_throttle_and_its_recovery_are_told_as_the_metrics_count_them() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    let tick = heat_wave(&mut node);
    assert_eq!(names(&node), ["throttled", "recovering", "recovered"]);
    assert_eq!(
        (tick.counters.throttle_events(), tick.counters.recoveries),
        (1, 1)
    );
    let whats = whats(&node);
    let What::Throttled(throttle) = &whats[0] else {
        panic!("{whats:?}")
    };
    assert!(throttle.level == Level::Gradual && throttle.why == Why::SetPoint);
    assert_eq!(throttle.trigger, Some(Trigger::Local.into()));
    // An A100's alert is 78 °C, and the loop acts from 1 °C under it on.
    assert!(
        throttle
            .seen
            .temperature_celsius
            .is_some_and(|it| it >= 76.5)
    );
    let What::Recovered(outcome) = whats[2] else {
        panic!("{whats:?}")
    };
    let [gradual, emergency] = tick.counters.throttled.map(|it| it.as_secs_f64());
    let level_time = outcome.seconds - outcome.recovery_seconds;
    assert!(
        (level_time - gradual - emergency).abs() <= 2.0,
        "{outcome:?}"
    );
    assert!(
        outcome
            .hottest_celsius
            .is_some_and(|it| (76.5..82.0).contains(&it))
    );
}

#[test]
fn leases_pauses_and_the_chain_are_told_once_each() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    node.run(3);
    node.shared.name_alert(0xfeed, "GpuHot");
    node.fire(0, 0xfeed, Level::Gradual, Duration::from_secs(5));
    node.run(3);
    node.fire(0, 0xfeed, Level::Gradual, Duration::from_secs(5));
    node.fire(0, 0xbeef, Level::Gradual, Duration::from_secs(5));
    node.run(10);
    let until = node.now() + Duration::from_secs(5);
    node.shared.pause(&node.uuid(0), until);
    node.run(10);
    let texts: Vec<_> = node
        .shared
        .events
        .recent()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "GPU 0: alert lease (gradual) began, alert GpuHot (000000000000feed)",
        "GPU 0: alert lease (gradual) expired, alert GpuHot (000000000000feed)",
        "GPU 0: alert lease (gradual) began, alert 000000000000beef",
        "GPU 0: paused for 4s: only critical acts",
        "GPU 0: pause over",
    ];
    for text in expected {
        let count = texts.iter().filter(|it| *it == text).count();
        assert_eq!(count, 1, "{text}: {texts:#?}");
    }
}

#[test]
fn a_card_that_vanishes_is_lost_and_back_and_found_throttled_after_a_crash() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    node.set(0, HOT);
    node.run(300);
    node.restart(0);
    node.run(5);
    node.fault(0, Fault::Lost);
    node.run(5);
    node.fault(0, Fault::None);
    node.run(30);
    let whats = whats(&node);
    let found = |what: &What| matches!(what, What::Throttled(it) if it.trigger.is_none());
    assert_eq!(
        whats.iter().filter(|what| found(what)).count(),
        1,
        "{whats:#?}"
    );
    // A card that is gone has no sensors to doubt; one that is back must prove them.
    let of_a_sensor = |what: &What| matches!(what, What::TroubleBegan { trouble, .. } if *trouble == Trouble::SensorDoubt || *trouble == Trouble::SensorFault);
    let back = whats.iter().position(
        |what| matches!(what, What::TroubleEnded { trouble, .. } if *trouble == Trouble::GpuLost),
    );
    assert!(
        !whats[..back.unwrap()].iter().any(of_a_sensor),
        "{whats:#?}"
    );
    assert_eq!(
        troubles(&whats, Trouble::Unguarded),
        ["+not_open", "-not_open"]
    );
    let lost = |what: &What| match what {
        What::TroubleBegan { trouble, .. } => *trouble == Trouble::GpuLost,
        _ => false,
    };
    let back = |what: &What| match what {
        What::TroubleEnded { trouble, .. } => *trouble == Trouble::GpuLost,
        _ => false,
    };
    assert_eq!(
        whats.iter().filter(|what| lost(what)).count(),
        1,
        "{whats:#?}"
    );
    assert_eq!(
        whats.iter().filter(|what| back(what)).count(),
        1,
        "{whats:#?}"
    );
}

/// A worker that hung in the driver brings the state of long ago.
#[test]
fn a_late_tick_does_not_tell_the_chain_anew() {
    let events = Events::new();
    let at = |second| Moment::from_start(Duration::from_secs(second));
    for (second, state) in [
        (1, ChainState::Ok),
        (16, ChainState::Down),
        (14, ChainState::Ok),
        (17, ChainState::Down),
    ] {
        events.note_chain(at(second), state, None);
    }
    let recent = events.recent();
    let changes = recent
        .iter()
        .filter(|it| matches!(it.what, What::Chain { .. }));
    assert_eq!(changes.count(), 1, "{recent:#?}");
}
