//! The worker of one card: how it reads, and what it leaves.

use super::*;

#[test]
fn a_tick_out_of_turn_reads_nothing_that_is_slow_and_the_next_in_turn_does() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    let mut tick = |millis| {
        let now = Moment::from_start(Duration::from_millis(millis));
        worker.tick(now, now, &shared);
        bench.script.lock().unwrap().readings.last().copied()
    };
    for second in 1..5 {
        assert_eq!(tick(1000 * second), Some(Cadence::Fast));
    }
    // Late by a hair: due from 5 s on.
    assert_eq!(tick(4999), Some(Cadence::Fast));
    for woken in [5010, 5200, 5400] {
        assert_eq!(tick(woken), Some(Cadence::Fast), "{woken}");
    }
    assert_eq!(tick(5999), Some(Cadence::Full));
}

#[test]
fn a_stumble_of_the_driver_on_leaving_does_not_keep_the_limit() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    bench.script.lock().unwrap().limits = vec![ActuatorError::Transient(nvml::code(999))];
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(400));
}

#[test]
fn what_was_told_of_a_card_that_closes_slowly_is_taken_back() {
    let told = Arc::new(Told::default());
    let watch = told.clone();
    let shared = shared(Live::default(), 1.0).with_apps(told.clone());
    let mut bench = Bench::new(|_| Journal::none());
    let mut worker = holding_with(&mut bench, &shared);
    // As the hang watch does.
    let slowed = move || watch.0.lock().unwrap().push(AppMode::Gradual);
    bench.script.lock().unwrap().on_close = Some(Box::new(slowed));
    worker.leave(Moment::START, &shared);
    let told = told.0.lock().unwrap();
    let end = [AppMode::Normal, AppMode::Gradual, AppMode::Normal];
    assert!(told.ends_with(&end), "{told:?}");
}

#[test]
fn a_limit_somebody_else_set_just_before_we_leave_stands() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    bench.rack.card(0).limit = W(150);
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(150));
}

#[test]
fn what_is_to_be_kept_on_exit_stays_and_that_is_told() {
    let mut bench = Bench::new(|_| Journal::none());
    let live = Live {
        keep_on_exit: true,
        ..Live::default()
    };
    let shared = shared(live, 1.0);
    let mut worker = holding_with(&mut bench, &shared);
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(300));
    let told = shared.events.recent();
    let left = told.iter().map(|event| &event.what);
    let left = left.filter(|what| matches!(what, What::Left { capped: true }));
    assert_eq!(left.count(), 1);
}

/// An application that doesn't answer its health URL.
struct Unwell;

impl Applications for Unwell {
    fn tell(&self, _: &Arc<Identity>, _: AppMode) -> bool {
        false
    }

    fn list(&self, _: &[Arc<Identity>]) {}
}

/// A card that has everything back, and whose recovery waits for its application only, at a stop that
/// the unit follows up. What of it is told.
fn told_of_a_stop_that_waits_for_an_app(stops: bool) -> Vec<What> {
    let mut bench = Bench::new(|_| Journal::none());
    let shared = shared(Live::default(), 1.0).with_apps(Arc::new(Unwell));
    let mut worker = holding_with(&mut bench, &shared);
    for second in 1..600 {
        let now = Moment::from_start(Duration::from_secs(second));
        let tick = worker.tick(now, now, &shared);
        assert_ne!(tick.decision.state, State::Normal, "it waits");
    }
    assert_eq!(bench.rack.card(0).limit, W(400), "all given back");
    shared.leave_to_the_next();
    if stops {
        shared.stop();
    }
    worker.leave(Moment::from_start(Duration::from_secs(600)), &shared);
    let told = shared.events.recent();
    let told = told.iter().map(|event| event.what.clone());
    told.filter(|what| matches!(what, What::Left { .. }))
        .collect()
}

#[test]
fn a_recovery_that_waits_for_an_application_ends_with_the_guard() {
    let told = told_of_a_stop_that_waits_for_an_app(true);
    assert_eq!(told, [What::Left { capped: false }]);
    // A detach is no end: the same guard goes on.
    assert_eq!(told_of_a_stop_that_waits_for_an_app(false), []);
}
