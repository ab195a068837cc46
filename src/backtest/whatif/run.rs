//! Plays the hot stretches with the guard's own worker and policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::backtest::card::Card;
use crate::backtest::history::History;
use crate::clock::Clock;
use crate::device::Driver;
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal::Journal;
use crate::guard::gpu::worker::{Setup, Worker};
use crate::guard::state::{Live, Shared};
use crate::policy::ask::chain::Expected;
use crate::policy::{Chain, Decision, Level, State, Transition};
use crate::sim::random::noise;
use crate::thermal_fit::{Filter, Modes};
use crate::units::{Moment, Watts};

use super::course::{Second, course};
use super::gpu::{Bench, Now};
use super::stretches::stretches;

/// Half the width of a core sensor's noise. Scrapes show one of many readings; the guard sees all.
const NOISE_CELSIUS: f64 = 0.4;
const TICK: Duration = Duration::from_secs(1);
/// A card that is cooler than this under alert was not made hot before the guard began.
const NEAR_CELSIUS: f64 = 2.0;
/// Temperatures over this count as over alert: sensors tell whole degrees.
const OVER_CELSIUS: f64 = 0.5;

/// What the guard would have done over the whole period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct WhatIf {
    /// Throttles that began, emergencies among them.
    pub interventions: f64,
    pub emergencies: f64,
    pub throttled_seconds: f64,
    /// The hottest that the core would have been while the guard held or watched it. `None`: it never
    /// came near alert.
    pub hottest_celsius: Option<f64>,
    pub over_alert_seconds: f64,
    /// Full seconds of work that the guard would have cost, and that the card's own slowdown cost in
    /// the same stretches: by the clocks, a bound from above.
    pub lost_seconds: f64,
    pub own_lost_seconds: f64,
    /// Time that the guard would have taken the core's reading for untrustworthy.
    pub blind_seconds: f64,
    /// Time near alert, and how much of it was played; the rest counts by its share.
    pub hot_seconds: f64,
    pub played_seconds: f64,
}

impl WhatIf {
    fn scaled(self, by: f64) -> Self {
        Self {
            interventions: self.interventions * by,
            emergencies: self.emergencies * by,
            throttled_seconds: self.throttled_seconds * by,
            over_alert_seconds: self.over_alert_seconds * by,
            lost_seconds: self.lost_seconds * by,
            own_lost_seconds: self.own_lost_seconds * by,
            blind_seconds: self.blind_seconds * by,
            ..self
        }
    }
}

/// `None`: the GPU came near alert, and without a fit nothing can be said. Far from alert, no fit is
/// needed.
pub fn what_if(history: &History, card: &Card, modes: Option<&Modes>) -> Option<WhatIf> {
    let interval = history.interval()?;
    let stretches = stretches(history, card);
    let mut all = WhatIf {
        hot_seconds: stretches.hot_seconds,
        played_seconds: stretches.played_seconds,
        ..WhatIf::default()
    };
    if stretches.played.is_empty() {
        return Some(all);
    }
    let modes = modes?;
    for range in stretches.played {
        let course = course(&history.rows, range, interval, card);
        play(&course, card, modes, &mut all);
    }
    let part = all.played_seconds.max(1.0);
    Some(all.scaled((all.hot_seconds / part).max(1.0)))
}

/// One stretch: the guard begins with it, and knows nothing of an earlier one.
fn play(course: &[Option<Second>], card: &Card, modes: &Modes, all: &mut WhatIf) {
    let mut stage: Option<Stage<'_>> = None;
    for second in course {
        // What happened in a gap is unknown, so the guard begins again behind it.
        let Some(second) = second else {
            stage = None;
            continue;
        };
        let stage = stage.get_or_insert_with(|| Stage::new(card, modes, second));
        let decision = stage.pass(second);
        stage.count(second, &decision, all);
    }
}

/// A guard over one card.
struct Stage<'a> {
    card: &'a Card,
    bench: Bench,
    worker: Worker,
    shared: Shared,
    nanos: Arc<AtomicU64>,
    /// The difference in power to the recorded course, through each mass.
    masses: Vec<(f64, Filter, f64)>,
    at_once: f64,
    difference: f64,
    /// The clock that the card's own slowdown leaves.
    thermal_speed: f64,
    speed: f64,
    dice: u64,
    /// A guard that begins with a hot card didn't make it hot, and its first throttle goes on from one
    /// before: neither counts, until it has had time.
    settles: f64,
}

/// How long a guard needs to bring a hot card under alert.
const SETTLES_SECONDS: f64 = 900.0;

