use super::*;

const fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

fn sight(read: f64, draw: f64) -> Sight {
    Sight {
        read: CelsiusDelta::new(read),
        level: CelsiusDelta::new(read),
        foreseen: CelsiusDelta::new(read + 2.0),
        draw: Ratio::new(draw),
        middle: Ratio::new(draw),
    }
}

/// Two minutes of it, a tick each second.
fn seen(sight: impl Fn(u64) -> Sight) -> Seen {
    let mut seen = Seen::default();
    for second in 1..=120 {
        seen.note(at(second), sight(second));
    }
    seen
}

fn degrees(value: Option<CelsiusDelta>) -> Option<f64> {
    value.map(CelsiusDelta::degrees)
}

#[test]
fn a_peak_is_seen_twice() {
    let once = seen(|second| sight(if second == 60 { 5.0 } else { -3.0 }, 0.7));
    assert_eq!(degrees(once.peak(Duration::from_secs(120))), Some(-3.0));
    let often = seen(|second| sight(if second.is_multiple_of(30) { 5.0 } else { -3.0 }, 0.7));
    assert_eq!(degrees(often.peak(Duration::from_secs(120))), Some(5.0));
    assert_eq!(degrees(often.peak(Duration::from_secs(20))), Some(-3.0));
    assert_eq!(degrees(Seen::default().peak(Duration::from_secs(60))), None);
}

#[test]
fn only_readings_after_a_move_count_as_its_effect() {
    let falls = seen(|second| sight(-(second as f64), 0.7));
    assert_eq!(degrees(falls.peak_since(at(114))), Some(-116.0));
    assert_eq!(
        degrees(falls.peak_since(at(0))),
        Some(-113.0),
        "nine of them"
    );
    assert_eq!(degrees(falls.peak_since(at(120))), None);
}

#[test]
fn a_forecast_counts_as_wrong_once_it_had_its_time() {
    let mut young = Seen::default();
    for second in 1..=19 {
        young.note(at(second), sight(-3.0, 0.7));
    }
    assert_eq!(young.overforeseen(), CelsiusDelta::ZERO);
    let steady = seen(|_| sight(-3.0, 0.7));
    assert_eq!(steady.overforeseen(), CelsiusDelta::new(2.0));
    // Two degrees within 20 s: what was foreseen has come.
    let rises = seen(|second| sight(second as f64 / 10.0, 0.7));
    assert_eq!(rises.overforeseen(), CelsiusDelta::ZERO);
}

#[test]
fn gaps_that_last_or_that_are_everywhere_make_a_load_that_comes_and_goes() {
    let bursts = |busy: u64, idle: u64| {
        seen(move |second| {
            sight(
                -3.0,
                if second % (busy + idle) < busy {
                    0.7
                } else {
                    0.2
                },
            )
        })
    };
    assert!(bursts(4, 2).comes_and_goes() && bursts(4, 2).flickers());
    assert!(bursts(80, 40).comes_and_goes());
    assert!(!seen(|_| sight(-3.0, 0.7)).comes_and_goes());
    // Of one tick in twenty, as momentary readings have them.
    let dips = seen(|second| Sight {
        middle: Ratio::new(0.7),
        ..sight(-3.0, if second.is_multiple_of(20) { 0.4 } else { 0.7 })
    });
    assert!(!dips.comes_and_goes());
    assert_eq!(dips.draw(Duration::from_secs(60)), Ratio::new(0.7));
}

#[test]
fn peaks_that_grow_are_compared_over_twenty_seconds() {
    let rises = seen(|second| sight(second as f64, 0.7));
    assert!((15.0..=20.0).contains(&rises.growth().degrees()));
    let burst = |second: u64| if second.is_multiple_of(3) { -1.0 } else { -9.0 };
    let rests = seen(|second| sight(burst(second), 0.7));
    assert_eq!(rests.growth(), CelsiusDelta::ZERO);
    assert_eq!(Seen::default().growth(), CelsiusDelta::ZERO);
}

/// What delays a rung is of the last seconds, at every pace.
#[test]
fn only_the_last_seconds_say_that_it_gets_cooler() {
    let noted = |readings: &[(u64, f64)]| {
        let mut seen = Seen::default();
        for &(second, read) in readings {
            seen.note(at(second), sight(read, 0.7));
        }
        seen
    };
    let falling = seen(|second| sight(-(second as f64), 0.7));
    assert!(falling.falls(at(120)));
    assert!(!falling.falls(at(130)), "of long ago");
    assert!(!seen(|second| sight(second as f64, 0.7)).falls(at(120)));
    assert!(!seen(|_| sight(-3.0, 0.7)).falls(at(120)));
    assert!(!Seen::default().falls(at(1)) && !noted(&[(1, -3.0)]).falls(at(1)));
    assert!(noted(&[(5, -1.0), (10, -2.0)]).falls(at(10)));
    let seldom = [(10, 0.0), (20, -1.0), (30, -2.0)];
    assert!(!noted(&seldom).falls(at(30)), "too far apart to tell");
}
