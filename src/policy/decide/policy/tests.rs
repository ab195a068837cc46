use std::time::Duration;

use super::*;
use crate::device::error::any_code;
use crate::device::{ClockDomain, ClockRange, Knob, Missing, Thresholds};
use crate::policy::types::settings::PolicyName;
use crate::policy::types::targets::slower;
use crate::policy::{AppMode, Asked, Asks, LimitClaim, Write};
use crate::units::{Celsius, Megahertz, Watts};

fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

fn lock(megahertz: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(200),
        max: Megahertz::new(megahertz),
    }
}

fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: w(400),
            min: w(100),
            max: w(500),
        }),
        thresholds: Thresholds {
            gpu_max: Some(Celsius::new(85.0)),
            ..Thresholds::default()
        },
        gpu_clock_min: Some(Megahertz::new(200)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    }
}

/// A card of 85 / 78 / 72 that does what it is told, a second a tick.
struct Card {
    policy: Policy,
    facts: Facts,
    reading: Reading,
    /// What it would draw if nothing held it.
    demand: Watts,
    claim: Claim,
    asked: Asked,
    second: u64,
    paused: bool,
    fallback: bool,
    apps_well: bool,
    extra_sensors: Vec<ExtraSensor>,
    /// What came of the last writes: nothing is told unless a test does.
    writes: ByKnob<Option<Write>>,
}

/// Under safe, and no further from critical than a card falls within a second: what falls faster
/// isn't believed.
const COOL: f64 = 70.0;
/// Between safe and the set point.
const WARM: f64 = 75.0;
const HOT: f64 = 78.0;
const CRITICAL: f64 = 85.0;

impl Card {
    fn new() -> Self {
        let reading = Reading {
            core: Ok(Celsius::new(COOL)),
            draw: Ok(w(390)),
            limit: Ok(w(400)),
            ..Reading::missing(Moment::START, Missing::NotSupported)
        };
        Self {
            policy: Policy::new(Settings::default(), &facts()),
            facts: facts(),
            reading,
            demand: w(390),
            claim: Claim::default(),
            asked: Asked::default(),
            second: 0,
            paused: false,
            fallback: false,
            apps_well: true,
            extra_sensors: Vec::new(),
            writes: ByKnob::default(),
        }
    }

    /// Decides only: nothing is written.
    fn look(&mut self) -> Decision {
        self.second += 1;
        self.reading.draw = Ok(self
            .reading
            .limit
            .map_or(self.demand, |it| self.demand.min(it)));
        let seen = Observation {
            reading: &self.reading,
            facts: &self.facts,
            open: true,
            locked_out: false,
            observes: false,
            has_app: false,
            writes: &self.writes,
            extra_sensors: &self.extra_sensors,
            woken: false,
            claim: &self.claim,
            confirmed: true,
            set_lately: false,
            asked: self.asked,
            lease_clock: at(self.second),
            paused: self.paused,
            fallback: self.fallback,
            apps_well: self.apps_well,
        };
        self.policy.decide(at(self.second), &seen)
    }

    fn tick(&mut self, core: f64) -> Decision {
        // A sensor that stood quite still while the draw rises would be a frozen one.
        let alive = if self.second.is_multiple_of(2) {
            0.1
        } else {
            0.0
        };
        self.reading.core = Ok(Celsius::new(core + alive));
        let decision = self.look();
        self.obey(&decision.targets);
        decision
    }

    fn tick_blind(&mut self) -> Decision {
        self.reading.core = Err(Missing::Failed(any_code(999)));
        let decision = self.look();
        self.obey(&decision.targets);
        decision
    }

    fn obey(&mut self, targets: &Targets) {
        let current = self.reading.limit.expect("a limit");
        match targets.limit {
            Some(limit) if limit != current => {
                self.claim.writing(current, limit);
                self.reading.limit = Ok(limit);
            }
            Some(_) => {}
            None => {
                let original = self.claim.limit.take().map(|ours| ours.original);
                self.reading.limit = Ok(original.unwrap_or(current));
            }
        }
        self.claim.locks = ByClock::of(|domain| targets.locks[domain].is_some());
    }

    fn limit(&self) -> Watts {
        self.reading.limit.expect("a limit")
    }

    /// Ticks until it is in `state`; what the last tick decided.
    #[track_caller]
    fn until(&mut self, core: f64, state: State) -> Decision {
        for _ in 0..4000 {
            let decision = self.tick(core);
            if decision.state == state {
                return decision;
            }
        }
        panic!("never {state:?}");
    }
}

