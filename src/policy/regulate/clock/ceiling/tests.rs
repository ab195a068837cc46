use super::*;
use crate::device::PowerConstraints;
use crate::units::Watts;
use crate::units::number::near;

const fn mhz(megahertz: u32) -> Megahertz {
    Megahertz::new(megahertz)
}

const fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

const fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

/// 2000 MHz, and 200 W at that.
fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: w(200),
            min: w(50),
            max: w(200),
        }),
        gpu_clock_min: Some(mhz(200)),
        gpu_clock_max: Some(mhz(2000)),
        ..Facts::default()
    }
}

fn dial() -> CeilingDial {
    CeilingDial::new(&facts(), Ratio::new(0.5)).unwrap()
}

fn drive(clock: u32, draw: u32) -> Drive {
    Drive {
        draw: Some(w(draw)),
        measured: Some(w(draw)),
        capped: false,
        clock: Some(mhz(clock)),
        original: w(200),
        limit: None,
        ceiling: None,
    }
}

/// At work at a ceiling for a while.
fn working(ceiling: u32, clock: u32, draw: u32) -> CeilingDial {
    let mut dial = dial();
    for second in 0..10 {
        dial.read(at(second), &drive(clock, draw), Some(mhz(ceiling)));
    }
    dial
}

#[test]
fn a_lower_ceiling_draws_less_and_a_ceiling_over_the_clock_changes_nothing() {
    let bound = working(1500, 1500, 100);
    assert!(near(bound.share(mhz(1500)), 0.5));
    assert!(bound.share(mhz(1400)) < Ratio::new(0.45));
    assert!(bound.share(mhz(1600)) > Ratio::new(0.55));
    let free = working(1500, 1000, 100);
    assert!(!free.binds(mhz(1500), Ratio::new(0.5)));
    assert!(near(free.share(mhz(1500)), 0.5) && near(free.share(mhz(2000)), 0.5));
    assert!(free.share(mhz(900)) < Ratio::new(0.45));
}

#[test]
fn a_ceiling_binds_from_97_percent_of_it_on() {
    assert!(working(1500, 1455, 100).binds(mhz(1500), Ratio::ZERO));
    assert!(!working(1500, 1454, 100).binds(mhz(1500), Ratio::ZERO));
}

#[test]
fn a_small_error_is_no_step_and_a_step_is_one_of_the_cards() {
    let dial = working(1505, 1505, 100);
    let from = mhz(1505);
    // 0.4 °C are 0.73 % of the full draw, and one step of 15 MHz is 1.2 %.
    assert!(!dial.has_step(from, Ratio::new(0.5 - 0.007)));
    assert!(dial.has_step(from, Ratio::new(0.5 - 0.009)));
    assert_eq!(dial.setting(from, Ratio::new(0.5 - 0.009)), mhz(1490));
    // Up, the next step must fit.
    assert!(!dial.has_step(from, Ratio::new(0.5 + 0.009)));
    assert_eq!(dial.setting(from, Ratio::new(0.5 + 0.012)), mhz(1520));
    assert_eq!(dial.setting(from, Ratio::new(3.0)), mhz(2000));
}

#[test]
fn a_meter_that_shows_next_to_nothing_does_not_free_the_clock_in_one_step() {
    for watts in [0, 1, 15] {
        let dial = working(1000, 1000, watts);
        assert_eq!(
            dial.setting(mhz(1000), Ratio::new(3.0)),
            mhz(1400),
            "{watts}"
        );
    }
}

#[test]
fn a_coarse_list_stays_where_it_is_between_two_of_its_clocks() {
    let facts = Facts {
        gpu_clocks: [2000, 1500, 1000].map(mhz).to_vec(),
        ..facts()
    };
    let mut dial = CeilingDial::new(&facts, Ratio::new(0.5)).unwrap();
    for second in 0..10 {
        dial.read(at(second), &drive(1500, 100), Some(mhz(1500)));
    }
    assert!(!dial.has_step(mhz(1500), Ratio::new(0.495)));
    assert!(!dial.has_step(mhz(1500), Ratio::new(0.8)));
    assert_eq!(dial.setting(mhz(1500), Ratio::new(0.48)), mhz(1000));
    assert_eq!(dial.halfway(mhz(1000), mhz(2000)), Some(mhz(1500)));
    assert_eq!(dial.halfway(mhz(1500), mhz(2000)), None, "no clock between");
}

