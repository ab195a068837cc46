use super::*;
use crate::device::{Missing, SlowdownReason, Thresholds};
use crate::units::Megahertz;

const TARGET: f64 = 83.0;
const ALERT: f64 = 86.0;
const FULL: u32 = 1900;

/// A card with a target under the guard's alert, a second at a time.
struct Card {
    firmware: Firmware,
    facts: Facts,
    now: u64,
    clock: u32,
    held: bool,
}

impl Card {
    fn new() -> Self {
        let thresholds = Thresholds {
            acoustic_current: Some(Celsius::new(TARGET)),
            ..Thresholds::default()
        };
        Self {
            firmware: Firmware::default(),
            facts: Facts {
                thresholds,
                gpu_clock_max: Some(Megahertz::new(FULL)),
                ..Facts::default()
            },
            now: 0,
            clock: FULL,
            held: false,
        }
    }

    /// One second at this temperature; `slows`: with the driver's bit.
    fn second(&mut self, core: f64, slows: bool) -> FirmwareReport {
        let reasons = [SlowdownReason::SoftwareThermal].into_iter();
        let now = Moment::from_start(Duration::from_secs(self.now));
        self.now += 1;
        let reading = Reading {
            core: Ok(Celsius::new(core)),
            gpu_clock: Ok(Megahertz::new(self.clock)),
            slowdown_reasons: Ok(reasons.filter(|_| slows).collect()),
            ..Reading::missing(now, Missing::NotSupported)
        };
        let around = Around {
            reading: &reading,
            facts: &self.facts,
            trips: Some(Trips {
                alert: Celsius::new(ALERT),
                critical: Celsius::new(93.0),
                safe: Celsius::new(80.0),
            }),
            held: self.held,
        };
        self.firmware.note(now, &around)
    }

    /// So many seconds. Returns the turns among them, and the last report.
    fn seconds(
        &mut self,
        count: u64,
        core: f64,
        slows: impl Fn(u64) -> bool,
    ) -> (Vec<SlowdownTurn>, FirmwareReport) {
        let mut turns = Vec::new();
        let mut last = FirmwareReport::default();
        for second in 0..count {
            last = self.second(core, slows(second));
            turns.extend(last.turn);
        }
        (turns, last)
    }
}

#[test]
fn a_target_under_alert_means_that_the_card_acts_first() {
    let mut card = Card::new();
    assert_eq!(
        card.second(60.0, false).acts_first,
        Some(Celsius::new(TARGET))
    );
    for target in [ALERT, ALERT + 1.0, 0.0, 120.0] {
        card.facts.thresholds.acoustic_current = Some(Celsius::new(target));
        assert_eq!(card.second(60.0, false).acts_first, None, "{target}");
    }
}

#[test]
fn a_slowdown_is_told_once_with_its_time_and_heat() {
    let mut card = Card::new();
    let (turns, report) = card.seconds(600, 83.0, |_| true);
    assert_eq!(turns, [SlowdownTurn::Began]);
    assert!(
        report
            .slowdown
            .is_some_and(|it| it.lasts >= Duration::from_secs(590))
    );
    card.second(84.0, true);
    let (turns, report) = card.seconds(90, 70.0, |_| false);
    let [SlowdownTurn::Ended(ended)] = turns[..] else {
        panic!("{turns:?}")
    };
    assert_eq!(ended.lasts, Duration::from_secs(600));
    assert_eq!(ended.hottest, Some(Celsius::new(84.0)));
    assert_eq!(report.slowdown, None);
}

#[test]
fn a_bit_that_flickers_is_one_slowdown_and_a_blink_is_none() {
    let mut card = Card::new();
    let (turns, _) = card.seconds(3600, 83.0, |second| second.is_multiple_of(20));
    assert_eq!(turns, [SlowdownTurn::Began]);
    let mut card = Card::new();
    let (turns, report) = card.seconds(3600, 80.0, |second| second.is_multiple_of(300));
    assert_eq!((turns.len(), report.slowdown), (0, None));
}

#[test]
fn what_the_guard_holds_is_no_slowdown_of_the_card_s_own() {
    let mut card = Card::new();
    card.held = true;
    assert!(card.seconds(600, 84.0, |_| true).0.is_empty());
    let mut card = Card::new();
    card.seconds(60, 83.0, |_| true);
    card.held = true;
    let turn = card.second(83.0, true).turn;
    assert!(
        matches!(turn, Some(SlowdownTurn::Ended(_))),
        "the guard has taken over"
    );
}

#[test]
fn a_card_that_runs_above_its_target_at_full_clocks_is_not_believed() {
    let mut card = Card::new();
    let (_, report) = card.seconds(170, TARGET + 2.0, |_| false);
    assert!(report.acts_first.is_some(), "it may still come");
    let (_, report) = card.seconds(20, TARGET + 2.0, |_| false);
    assert_eq!(report.acts_first, None);
    assert_eq!(report.ignores, Some(Celsius::new(TARGET)));
    // Cool again, it still isn't.
    let (_, report) = card.seconds(600, 50.0, |_| false);
    assert!(report.ignores.is_some());
    // It keeps to its target after all, or another driver came.
    let kept = card.second(TARGET, true);
    assert_eq!((kept.ignores, kept.acts_first.is_some()), (None, true));
    card.seconds(200, TARGET + 2.0, |_| false);
    card.firmware.reopened();
    assert!(card.second(60.0, false).acts_first.is_some());
}

#[test]
fn nothing_else_above_the_target_withdraws_it() {
    let believed = |prepare: &dyn Fn(&mut Card), slows: &dyn Fn(u64) -> bool, core: f64| {
        let mut card = Card::new();
        prepare(&mut card);
        card.seconds(3600, core, slows).1.acts_first.is_some()
    };
    let no = |_: u64| false;
    assert!(
        believed(&|_| {}, &no, TARGET + 1.0),
        "a whole degree is rounding"
    );
    assert!(
        believed(&|card| card.clock = 210, &no, 90.0),
        "it doesn't work"
    );
    assert!(
        believed(&|card| card.held = true, &no, 90.0),
        "the guard holds it"
    );
    let now_and_then = |second: u64| second.is_multiple_of(100);
    assert!(
        believed(&|_| {}, &now_and_then, TARGET + 2.0),
        "it slows down"
    );
}

#[test]
fn another_target_is_another_promise() {
    let mut card = Card::new();
    card.seconds(200, 85.0, |_| false);
    card.facts.thresholds.acoustic_current = Some(Celsius::new(75.0));
    let dropped = card.second(60.0, false);
    assert_eq!(
        (dropped.acts_first, dropped.ignores),
        (Some(Celsius::new(75.0)), None)
    );
}