fn alert(level: Level) -> Asked {
    Asked {
        alert: level,
        ..Asked::default()
    }
}

#[test]
fn a_cool_card_is_left_alone() {
    let mut card = Card::new();
    for _ in 0..100 {
        let decision = card.tick(WARM);
        let nothing = Decision {
            heat: decision.heat,
            sensors: decision.sensors,
            knobs: decision.knobs,
            hold_left: decision.hold_left,
            ..Decision::unseen()
        };
        assert_eq!(decision, nothing);
    }
    assert!(card.claim.is_empty());
}

#[test]
fn trips_are_the_cards() {
    let card = Card::new();
    assert_eq!(card.policy.trips().core.critical, Celsius::new(85.0));
}

#[test]
fn critical_is_an_emergency_at_once_and_eased_below_alert_for_the_delay() {
    let mut card = Card::new();
    let decision = card.tick(CRITICAL);
    assert_eq!(decision.level, Level::Emergency);
    let begun = Transition::Throttled(Level::Emergency, Trigger::Local);
    assert_eq!(decision.transition, Some(begun));
    assert_eq!(decision.targets.limit, Some(w(100)));
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
    assert_eq!(decision.targets.app, AppMode::Emergency);
    assert_eq!(card.tick(CRITICAL).transition, None, "once");
    for second in 0..30 {
        assert_eq!(card.tick(77.5).state, State::Emergency, "{second}");
    }
    let eased = card.tick(77.5);
    assert_eq!(
        (eased.state, eased.transition),
        (State::Gradual, Some(Transition::Eased))
    );
    assert_eq!(eased.trigger, Some(Trigger::Local));
    assert!(
        eased.targets.limit <= Some(w(132)),
        "a step from the bottom"
    );
}

#[test]
fn the_local_loop_acts_at_its_set_point_and_says_for_whom() {
    for (fallback, trigger) in [(false, Trigger::Local), (true, Trigger::Fallback)] {
        let mut card = Card::new();
        card.fallback = fallback;
        card.tick(WARM);
        let decision = card.tick(77.0);
        let begun = Transition::Throttled(Level::Gradual, trigger);
        assert_eq!(decision.transition, Some(begun));
        assert_eq!(decision.asks.local, Level::Gradual);
        assert_eq!(decision.trigger, Some(trigger));
    }
}

#[test]
fn a_throttle_is_by_the_first_that_asks_for_as_much_the_card_itself_before_others() {
    let (none, gradual, emergency) = (Level::None, Level::Gradual, Level::Emergency);
    for (local, alert, manual, level, fallback, trigger) in [
        (gradual, gradual, none, gradual, false, Trigger::Local),
        (gradual, none, none, gradual, true, Trigger::Fallback),
        (gradual, emergency, none, emergency, true, Trigger::Alert),
        (none, gradual, gradual, gradual, false, Trigger::Alert),
        (none, gradual, gradual, gradual, true, Trigger::Alert),
        (none, none, gradual, gradual, false, Trigger::Manual),
        (
            gradual,
            gradual,
            emergency,
            emergency,
            false,
            Trigger::Manual,
        ),
    ] {
        let asks = Asks {
            local,
            alert,
            manual,
        };
        assert_eq!(asks.trigger(level, fallback), trigger, "{asks:?}");
    }
}

#[test]
fn a_lease_caps_the_limit_and_its_end_gives_back_after_the_delay() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    let decision = card.tick(COOL);
    let begun = Transition::Throttled(Level::Gradual, Trigger::Alert);
    assert_eq!(decision.transition, Some(begun));
    assert_eq!(decision.targets.limit, Some(w(340)), "85 % of the default");
    for _ in 0..60 {
        assert_eq!(card.tick(COOL).targets.limit, Some(w(340)));
    }
    card.asked = Asked::default();
    for second in 0..30 {
        let decision = card.tick(COOL);
        assert_eq!(decision.state, State::Gradual, "{second}");
        assert_eq!(card.limit() == w(340), second < 29, "{second}");
    }
    assert_eq!(card.tick(COOL).transition, Some(Transition::Recovering));
    let back = card.until(COOL, State::Normal);
    assert_eq!(
        (back.transition, back.trigger),
        (Some(Transition::Recovered), None)
    );
    assert_eq!(card.limit(), w(400));
    assert!(card.claim.is_empty());
}