#[test]
fn a_step_is_foreseen_until_its_effect_is_read_and_then_learned_from() {
    let mut dial = working(1500, 1500, 100);
    let foreseen = dial.share(mhz(1300));
    dial.read(at(10), &drive(1300, 99), Some(mhz(1300)));
    assert!(
        near(dial.share(mhz(1300)), foreseen.value()),
        "the draw is an average"
    );
    dial.read(at(11), &drive(1300, 87), Some(mhz(1300)));
    assert!(near(dial.share(mhz(1300)), foreseen.value()));
    // The draw goes with the clock itself.
    dial.read(at(12), &drive(1300, 87), Some(mhz(1300)));
    assert!(near(dial.share(mhz(1300)), 0.435));
    let learned = dial.share(mhz(1200)).value();
    assert!((0.385..0.40).contains(&learned), "{learned}");
}

#[test]
fn noise_of_the_draw_is_averaged_and_another_load_is_believed_at_its_second_reading() {
    let mut dial = working(1500, 1500, 100);
    for (second, draw) in [(10, 104), (11, 96), (12, 105), (13, 95)] {
        dial.read(at(second), &drive(1500, draw), Some(mhz(1500)));
        let share = dial.share(mhz(1500)).value();
        assert!((share - 0.5).abs() < 0.006, "{share}");
    }
    dial.read(at(14), &drive(1500, 60), Some(mhz(1500)));
    assert!(dial.share(mhz(1500)) > Ratio::new(0.49));
    dial.read(at(15), &drive(1500, 60), Some(mhz(1500)));
    assert!(near(dial.share(mhz(1500)), 0.3));
}

#[test]
fn without_a_draw_the_clock_is_the_measure_of_heat() {
    let mut dial = dial();
    let unread = |clock| Drive {
        draw: None,
        measured: None,
        clock,
        ..drive(0, 0)
    };
    for second in 0..5 {
        let read = dial.read(at(second), &unread(Some(mhz(1000))), Some(mhz(1000)));
        assert!(near(read.share.unwrap(), 0.25));
    }
    let read = dial.read(at(9), &unread(None), Some(mhz(1000)));
    assert!(
        near(read.share.unwrap(), 0.25),
        "the ceiling, without a clock"
    );
    assert!(near(dial.law.draw(dial.here, mhz(1000)), 0.25));
}

#[test]
fn the_full_draw_of_a_card_that_tells_no_limit_is_learned() {
    let facts = Facts {
        power: None,
        ..facts()
    };
    let mut dial = CeilingDial::new(&facts, Ratio::new(0.5)).unwrap();
    dial.read(at(0), &drive(2000, 20), None);
    dial.read(at(1), &drive(2000, 80), None);
    let read = dial.read(at(2), &drive(2000, 80), None);
    assert!(near(read.factor.unwrap(), 0.25) && near(read.share.unwrap(), 1.0));
}

#[test]
fn the_lock_on_the_card_counts_before_the_one_that_was_wanted() {
    let dial = dial();
    let held = Drive {
        ceiling: Some(mhz(1200)),
        ..drive(1200, 80)
    };
    assert_eq!(dial.on_card(&held, Some(mhz(1500))), mhz(1200));
    assert_eq!(dial.on_card(&drive(1500, 80), Some(mhz(1500))), mhz(1500));
    assert_eq!(dial.on_card(&drive(1500, 80), None), mhz(2000));
}

#[test]
fn a_dead_guards_lock_is_gone_on_from_and_an_unknown_one_is_the_lowest() {
    let dial = dial();
    let claim = Claim {
        locks: ByClock::only(Gpu, true),
        ..Claim::default()
    };
    let range = ClockRange {
        min: mhz(200),
        max: mhz(1700),
    };
    let locks = ByClock::only(Gpu, Some(range));
    assert_eq!(dial.left(&claim, &locks), Some(mhz(1700)));
    assert_eq!(dial.left(&claim, &Locks::default()), Some(mhz(1000)));
    assert_eq!(dial.left(&Claim::default(), &locks), None);
}

#[test]
fn the_ceiling_goes_back_half_the_way_and_then_at_once() {
    let dial = dial();
    assert_eq!(dial.halfway(mhz(1000), mhz(2000)), Some(mhz(1490)));
    assert_eq!(dial.halfway(mhz(1910), mhz(2000)), Some(mhz(1955)));
    assert_eq!(dial.halfway(mhz(1925), mhz(2000)), None);
}
