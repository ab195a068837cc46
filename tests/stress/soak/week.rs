//! The week, in virtual time: the real workers and policy over simulated cards, in chapters of
//! trouble and calm, as in the hour. Nothing here is late, so the rules hold to the tick.

mod rules;
mod trouble;

use std::time::{Duration, Instant};

use thermal_guard::guard::Tick;
use thermal_guard::policy::{Settings, State, Transition};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::node::{AT_REST, Node, TICK};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::Celsius;

use super::observer::{Look, Observer};
use super::{is_full, odd_limit, seed};
use crate::common::dice::Dice;
use crate::common::figures::tell;

use rules::{On, broken_by};

const HOURS_FULL: u64 = 7 * 24;
const HOURS_IN_CI: u64 = 3;

const PROFILES: [&str; 6] = [
    "a100-80gb",
    "h100",
    "v100-32gb",
    "rtx-4090",
    "l40s",
    "rtx-6000-ada",
];

/// A tick, and the next one.
const REACTION: f64 = 2.0;

/// Half a degree of rounding, 0.4 °C of noise.
const SENSOR_ERROR: f64 = 0.9;

/// Seconds of trouble in a chapter, and in which calm must have come afterwards: the longest lease
/// or pause, the longest delay of a recovery (32 times 30 s), and its steps.
const TROUBLE: u64 = 6000;
const CALM: u64 = 900 + 960 + 300;

/// Seconds between two events, on average.
const HAPPENS_EVERY: u64 = 40;

struct Card {
    profile: &'static Profile,
    observer: Observer,
    room: Conditions,
    fault: Fault,
    /// Seconds since the start: from when on nothing excuses its guard, and until when it is paused.
    well_from: f64,
    paused_until: f64,
    meddled_at: f64,
}

struct Week {
    node: Node,
    cards: Vec<Card>,
    dice: Dice,
    /// Until when Alertmanager, and until when Prometheus, is away.
    alertmanager: u64,
    prometheus: u64,
    broken: Vec<String>,
    ticks: u64,
    happened: u64,
    faults: u64,
    throttles: u64,
    recoveries: u64,
}

impl Week {
    fn new(seed: u64) -> Self {
        let profiles = PROFILES.map(|key| profile::named(key).unwrap());
        let node = Node::new(&profiles, &Settings::default());
        let mut dice = Dice(seed);
        let cards = profiles.iter().enumerate().map(|(index, profile)| {
            let original = odd_limit(profile, &mut dice);
            node.rack.card(index).limit = original;
            Card {
                profile,
                observer: Observer::new(profile, original, REACTION, SENSOR_ERROR),
                room: AT_REST,
                fault: Fault::None,
                well_from: 0.0,
                paused_until: 0.0,
                meddled_at: f64::NEG_INFINITY,
            }
        });
        Self {
            cards: cards.collect(),
            node,
            dice,
            alertmanager: 0,
            prometheus: 0,
            broken: Vec::new(),
            ticks: 0,
            happened: 0,
            faults: 0,
            throttles: 0,
            recoveries: 0,
        }
    }

    fn seconds(&self) -> f64 {
        self.node.now().since_start().as_secs_f64()
    }

    fn beat_the_heart(&mut self) {
        if self.ticks.is_multiple_of(5) && self.ticks >= self.alertmanager {
            let fresh = self.ticks >= self.prometheus;
            let evaluated = if fresh {
                self.ticks
            } else {
                self.prometheus.saturating_sub(300)
            };
            let now = self.node.now();
            self.node.shared.heartbeat(now, 0, Some(evaluated as f64));
        }
    }

    fn step(&mut self, period: Duration) -> Vec<Tick> {
        let before: Vec<_> = (0..self.cards.len()).map(|card| self.on(card)).collect();
        let ticks = self.node.step_by(period);
        self.ticks += u64::from(period == TICK);
        for (index, (before, tick)) in before.iter().zip(&ticks).enumerate() {
            self.judge(index, *before, tick);
        }
        ticks
    }

    fn on(&self, card: usize) -> On {
        let card = self.node.rack.card(card);
        On {
            limit: card.limit,
            lock: card.gpu_clock,
        }
    }

