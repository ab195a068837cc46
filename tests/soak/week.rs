//! The week, in virtual time: the real workers and policy over simulated cards, in chapters of
//! trouble and calm, as in the hour. Nothing here is late, so the rules hold to the tick.

use std::time::{Duration, Instant};

use thermal_guard::device::ClockRange;
use thermal_guard::device::plant::Load;
use thermal_guard::device::profile::{self, Profile};
use thermal_guard::device::sim::{Conditions, Fault};
use thermal_guard::guard::Tick;
use thermal_guard::guard::virtual_node::{AT_REST, Node, TICK};
use thermal_guard::policy::{Event, Level, Settings, State};
use thermal_guard::units::{Celsius, Watts};

use super::common::dice::Dice;
use super::observer::{Look, Observer};
use super::{is_full, measured, seed};

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

/// Seconds between two things that happen, on average.
const HAPPENS_EVERY: u64 = 40;

/// Between two ticks of a storm of wakes.
const WAKE: Duration = Duration::from_millis(5);

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

/// What was on a card before a tick.
#[derive(Clone, Copy)]
struct Before {
    limit: Watts,
    lock: Option<ClockRange>,
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

    fn happen(&mut self) {
        let card = self.dice.index(self.cards.len());
        self.happened += 1;
        match self.dice.below(100) {
            0..45 => self.change_the_room(card),
            45..62 => self.break_or_mend(card),
            62..80 => self.fire(card),
            80..84 => self.pause(card),
            84..88 => self.meddle(card),
            88..91 => self.node.restart(card),
            91..93 => self.wake(),
            93..97 => self.alertmanager = self.ticks + self.dice.below(300),
            _ => self.prometheus = self.ticks + self.dice.below(300),
        }
    }

    fn change_the_room(&mut self, card: usize) {
        let dice = &mut self.dice;
        let inlet = match dice.below(10) {
            0..6 => dice.between(15.0, 38.0),
            6..9 => dice.between(30.0, 50.0),
            _ => dice.between(60.0, 95.0),
        };
        let conditions = Conditions {
            load: Load {
                power: dice.between(0.0, 1.05),
                compute_bound: dice.between(0.3, 1.0),
            },
            inlet: Celsius::new(inlet),
            airflow_resistance: dice.between(0.8, 1.7),
            hbm_resistance: dice.between(0.8, 1.4),
        };
        self.set(card, conditions);
    }

    fn set(&mut self, card: usize, room: Conditions) {
        self.cards[card].room = room;
        self.node.set(card, room);
    }

    fn break_or_mend(&mut self, card: usize) {
        let fault = match self.dice.below(8) {
            0 => Fault::NoTemperature,
            1 => Fault::Lost,
            2 => Fault::NoPermission,
            3 => Fault::FrozenTemperature,
            _ => Fault::None,
        };
        self.put(card, fault);
    }

    fn put(&mut self, index: usize, fault: Fault) {
        let now = self.seconds();
        let card = &mut self.cards[index];
        if card.fault != fault {
            card.well_from = now
                + match card.fault {
                    Fault::None => 0.0,
                    // Without permission it asks again after 60 s.
                    Fault::NoPermission => 65.0,
                    // Ten good readings; a lost card is looked for every 2 s.
                    _ => 15.0,
                };
        }
        self.faults += u64::from(fault != Fault::None && fault != card.fault);
        card.fault = fault;
        self.node.fault(index, fault);
    }

    fn fire(&mut self, card: usize) {
        let level = if self.dice.one_in(4) {
            Level::Emergency
        } else {
            Level::Gradual
        };
        let ttl = Duration::from_secs(1 + self.dice.below(900));
        let fingerprint = self.dice.below(8);
        self.node.fire(card, fingerprint, level, ttl);
    }

    fn pause(&mut self, card: usize) {
        let seconds = 1 + self.dice.below(600);
        let until = self.node.now() + Duration::from_secs(seconds);
        self.node.shared.pause(&self.node.uuid(card), until);
        self.cards[card].paused_until = until.since_start().as_secs_f64();
    }