#[test]
fn an_emergency_lease_is_an_emergency() {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    let decision = card.tick(COOL);
    assert_eq!((decision.state, card.limit()), (State::Emergency, w(100)));
}

#[test]
fn a_manual_lease_is_counted_as_manual() {
    let mut card = Card::new();
    card.asked.manual = Level::Gradual;
    let decision = card.tick(COOL);
    assert_eq!(decision.trigger, Some(Trigger::Manual));
    assert_eq!(decision.asks.manual, Level::Gradual);
}

#[test]
fn a_recovery_is_complete_only_when_the_applications_told_so_are_well() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..100 {
        assert_eq!(card.tick(COOL).state, State::Recovering);
    }
    assert_eq!(card.limit(), w(400), "all else is given back");
    let told = card.tick(COOL).targets;
    assert_eq!(told, Targets::default());
    card.apps_well = true;
    assert_eq!(card.tick(COOL).state, State::Normal);
}

#[test]
fn applications_are_not_well_on_the_tick_that_tells_them() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    card.until(COOL, State::Recovering);
    let told = (0..60).any(|_| {
        let decision = card.tick(COOL);
        assert_eq!(decision.state, State::Recovering);
        decision.targets == Targets::default()
    });
    assert!(told);
    assert_eq!(card.tick(COOL).state, State::Normal);
}

#[test]
fn heat_in_a_recovery_throttles_again_and_a_new_recovery_follows() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..60 {
        card.tick(COOL);
    }
    card.asked = alert(Level::Gradual);
    let decision = card.tick(COOL);
    assert_eq!((decision.state, card.limit()), (State::Gradual, w(340)));
    card.asked = Asked::default();
    card.until(COOL, State::Recovering);
    assert!(!card.policy.given_back || card.limit() == w(400));
}

#[test]
fn a_cap_of_blindness_within_a_recovery_is_given_back_in_steps() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..100 {
        card.tick(COOL);
    }
    assert_eq!(card.limit(), w(400), "all but the applications");
    for _ in 0..3 {
        card.tick_blind();
    }
    assert_eq!(card.limit(), w(192));
    card.apps_well = true;
    card.paused = true;
    card.until(COOL, State::Recovering);
    assert!(card.limit() < w(400), "not all at once");
}

#[test]
fn leases_hold_a_cool_card_for_at_most_max_hold_in_an_hour() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    let mut held = 0;
    let mut overheld = false;
    for _ in 0..3600 {
        let decision = card.tick(COOL);
        held += u64::from(decision.level > Level::None);
        overheld |= decision.overheld;
    }
    assert!(overheld);
    // Half a minute is left for giving back, which holds the GPU as well.
    assert!((1760..=1770).contains(&held), "{held}");
    assert_eq!(card.policy.last.level, Level::None);
}

#[test]
fn a_throttle_by_temperature_is_not_charged_to_leases() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.demand = w(100);
    for _ in 0..3600 {
        assert!(!card.tick(77.5).overheld);
    }
    assert_eq!(card.policy.ledger.spent(), Duration::ZERO);
}

#[test]
fn a_paused_card_is_not_regulated_but_critical_acts() {
    let mut card = Card::new();
    card.paused = true;
    card.asked = alert(Level::Emergency);
    assert_eq!(card.tick(HOT).state, State::Normal);
    assert_eq!(card.tick(CRITICAL).state, State::Emergency);
    let mut card = Card::new();
    card.tick(HOT);
    let held = card.limit();
    card.paused = true;
    for _ in 0..20 {
        let decision = card.tick(82.0);
        assert_eq!(decision.state, State::Gradual, "not released while hot");
        assert_eq!(card.limit(), held, "nor taken further");
    }
}

#[test]
fn a_failed_read_changes_nothing_and_says_nothing() {
    let mut card = Card::new();
    let before = card.tick(HOT);
    let blink = card.tick_blind();
    let same = Decision {
        transition: None,
        heat: None,
        doubt: blink.doubt,
        ..before
    };
    assert_eq!(blink, same);
}

