use super::*;
use crate::device::{Facts, Missing, Reading};
use crate::policy::{Asked, Claim, Heat};
use crate::units::{Celsius, Moment};

const SEEN: View = View::Clear(Heat {
    to_alert: Celsius::new(20.0),
    to_critical: Celsius::new(27.0),
    to_safe: Celsius::new(14.0),
});

/// A card that is open, ours, and without an application.
#[expect(clippy::struct_excessive_bools, reason = "circumstances, as they come")]
struct Case {
    open: bool,
    locked_out: bool,
    has_app: bool,
    closed_for_long: bool,
    view: View,
    knobs: ByKnob<KnobReport>,
}

fn case() -> Case {
    Case {
        open: true,
        locked_out: false,
        has_app: false,
        closed_for_long: false,
        view: SEEN,
        knobs: all(KnobState::Unproven, false),
    }
}

const UNPROVEN: KnobReport = KnobReport {
    state: KnobState::Unproven,
    denied: false,
};

fn all(state: KnobState, denied: bool) -> ByKnob<KnobReport> {
    ByKnob::of(|_| KnobReport { state, denied })
}

impl Case {
    fn why(&self) -> Option<Unguarded> {
        let seen = Observation {
            reading: &Reading::missing(Moment::START, Missing::NotSupported),
            facts: &Facts::default(),
            open: self.open,
            locked_out: self.locked_out,
            observes: false,
            has_app: self.has_app,
            writes: &ByKnob::default(),
            extra_sensors: &[],
            woken: false,
            claim: &Claim::default(),
            confirmed: true,
            set_lately: false,
            asked: Asked::default(),
            lease_clock: Moment::START,
            paused: false,
            fallback: false,
            apps_well: true,
        };
        Unguarded::of(&seen, self.view, self.knobs, self.closed_for_long)
    }
}

#[test]
fn a_card_that_is_seen_and_has_a_knob_is_guarded() {
    assert_eq!(case().why(), None);
    for view in [View::Blind(None), View::Blink] {
        assert_eq!(Case { view, ..case() }.why(), None, "{view:?}");
    }
}

#[test]
fn where_nothing_can_be_done_it_says_why() {
    use Unguarded::{AnotherGuard, NoPermission, NoTemperature, NotOpen, NothingToTurn};
    let locked_out = Case {
        locked_out: true,
        ..case()
    };
    assert_eq!(locked_out.why(), Some(AnotherGuard));
    let closed = Case {
        open: false,
        closed_for_long: true,
        view: View::Never,
        ..case()
    };
    assert_eq!(closed.why(), Some(NotOpen));
    let view = View::Never;
    assert_eq!(Case { view, ..case() }.why(), Some(NoTemperature));
    for state in [
        KnobState::Absent,
        KnobState::Refused,
        KnobState::Ineffective,
    ] {
        let knobs = all(state, false);
        assert_eq!(Case { knobs, ..case() }.why(), Some(NothingToTurn));
        let has_app = true;
        assert_eq!(
            Case {
                has_app,
                knobs,
                ..case()
            }
            .why(),
            None,
            "{state:?}"
        );
    }
    let knobs = all(KnobState::Refused, true);
    assert_eq!(Case { knobs, ..case() }.why(), Some(NoPermission));
}

#[test]
fn a_card_that_has_just_gone_may_be_back_at_once() {
    let gone = Case {
        open: false,
        view: View::Never,
        ..case()
    };
    assert_eq!(gone.why(), None);
}

#[test]
fn one_knob_that_works_is_enough() {
    for working in Knob::ALL {
        let mut knobs = all(KnobState::Refused, true);
        knobs[working] = UNPROVEN;
        assert_eq!(Case { knobs, ..case() }.why(), None, "{working:?}");
    }
}

#[test]
fn names_differ_and_each_says_what_helps() {
    for why in Unguarded::ALL {
        let others = Unguarded::ALL
            .iter()
            .filter(|other| other.name() == why.name());
        assert_eq!(others.count(), 1);
        assert!(why.explained().len() > 40);
    }
}
