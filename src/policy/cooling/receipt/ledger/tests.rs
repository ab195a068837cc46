use super::*;

/// A card that cools by 0.13 K/W, known within 2 %.
fn fit() -> Fit {
    Fit::of(0.13, 0.02)
}

struct Course {
    ledger: Ledger,
    second: u32,
}

impl Course {
    /// It has run freely for a minute.
    fn new() -> Self {
        let mut course = Self {
            ledger: Ledger::default(),
            second: 0,
        };
        course.pass(60, |turn| turn);
        course
    }

    fn pass(&mut self, seconds: u32, change: impl Fn(Turn) -> Turn) {
        for _ in 0..seconds {
            self.second += 1;
            let turn = Turn {
                at: Moment::from_secs_f64(f64::from(self.second)),
                hold: Hold::Free,
                busy: true,
                clock: Some(Megahertz::new(1400)),
                draw: Some(Watts::from_watts(400)),
                core: Some(Celsius::new(77.0)),
                margin: Some(Celsius::new(8.0)),
                slows_itself: false,
                limit: Some(Watts::from_watts(400)),
            };
            self.ledger.take(&change(turn), Some(&fit()));
        }
    }

    fn receipt(&self) -> Receipt {
        self.ledger.receipt().unwrap()
    }
}

fn held(turn: Turn) -> Turn {
    Turn {
        hold: Hold::Held,
        clock: Some(Megahertz::new(1190)),
        draw: Some(Watts::from_watts(240)),
        ..turn
    }
}

#[test]
fn the_clock_tells_what_was_lost_while_there_was_work() {
    let mut course = Course::new();
    course.pass(100, held);
    course.pass(100, |turn| Turn {
        busy: false,
        clock: Some(Megahertz::new(210)),
        draw: Some(Watts::from_watts(60)),
        ..held(turn)
    });
    let receipt = course.receipt();
    assert!((receipt.asked - 100.0).abs() < 1.5, "{receipt:?}");
    assert!((receipt.lost.value() - 0.15).abs() < 0.005, "{receipt:?}");
}

#[test]
fn seconds_without_a_clock_are_not_charged() {
    let mut course = Course::new();
    course.pass(100, held);
    course.pass(100, |turn| Turn {
        clock: None,
        ..held(turn)
    });
    let receipt = course.receipt();
    assert!((receipt.asked - 100.0).abs() < 1.5, "{receipt:?}");
    assert!((receipt.lost.value() - 0.15).abs() < 0.005, "{receipt:?}");
}

/// 8 °C of room are 62 W at 0.13 K/W, and 300 W are three quarters of the full draw.
#[test]
fn the_card_alone_loses_less_by_the_degrees_that_it_may_have() {
    let mut course = Course::new();
    course.pass(1800, held);
    let unguarded = course.receipt().unguarded.unwrap();
    assert!(
        (0.05..0.09).contains(&unguarded.lost.value()),
        "{unguarded:?}"
    );
    assert!(unguarded.least < unguarded.lost && unguarded.lost < unguarded.most);
    let hottest = unguarded.hottest.unwrap().degrees();
    assert!((84.0..86.0).contains(&hottest), "{hottest}");
}

#[test]
fn a_throttle_that_was_half_blind_tells_no_comparison() {
    let mut course = Course::new();
    course.pass(900, held);
    assert!(course.receipt().unguarded.is_some());
    course.pass(900, |turn| Turn {
        margin: None,
        core: None,
        ..held(turn)
    });
    let receipt = course.receipt();
    assert_eq!(receipt.unguarded, None);
    assert!((receipt.lost.value() - 0.15).abs() < 0.005, "{receipt:?}");
}

#[test]
fn a_card_of_which_little_is_known_tells_no_comparison() {
    let mut course = Course::new();
    let unknown = Fit::of(0.13, 0.5);
    for second in 61..900 {
        let turn = Turn {
            at: Moment::from_secs_f64(f64::from(second)),
            hold: Hold::Held,
            busy: true,
            clock: Some(Megahertz::new(700)),
            draw: Some(Watts::from_watts(150)),
            core: Some(Celsius::new(77.0)),
            margin: Some(Celsius::new(8.0)),
            slows_itself: false,
            limit: Some(Watts::from_watts(400)),
        };
        course.ledger.take(&turn, Some(&unknown));
    }
    assert_eq!(course.receipt().unguarded, None);
}
