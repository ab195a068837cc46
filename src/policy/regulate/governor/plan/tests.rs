use super::*;
use crate::device::{Facts, PowerConstraints};
use crate::policy::knobs::Means;
use crate::policy::regulate::governor::AHEAD;
use crate::policy::regulate::limit::LimitDial;
use crate::policy::regulate::rungs::Rungs;
use crate::policy::sense::trips::Heat;
use crate::policy::{Claim, LimitClaim, Settings};
use crate::units::{Celsius, Watts};

const LIMIT: Watts = Watts::from_watts(300);
const DEFAULT: Watts = Watts::from_watts(400);

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

fn over_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(-degrees);
    Heat {
        to_alert,
        to_critical: to_alert + Celsius::new(7.0),
        to_safe: to_alert - Celsius::new(6.0),
    }
}

fn drive(draw: u32, capped: bool) -> Drive {
    Drive {
        draw: Some(Watts::from_watts(draw)),
        measured: Some(Watts::from_watts(draw)),
        capped,
        clock: None,
        ceiling: None,
        original: DEFAULT,
        limit: Some(LIMIT),
    }
}

/// A governor that has held a card of 400 W at 300 W since second 1.
fn holding() -> Governor<LimitDial> {
    let power = PowerConstraints {
        default: DEFAULT,
        min: Watts::from_watts(100),
        max: DEFAULT,
    };
    let facts = Facts {
        power: Some(power),
        ..Facts::default()
    };
    let settings = Settings::default();
    let rungs = Rungs::under_floor(&settings, &facts, &Means::all(&settings, &facts));
    let mut governor = Governor::new(LimitDial::new(power, Watts::from_watts(192)), rungs);
    let ours = LimitClaim {
        original: DEFAULT,
        previous: DEFAULT,
        next: LIMIT,
    };
    let claim = Claim {
        limit: Some(ours),
        ..Claim::default()
    };
    governor.adopt(at(1), &claim, &crate::device::ByClock::default());
    governor
}

/// Five minutes of bursts of 8 s with gaps of 4 s, at these degrees over alert in bursts; then in the
/// middle of one.
fn bursts(peak: f64) -> Governor<LimitDial> {
    let mut governor = holding();
    for second in 1..=300 {
        let busy = second % 12 < 8;
        let (draw, read) = if busy { (300, peak) } else { (60, peak - 12.0) };
        governor.observe(at(second), &over_alert(read), &drive(draw, busy));
    }
    governor
}

#[test]
fn a_load_whose_peaks_stay_low_is_given_more_whatever_is_foreseen() {
    let low = bursts(-4.0);
    let scene = low.scene(at(300), LIMIT, drive(300, true));
    assert_eq!(scene.load, Load::ComesAndGoes);
    let more = low.wanted(at(300), drive(300, true)).expect("a step up");
    assert!((0.78..=0.84).contains(&more.value()), "{more:?}");
    // Between two bursts, too: the peaks were seen.
    let gap = low.wanted(at(300), drive(60, false));
    assert!(gap.is_some_and(|share| share > Ratio::new(0.75)), "{gap:?}");
}

#[test]
fn peaks_at_the_set_point_leave_no_room_and_peaks_over_it_lower_the_limit() {
    assert_eq!(bursts(-0.5).wanted(at(300), drive(300, true)), None);
    let less = bursts(1.0).wanted(at(300), drive(300, true));
    assert!(
        less.is_some_and(|share| share < Ratio::new(0.75)),
        "{less:?}"
    );
}

#[test]
fn a_draw_with_gaps_goes_down_by_the_same_share_as_it_must() {
    let mut governor = holding();
    governor.observe(at(2), &over_alert(3.0), &drive(240, true));
    let scene = governor.scene(at(60), LIMIT, drive(240, true));
    assert_eq!(scene.hold, Hold::Caps);
    let less = governor
        .wanted(at(60), drive(240, true))
        .expect("a step down");
    // 240 W must become less; the limit keeps its distance over it.
    let plain = governor.observer.power_for(scene.set_point, AHEAD);
    let share = plain.value() / 0.6;
    assert!(
        (less.value() - 0.75 * share).abs() < 1e-9,
        "{less:?} {share}"
    );
    // A steady draw far under the limit is no such thing.
    let loose = governor
        .wanted(at(60), drive(240, false))
        .expect("a step down");
    assert!((loose.value() - plain.value()).abs() < 1e-9, "{loose:?}");
}

#[test]
fn a_limit_that_nothing_uses_stays_where_it_is() {
    let mut governor = holding();
    for second in 1..=300 {
        governor.observe(at(second), &over_alert(-9.0), &drive(200, false));
    }
    assert_eq!(governor.wanted(at(300), drive(200, false)), None);
}