#[test]
fn a_blind_guard_holds_the_cap_and_never_raises() {
    for (fallback, trigger) in [(false, Trigger::Local), (true, Trigger::Fallback)] {
        let mut card = Card::new();
        card.tick(COOL);
        card.fallback = fallback;
        card.tick_blind();
        card.tick_blind();
        let decision = card.tick_blind();
        assert_eq!(decision.state, State::Blind);
        assert_eq!(decision.transition, Some(Transition::Blinded));
        assert_eq!(decision.trigger, Some(trigger));
        assert_eq!(card.limit(), w(192), "the floor");
        assert_eq!(decision.targets.app, AppMode::Gradual);
        assert_eq!(card.tick_blind().transition, None, "once");
        card.reading.limit = Ok(w(150));
        card.claim.limit = None;
        card.tick_blind();
        assert_eq!(card.limit(), w(150), "a lower one stays");
    }
}

#[test]
fn sight_that_comes_back_begins_no_throttle() {
    let mut card = Card::new();
    card.tick(COOL);
    for _ in 0..5 {
        card.tick_blind();
    }
    for _ in 0..9 {
        assert_eq!(card.tick(COOL).state, State::Blind);
    }
    let decision = card.tick(COOL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Gradual, None)
    );
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
}

#[test]
fn a_critical_reading_while_blind_is_an_emergency_reported_once() {
    let mut card = Card::new();
    card.tick(COOL);
    for _ in 0..5 {
        card.tick_blind();
    }
    let decision = card.tick(CRITICAL);
    let begun = Transition::Throttled(Level::Emergency, Trigger::Local);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Blind, Some(begun))
    );
    assert_eq!(card.limit(), w(100), "at once, before it is trusted again");
    for _ in 0..8 {
        assert_eq!(card.tick(CRITICAL).transition, None, "once");
    }
    let decision = card.tick(CRITICAL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Emergency, None)
    );
}

#[test]
fn an_emergency_goes_on_in_the_dark_and_a_lease_can_ask_for_one() {
    let mut told = Card::new();
    told.tick(COOL);
    for _ in 0..5 {
        told.tick_blind();
    }
    told.asked = alert(Level::Emergency);
    let decision = told.tick_blind();
    assert_eq!((decision.level, told.limit()), (Level::Emergency, w(100)));
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
    assert_eq!(decision.targets.app, AppMode::Emergency);
    assert!(
        told.policy.regulator.is_exhausted(),
        "where sight goes on from"
    );
    let mut own = Card::new();
    own.tick(CRITICAL);
    for _ in 0..5 {
        assert_eq!(own.tick_blind().level, Level::Emergency);
    }
}

#[test]
fn a_card_that_never_offered_a_temperature_is_left_alone_and_unguarded() {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    card.reading.core = Err(Missing::NotSupported);
    for _ in 0..20 {
        let decision = card.look();
        assert_eq!(decision.targets, Targets::default());
        assert_eq!(decision.state, State::Unguarded);
        assert_eq!(decision.unguarded, Some(Unguarded::NoTemperature));
    }
}

#[test]
fn a_sensor_that_fails_from_the_first_read_on_makes_blind_and_a_lease_is_obeyed() {
    let mut card = Card::new();
    for _ in 0..3 {
        card.tick_blind();
    }
    assert_eq!(card.tick_blind().state, State::Blind);
    assert_eq!(card.limit(), w(192), "the cap");
    card.asked = alert(Level::Emergency);
    let decision = card.tick_blind();
    assert_eq!((decision.level, card.limit()), (Level::Emergency, w(100)));
}

#[test]
fn a_lock_or_a_limit_that_the_draw_leans_on_binds() {
    let ours = |original, next| LimitClaim {
        original: w(original),
        previous: w(original),
        next: w(next),
    };
    for (limit, draw, gpu_clock, memory_clock, binds) in [
        (None, 300, false, false, false),
        (None, 300, true, false, true),
        (None, 300, false, true, true),
        (Some(ours(400, 300)), 285, false, false, true),
        (Some(ours(400, 300)), 284, false, false, false),
        (Some(ours(300, 300)), 300, false, false, false),
        (Some(ours(200, 200)), 300, false, false, false),
    ] {
        let mut card = Card::new();
        card.reading.limit = Ok(w(300));
        card.reading.draw = Ok(w(draw));
        let claim = Claim {
            limit,
            locks: ByClock::only(ClockDomain::Gpu, gpu_clock)
                .with(ClockDomain::Memory, memory_clock),
            ..Claim::default()
        };
        let seen = Observation {
            reading: &card.reading,
            facts: &facts(),
            open: true,
            locked_out: false,
            observes: false,
            has_app: false,
            writes: &card.writes,
            extra_sensors: &[],
            woken: false,
            claim: &claim,
            confirmed: true,
            set_lately: false,
            asked: Asked::default(),
            lease_clock: Moment::START,
            paused: false,
            fallback: false,
            apps_well: true,
        };
        assert_eq!(Policy::binds(&seen), binds, "{claim:?}, {draw} W");
    }
}