impl<'a> Stage<'a> {
    fn new(card: &'a Card, modes: &Modes, first: &Second) -> Self {
        let default = card
            .facts
            .power
            .map_or(Watts::from_watts(0), |it| it.default);
        let now = Now {
            core: first.core,
            memory: None,
            watts: first.watts,
            clock: card.highest_megahertz,
            busy: first.busy,
            limit: default,
            lock: None,
        };
        let bench = Bench::new(&card.facts, now);
        let nanos = Arc::new(AtomicU64::new(0));
        let live = Live {
            settings: card.settings.clone(),
            ..Live::default()
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, live);
        let identity = bench.identity();
        let driver: Arc<dyn Driver> = Arc::new(bench.clone());
        let setup = Setup {
            actuation: Actuation::new(identity.uuid.clone(), Journal::none()),
            identity,
            driver,
            left: None,
            may_write: true,
        };
        let worker = Worker::new(setup, shared.live());
        let slower = modes.present().filter(|(_, seconds)| *seconds > 0.0);
        let decay = |seconds: f64| (-TICK.as_secs_f64() / seconds).exp();
        Self {
            card,
            bench,
            worker,
            shared,
            nanos,
            masses: slower
                .map(|(r, seconds)| (r, Filter::at_rest(seconds, 0.0), decay(seconds)))
                .collect(),
            at_once: modes.masses[0].0,
            difference: 0.0,
            thermal_speed: first.own_speed,
            speed: first.own_speed,
            dice: 0x9e37_79b9_7f4a_7c15,
            settles: SETTLES_SECONDS,
        }
    }

    /// A second passes on the card, then the guard looks at it.
    fn pass(&mut self, second: &Second) -> Decision {
        let (limit, lock) = {
            let now = self.bench.now();
            (now.limit.as_f64(), now.lock)
        };
        let highest = self.card.highest_megahertz;
        let by_lock = lock
            .zip(highest)
            .map_or(1.0, |(lock, highest)| f64::from(lock.megahertz()) / highest);
        let curve = self.card.curve;
        let by_limit = match self.card.facts.power {
            Some(_) if second.demand > limit => curve.throughput(limit / second.demand),
            _ => 1.0,
        };
        self.speed = by_limit.min(by_lock).min(self.thermal_speed).min(1.0);
        let watts = second.demand * curve.power(self.speed);
        let after = watts - second.watts;
        let step = TICK.as_secs_f64();
        let mut rise = self.at_once * after;
        for (resistance, filter, decay) in &mut self.masses {
            filter.pass_decayed(step, *decay, self.difference, after);
            rise += *resistance * filter.state();
        }
        self.difference = after;
        let core = second.core + rise;
        self.slow_down(core);
        let wobble = noise(&mut self.dice) * NOISE_CELSIUS;
        let mut now = self.bench.now();
        now.core = core + wobble;
        let memory = second
            .memory
            .filter(|_| self.card.memory_alert_celsius.is_some());
        now.memory = memory.map(|it| it + rise - self.at_once * after);
        now.watts = watts;
        now.clock = highest.map(|highest| highest * self.speed);
        now.busy = second.busy;
        drop(now);
        let nanos = u64::try_from(TICK.as_nanos()).unwrap_or(u64::MAX);
        let at = self.nanos.fetch_add(nanos, Ordering::Relaxed) + nanos;
        let at = Moment::from_start(Duration::from_nanos(at));
        self.worker.tick(at, at, &self.shared).decision
    }

    /// The card's own slowdown at its maximum operating temperature, as in the simulated plant: real
    /// rates aren't published.
    fn slow_down(&mut self, core: f64) {
        let margin = self.card.critical_celsius - core;
        if margin <= 0.0 {
            self.thermal_speed -= 0.02 * (1.0 - margin);
        } else if margin > 1.0 {
            self.thermal_speed += 0.05;
        }
        self.thermal_speed = self.thermal_speed.clamp(0.2, 1.0);
    }

    fn count(&mut self, second: &Second, decision: &Decision, all: &mut WhatIf) {
        let core = self.bench.now().core;
        self.settles -= TICK.as_secs_f64();
        if core < self.card.alert_celsius - NEAR_CELSIUS {
            self.settles = 0.0;
        }
        if self.settles <= 0.0 {
            self.count_heat(core, decision, all);
        }
        if decision.level > Level::None {
            all.throttled_seconds += 1.0;
        }
        if decision.state == State::Blind {
            all.blind_seconds += 1.0;
        }
        if second.busy {
            all.lost_seconds += 1.0 - self.speed;
            all.own_lost_seconds += 1.0 - second.own_speed;
        }
    }

    fn count_heat(&self, core: f64, decision: &Decision, all: &mut WhatIf) {
        if let Some(Transition::Throttled(level, _)) = decision.transition {
            all.interventions += 1.0;
            all.emergencies += f64::from(u8::from(level == Level::Emergency));
        }
        let hottest = all.hottest_celsius.get_or_insert(core);
        *hottest = hottest.max(core);
        if core > self.card.alert_celsius + OVER_CELSIUS {
            all.over_alert_seconds += 1.0;
        }
    }
}