    fn look(&self, index: usize) -> Look {
        let card = self.node.rack.card(index);
        Look {
            at: self.seconds(),
            state: card.state,
            conditions: self.cards[index].room,
            limit: card.limit,
            lock: card.gpu_clock.map(|range| range.max),
        }
    }

    fn judge(&mut self, index: usize, before: On, tick: &Tick) {
        let now = self.seconds();
        let (look, after) = (self.look(index), self.on(index));
        let card = &mut self.cards[index];
        let well = card.fault == Fault::None && now >= card.paused_until;
        card.observer
            .guarded(well.then_some(card.well_from.max(card.paused_until)));
        if card.fault == Fault::FrozenTemperature {
            card.observer.lied_to(now);
        }
        match tick.decision.transition {
            Some(Transition::Throttled(..) | Transition::Blinded) => self.throttles += 1,
            Some(Transition::Recovered) => self.recoveries += 1,
            Some(Transition::Eased | Transition::Recovering) | None => {}
        }
        let mut broken = card.observer.look(&look);
        let steady = well && now >= card.well_from && now > card.meddled_at + 15.0;
        broken.extend(broken_by(
            tick,
            before,
            after,
            steady.then_some(card.profile),
        ));
        self.broken.extend(broken);
    }

    fn trouble(&mut self) {
        for _ in 0..TROUBLE {
            self.beat_the_heart();
            if self.dice.one_in(HAPPENS_EVERY) {
                self.happen();
            }
            self.step(TICK);
        }
    }

    /// No lease is left, and nothing is hot: each card has its own original back.
    fn calm(&mut self) {
        for card in 0..self.cards.len() {
            self.put(card, Fault::None);
            self.set(card, AT_REST);
        }
        for _ in 0..CALM {
            self.beat_the_heart();
            let ticks = self.step(TICK);
            let normal = ticks
                .iter()
                .all(|tick| tick.decision.state == State::Normal);
            let back = |card: &mut Card| card.observer.is_given_back();
            if normal && self.cards.iter_mut().all(back) {
                return;
            }
        }
        let wants = self.cards.iter().map(|card| card.observer.wants());
        self.broken
            .push(format!("not given back: {:#?}", wants.collect::<Vec<_>>()));
    }
}

#[test]
fn a_week_of_trouble_breaks_no_rule_and_all_is_given_back() {
    let hours = if is_full() { HOURS_FULL } else { HOURS_IN_CI };
    let began = Instant::now();
    let mut week = Week::new(seed());
    while week.ticks < hours * 3600 && week.broken.is_empty() {
        week.trouble();
        week.calm();
    }
    if is_full() {
        tell(&format!(
            "soak, {:.0} h in virtual time in {:.0} s: {} cards, {} ticks of each, {} things happened, {} faults, {} throttles, {} recoveries, {} violations",
            week.seconds() / 3600.0,
            began.elapsed().as_secs_f64(),
            week.cards.len(),
            week.ticks,
            week.happened,
            week.faults,
            week.throttles,
            week.recoveries,
            week.broken.len()
        ));
    }
    assert!(week.broken.is_empty(), "{:#?}", week.broken);
    assert!(
        week.throttles > hours && week.recoveries > 0,
        "little happened"
    );
}

/// The control: a limit that the test raises, and a card that isn't given back.
#[test]
fn what_is_raised_behind_the_guards_back_is_noticed() {
    let mut week = Week::new(1);
    week.set(0, Conditions::full_load(Celsius::new(80.0)));
    for _ in 0..300 {
        week.step(TICK);
    }
    assert!(
        week.broken.is_empty() && week.throttles > 0,
        "{:#?}",
        week.broken
    );
    let card = &week.cards[0];
    let critical = week.node.rack.card(0).state.margin(card.profile).degrees() < 0.0;
    assert!(critical, "in air that nobody can help");
    week.node.rack.card(0).limit = card.profile.default_limit;
    let look = week.look(0);
    let broken = week.cards[0].observer.look(&look);
    week.broken.extend(broken);
    let noticed = |rule: &str| week.broken.iter().any(|broken| broken.contains(rule));
    assert!(
        noticed("over the original") && noticed("raised while hot"),
        "{:#?}",
        week.broken
    );
    assert!(!week.cards[0].observer.is_given_back());
}