#[test]
fn a_card_above_its_set_point_on_the_coldest_rung_is_infeasible_after_a_minute() {
    let mut card = Card::new();
    for second in 0..60 {
        assert!(!card.tick(CRITICAL).infeasible, "{second}");
    }
    assert!(card.tick(CRITICAL).infeasible);
    assert!(!card.tick(WARM).infeasible);
    assert!(!card.tick(CRITICAL).infeasible, "a minute anew");
    let mut gradual = Card::new();
    gradual.demand = w(100);
    gradual.tick(HOT);
    gradual.policy.regulator.bottom(at(0));
    for _ in 0..60 {
        assert!(!gradual.tick(HOT).infeasible);
    }
    assert!(gradual.tick(HOT).infeasible);
    let mut room = Card::new();
    room.tick(HOT);
    for _ in 0..5 {
        assert!(!room.tick(HOT).infeasible);
    }
    assert_eq!(room.policy.strained_since, None, "not the coldest rung");
}

/// A card in an emergency lease, at 100 of 400 W.
fn capped() -> Card {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    card.tick(COOL);
    card
}

#[test]
fn a_higher_foreign_limit_is_lowered_at_once_then_every_ten_seconds() {
    let mut card = capped();
    let mut lowered = Vec::new();
    for second in 0..21 {
        card.reading.limit = Ok(w(350));
        let decision = card.tick(COOL);
        assert_eq!(decision.contested, second == 20, "{second}");
        if card.limit() < w(350) {
            lowered.push(second);
        }
    }
    assert_eq!(lowered, [0, 10, 20]);
    let original = card.claim.limit.map(|ours| ours.original);
    assert!(original <= Some(w(400)));
}

#[test]
fn at_critical_a_higher_limit_is_lowered_every_tick() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    for second in 0..5 {
        card.reading.limit = Ok(w(350));
        card.tick(CRITICAL);
        assert_eq!(card.limit(), w(100), "{second}");
    }
}

#[test]
fn a_contested_limit_gets_a_clock_lock() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    for second in 0..21 {
        card.reading.limit = Ok(w(390));
        let decision = card.tick(COOL);
        let lock = (second == 20).then_some(lock(1500));
        assert_eq!(decision.targets.locks[ClockDomain::Gpu], lock, "{second}");
    }
}

#[test]
fn a_lower_foreign_limit_stays_and_becomes_the_original() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.reading.limit = Ok(w(250));
    assert!(!card.tick(COOL).foreign_limit, "read once, it may be none");
    assert_eq!(card.limit(), w(250), "but it is left alone");
    let decision = card.tick(COOL);
    assert!(decision.foreign_limit);
    assert_eq!(card.limit(), w(250));
    assert!(decision.targets.limit <= Some(w(250)));
}

/// Also at a tick at which the guard would have lowered its own: writing over it would lose it.
#[test]
fn a_lower_foreign_limit_is_noticed_at_whatever_tick_of_a_throttle_it_comes() {
    for tick in 0..80 {
        let mut card = Card::new();
        let heating = |card: &Card| (COOL + 0.2 * card.second as f64).min(HOT - 0.3);
        while card.claim.limit.is_none() {
            card.tick(heating(&card));
        }
        for _ in 0..tick {
            card.tick(heating(&card));
        }
        let foreign = card.limit().saturating_sub(w(1));
        card.reading.limit = Ok(foreign);
        card.tick(heating(&card));
        assert_eq!(card.limit(), foreign, "{tick}: it is read again");
        assert!(card.tick(heating(&card)).foreign_limit, "{tick}");
    }
}

#[test]
fn heat_does_not_wait_until_a_foreign_limit_was_read_twice() {
    let mut card = Card::new();
    card.until(HOT, State::Gradual);
    card.reading.limit = Ok(card.limit().saturating_sub(w(1)));
    let foreign = card.limit();
    card.tick(CRITICAL);
    assert!(card.limit() < foreign);
}

#[test]
fn our_own_limit_is_not_foreign() {
    let mut card = capped();
    let decision = card.tick(COOL);
    assert!(!decision.foreign_limit && !decision.contested);
}