    /// Somebody else sets a limit, where the guard can see whose it is.
    fn meddle(&mut self, index: usize) {
        let now = self.seconds();
        let card = &mut self.cards[index];
        if card.fault == Fault::None && now >= card.well_from {
            let limit = odd_limit(card.profile, &mut self.dice);
            self.node.rack.card(index).limit = limit;
            card.observer.foreign(limit, false);
            card.meddled_at = now;
        }
    }

    fn wake(&mut self) {
        for _ in 0..=self.dice.below(40) {
            self.step(WAKE);
        }
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
            self.node
                .shared
                .chain()
                .heartbeat(now, Some(evaluated as f64));
        }
    }

    fn step(&mut self, period: Duration) -> Vec<Tick> {
        let before: Vec<_> = (0..self.cards.len())
            .map(|card| self.before(card))
            .collect();
        let ticks = self.node.step_by(period);
        self.ticks += u64::from(period == TICK);
        for (index, (before, tick)) in before.iter().zip(&ticks).enumerate() {
            self.judge(index, *before, tick);
        }
        ticks
    }

    fn before(&self, card: usize) -> Before {
        let card = self.node.rack.card(card);
        Before {
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

    fn judge(&mut self, index: usize, before: Before, tick: &Tick) {
        let now = self.seconds();
        let (look, after) = (self.look(index), self.before(index));
        let card = &mut self.cards[index];
        let well = card.fault == Fault::None && now >= card.paused_until;
        card.observer
            .guarded(well.then_some(card.well_from.max(card.paused_until)));
        if card.fault == Fault::FrozenTemperature {
            card.observer.lied_to(now);
        }
        match tick.decision.event {
            Some(Event::Throttled(..) | Event::Blinded) => self.throttles += 1,
            Some(Event::Recovered) => self.recoveries += 1,
            Some(Event::Eased | Event::Recovering) | None => {}
        }
        let mut broken = card.observer.look(look);
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

    /// Nobody asks for anything any more, and nothing is hot: all is given back, each to its own.
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

fn odd_limit(profile: &Profile, dice: &mut Dice) -> Watts {
    let default = profile.default_limit.as_f64();
    Watts::from_f64(dice.between(default * 0.8, default)).max(profile.min_limit)
}

/// The rules of a single tick, by the guard's own reading, which the hour can't know. `well`: the
/// card, where it sees and writes, and nobody else does.
fn broken_by(tick: &Tick, before: Before, after: Before, well: Option<&Profile>) -> Vec<String> {
    let decision = &tick.decision;
    let raised = after.limit > before.limit;
    let slower = |was: ClockRange| after.lock.is_some_and(|is| is.max <= was.max);
    let loosened = before.lock.is_some_and(|was| !slower(was));
    let cool = decision.heat.is_some_and(|heat| !heat.is_hot());
    let critical = decision.heat.is_some_and(|heat| heat.is_critical());
    let told = decision.asks.alert == Level::Emergency && !decision.overheld;
    let spared = |profile: &Profile| {
        decision.level != Level::Emergency
            || after.limit != profile.min_limit
            || after.lock.is_none()
    };
    let rules = [
        ("raised unseen or hot", (raised || loosened) && !cool),
        (
            "raised while blind",
            raised && decision.state == State::Blind,
        ),
        (
            "an alert took protection away",
            decision.level < decision.asks.local,
        ),
        (
            "an emergency waits",
            (critical || told) && well.is_some_and(spared),
        ),
    ];
    let broken = rules.iter().filter(|(_, broken)| *broken);
    broken
        .map(|(rule, _)| {
            format!(
                "{rule}: {:?} to {:?}, {decision:?}",
                before.limit, after.limit
            )
        })
        .collect()
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
        measured(&format!(
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

/// The control: a limit that somebody raises unseen, and a card that isn't given back.
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
    let broken = week.cards[0].observer.look(look);
    week.broken.extend(broken);
    let noticed = |rule: &str| week.broken.iter().any(|broken| broken.contains(rule));
    assert!(
        noticed("over the original") && noticed("raised while hot"),
        "{:#?}",
        week.broken
    );
    assert!(!week.cards[0].observer.is_given_back());
}