#[test]
fn nothing_is_raised_at_or_above_alert_and_everything_stays_in_range() {
    let mut card = capped();
    card.asked = Asked::default();
    for _ in 0..200 {
        card.tick(HOT);
        assert_eq!(card.limit(), w(100));
        assert!(card.claim.locks[ClockDomain::Gpu]);
    }
    let mut low = Card::new();
    low.reading.limit = Ok(w(150));
    low.asked = alert(Level::Gradual);
    for _ in 0..50 {
        low.tick(COOL);
        assert_eq!(low.limit(), w(150), "a ceiling of 340 is over the original");
    }
}

#[test]
fn a_lock_on_the_card_is_not_loosened_while_hot() {
    let mut card = capped();
    card.policy.last.targets.locks[ClockDomain::Gpu] = Some(lock(900));
    card.policy.last.targets.locks[ClockDomain::Memory] = Some(lock(800));
    card.claim.locks[ClockDomain::Memory] = true;
    let decision = card.tick(HOT);
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(900)));
    assert_eq!(decision.targets.locks[ClockDomain::Memory], Some(lock(800)));
    let decision = card.tick(70.0);
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
}

#[test]
fn a_lock_that_is_given_back_in_vain_is_not_loosened_when_it_is_hot_again() {
    let mut card = capped();
    card.policy.last.targets.locks[ClockDomain::Gpu] = None;
    let decision = card.tick(HOT);
    assert_eq!(
        decision.targets.locks[ClockDomain::Gpu],
        Some(lock(1000)),
        "the slowest"
    );
}

#[test]
fn the_throttle_of_a_previous_guard_continues_and_is_given_back() {
    let mut card = Card::new();
    card.claim.writing(w(400), w(250));
    card.claim.locks[ClockDomain::Gpu] = true;
    card.reading.limit = Ok(w(250));
    card.policy
        .adopt(at(0), &card.claim, &ByClock::default(), &[]);
    let left = card.policy.last;
    assert_eq!((left.state, left.level), (State::Gradual, Level::Gradual));
    assert_eq!(left.targets.limit, Some(w(250)));
    assert_eq!(
        left.targets.locks[ClockDomain::Gpu],
        Some(lock(1000)),
        "which isn't known"
    );
    assert_eq!(left.targets.locks[ClockDomain::Memory], None);
    let decision = card.tick_blind();
    assert_eq!(decision.state, State::Gradual, "a blink, for it has seen");
    let decision = card.tick(COOL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Gradual, None)
    );
    assert_eq!(decision.trigger, Some(Trigger::Local));
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
    assert!(card.claim.is_empty());
}

#[test]
fn after_a_release_from_outside_it_begins_afresh() {
    let mut card = capped();
    card.asked = Asked::default();
    card.claim = Claim::default();
    card.reading.limit = Ok(w(400));
    card.policy.released(at(card.second));
    let decision = card.tick(COOL);
    assert_eq!((decision.state, decision.transition), (State::Normal, None));
    assert_eq!(decision.trigger, None);
    assert!(card.policy.regulator.is_released());
}

#[test]
fn a_reopened_card_and_other_settings_have_other_trips_and_limits() {
    let mut card = Card::new();
    let mut other = facts();
    other.thresholds.gpu_max = Some(Celsius::new(95.0));
    other.power = other.power.map(|power| PowerConstraints {
        min: w(120),
        ..power
    });
    card.policy.recalibrate(&other);
    card.facts = other;
    assert_eq!(card.tick(CRITICAL).state, State::Normal);
    assert_eq!(card.policy.trips().core.critical, Celsius::new(95.0));
    card.tick(95.0);
    assert_eq!(card.limit(), w(120));
    let settings = Settings {
        recovery_delay: Duration::from_secs(5),
        max_hold: Duration::from_secs(9),
        ..Settings::default()
    };
    card.facts = facts();
    card.policy.reconfigure(settings, &facts());
    assert_eq!(card.policy.trips().core.critical, Celsius::new(85.0));
    card.tick(84.0);
    for _ in 0..5 {
        assert_eq!(card.tick(WARM).state, State::Emergency, "it stays held");
    }
    assert_eq!(card.tick(WARM).state, State::Gradual);
}

#[test]
fn of_two_targets_each_the_one_that_slows_more() {
    let a = Targets {
        limit: Some(w(300)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000))),
        app: AppMode::Normal,
        ..Targets::default()
    };
    let b = Targets {
        limit: Some(w(200)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1500)))
            .with(ClockDomain::Memory, Some(lock(800))),
        fans: FanTarget::Full,
        app: AppMode::Normal,
    };
    let both = Targets {
        limit: Some(w(200)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000)))
            .with(ClockDomain::Memory, Some(lock(800))),
        fans: FanTarget::Full,
        app: AppMode::Gradual,
    };
    assert_eq!(a.colder(b), both);
    assert_eq!(b.colder(a), both);
    assert_eq!(slower(None, None), None);
}

#[test]
fn a_binding_setting_keeps_the_local_level_and_a_leases_ceiling_does_not() {
    let mut bound = Card::new();
    for _ in 0..5 {
        bound.tick(82.0);
    }
    assert!(bound.limit() < w(350), "regulated");
    for _ in 0..35 {
        bound.demand = bound.limit();
        assert_eq!(bound.tick(WARM).asks.local, Level::Gradual);
    }
    let mut leased = Card::new();
    leased.asked = alert(Level::Gradual);
    leased.tick(70.0);
    leased.policy.local.hold(Level::Gradual);
    leased.demand = w(340);
    for _ in 0..35 {
        leased.tick(WARM);
    }
    assert_eq!(leased.policy.last.asks.local, Level::None);
}

#[test]
fn an_emergency_hands_over_at_the_bottom_and_blindness_does_not() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    assert!(card.policy.regulator.is_exhausted());
    let mut blind = Card::new();
    blind.tick(COOL);
    for _ in 0..5 {
        blind.tick_blind();
    }
    assert!(!blind.policy.regulator.is_exhausted());
}

#[test]
fn leases_out_of_time_take_nothing_from_what_heat_holds() {
    let mut card = Card::new();
    card.policy.ledger.set_max_hold(Duration::ZERO);
    card.tick(HOT);
    assert!(!card.tick(HOT).overheld, "no lease, nothing overheld");
    card.asked = alert(Level::Emergency);
    let decision = card.tick(WARM);
    assert!(decision.overheld);
    assert_eq!(decision.state, State::Gradual);
}

#[test]
fn a_foreign_limit_is_told_on_its_own_tick_only() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.reading.limit = Ok(w(250));
    assert!(!card.look().foreign_limit);
    assert!(card.look().foreign_limit, "read twice");
    card.reading.core = Err(Missing::Failed(any_code(999)));
    card.reading.limit = Err(Missing::Failed(any_code(999)));
    assert!(!card.look().foreign_limit);
}

/// An inlet sensor of 38 / 45 / 32 that says this, or nothing any more.
fn sensor(now: Option<f64>, last: f64) -> ExtraSensor {
    ExtraSensor {
        name: "inlet".into(),
        trips: crate::policy::Trips {
            alert: Celsius::new(38.0),
            critical: Celsius::new(45.0),
            safe: Celsius::new(32.0),
        },
        now: now.map(Celsius::new),
        last: Some(Celsius::new(last)),
        left_hot: false,
    }
}

#[test]
fn a_throttle_by_a_lost_extra_sensor_is_kept_except_by_a_pause() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(Some(40.0), 40.0)];
    assert_eq!(card.tick(COOL).state, State::Gradual);
    card.extra_sensors = vec![sensor(None, 40.0)];
    for _ in 0..300 {
        let held = card.tick(COOL);
        assert!(held.withheld && held.state == State::Gradual, "{held:?}");
        assert_eq!(held.doubt, Some(Doubt::ExtraSensor));
    }
    card.paused = true;
    let paused = card.tick(COOL);
    assert!(
        !paused.withheld && paused.state != State::Gradual,
        "{paused:?}"
    );
}

#[test]
fn a_recovery_rests_while_a_probe_is_lost_above_safe() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(Some(40.0), 40.0)];
    card.tick(COOL);
    card.extra_sensors = vec![sensor(Some(36.0), 36.0)];
    card.apps_well = false;
    // Its governor finds the way up in steps, since a reading that never moves teaches it nothing.
    while card.tick(COOL).state != State::Recovering {
        assert!(card.second < 600, "it never recovers");
    }
    card.extra_sensors = vec![sensor(None, 36.0)];
    card.apps_well = true;
    for _ in 0..300 {
        assert_eq!(card.tick(COOL).state, State::Recovering);
    }
    card.extra_sensors = vec![sensor(Some(30.0), 30.0)];
    while card.tick(COOL).state != State::Normal {
        assert!(card.second < 1000, "it is never given back");
    }
}

#[test]
fn a_probe_that_was_safe_when_it_was_lost_keeps_nothing() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(None, 30.0)];
    card.tick(HOT);
    assert!(!card.tick(COOL).withheld);
    while card.tick(COOL).state != State::Normal {
        assert!(card.second < 1000, "it is never given back");
    }
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

#[test]
fn another_regulator_by_a_reload_goes_on_from_what_is_set() {
    for heat in [CRITICAL, HOT] {
        let mut card = Card::new();
        for _ in 0..20 {
            card.tick(heat);
        }
        let held = card.limit();
        assert!(held < w(400), "{heat}");
        let ladder = settings(|it| it.regulator = PolicyName::Ladder);
        card.policy.reconfigure(ladder, &facts());
        for _ in 0..100 {
            let before = card.limit();
            card.tick(WARM);
            let after = card.limit();
            assert!(
                after < w(400) || before >= w(300),
                "{heat}: {before} to {after} in one write"
            );
        }
        card.until(COOL, State::Normal);
        assert_eq!(card.limit(), w(400));
    }
}

#[test]
fn a_limit_that_a_reload_takes_from_the_plan_is_given_back_when_safe() {
    let mut card = Card::new();
    for _ in 0..20 {
        card.tick(HOT);
    }
    let held = card.limit();
    assert!(held < w(400));
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    for _ in 0..120 {
        card.tick(76.9);
        assert!(card.limit() <= held, "{}", card.limit());
    }
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
}

#[test]
fn a_limit_that_comes_back_into_the_plan_takes_no_clock_lock_off_at_once() {
    let mut card = Card::new();
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    for _ in 0..60 {
        card.tick(HOT);
    }
    assert!(card.claim.locks[ClockDomain::Gpu]);
    card.policy.reconfigure(Settings::default(), &facts());
    let decision = card.tick(76.9);
    let lock = decision.targets.locks[ClockDomain::Gpu];
    assert!(lock.is_some() || card.limit() < w(400), "{decision:?}");
}

#[test]
fn a_ladder_without_a_limit_keeps_the_lock_of_a_blind_guard() {
    let mut card = Card::new();
    card.facts.power = None;
    let ladder = settings(|it| it.regulator = PolicyName::Ladder);
    card.policy = Policy::new(ladder, &card.facts);
    card.tick(WARM);
    for _ in 0..5 {
        card.tick_blind();
    }
    let decision = card.until(76.0, State::Gradual);
    let lock = decision.targets.locks[ClockDomain::Gpu];
    assert!(
        lock.is_some_and(|lock| lock.max <= Megahertz::new(1500)),
        "{lock:?}"
    );
}

#[test]
fn what_a_dead_guard_left_is_not_charged_to_leases() {
    for max_hold in [Duration::ZERO, Settings::default().max_hold] {
        let mut card = Card::new();
        card.policy.ledger.set_max_hold(max_hold);
        card.claim.writing(w(400), w(250));
        card.reading.limit = Ok(w(250));
        card.policy
            .adopt(at(0), &card.claim, &ByClock::default(), &[]);
        // After a worker's panic, for example: the clock has run for long.
        card.second = 7200;
        for _ in 0..10 {
            let decision = card.tick(WARM);
            assert!(!decision.overheld, "{max_hold:?}");
            assert_eq!(decision.state, State::Gradual, "{max_hold:?}");
        }
        assert_eq!(card.policy.ledger.spent(), Duration::ZERO, "{max_hold:?}");
    }
}

#[test]
fn a_lease_beside_what_a_dead_guard_left_is_charged_and_ends() {
    let mut card = Card::new();
    card.claim.writing(w(400), w(340));
    card.reading.limit = Ok(w(340));
    card.policy
        .adopt(at(0), &card.claim, &ByClock::default(), &[]);
    card.asked = alert(Level::Gradual);
    let overheld = (0..3600).any(|_| card.tick(WARM).overheld);
    assert!(overheld);
}

#[test]
fn a_limit_outside_the_plan_does_not_stay_for_ever_on_a_card_that_is_steady_under_alert() {
    let mut card = Card::new();
    for _ in 0..20 {
        card.tick(HOT);
    }
    assert!(card.limit() < w(400));
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    card.until(WARM, State::Normal);
    assert_eq!(card.limit(), w(400));
}
