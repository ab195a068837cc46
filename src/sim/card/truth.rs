//! The true state of a card. Tests may read and change its fields.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::device::{ClockRange, Identity, Uuid};
use crate::sim::fans::{Fans, Rise};
use crate::sim::faults::{CardFaults, Fault, Pending, Sense};
use crate::sim::plant;
use crate::sim::plant::{Flow, Inputs, State};
use crate::sim::profile::Profile;
use crate::units::{Celsius, Megahertz, Moment, Watts};

use super::conditions::{Conditions, Timeline};
use super::identity::identity;

/// The longest step of the simulation: a change of the conditions takes effect within it.
const STEP: Duration = Duration::from_secs(1);

/// One simulated card.
pub struct Card {
    pub profile: &'static Profile,
    pub state: State,
    /// The limit that is really on the card, whatever the card reports; so are the locks.
    pub limit: Watts,
    pub gpu_clock: Option<ClockRange>,
    pub memory_clock: Option<ClockRange>,
    pub fans: Fans,
    pub fault: Fault,
    pub faults: CardFaults,
    /// The number of successful limit writes.
    pub limit_writes: u64,
    /// The number of locks set and reset with success.
    pub lock_writes: u64,
    /// The number of times a fan was set, with success.
    pub fan_writes: u64,
    /// The number of writes that failed with a code.
    pub refused_writes: u64,
    timeline: Timeline,
    pub(crate) identity: Arc<Identity>,
    pub(crate) at: Moment,
    pub(crate) flow: Flow,
    pub(crate) noise: u64,
    pub(crate) last_temperature: Celsius,
    pub(crate) senses: Senses,
    pub(crate) pending: Settings,
}

/// The sensors, each of which can have faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Senses {
    pub(crate) core: Sense,
    pub(crate) memory: Sense,
    pub(crate) margin: Sense,
    pub(crate) draw: Sense,
}

/// The settings that the card is going to forget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) limit: Pending,
    pub(crate) gpu_clock: Pending,
    pub(crate) memory_clock: Pending,
}

impl Card {
    /// A card that was idle until the start.
    pub fn new(profile: &'static Profile, index: u32, timeline: Timeline) -> Self {
        let conditions = timeline(Moment::START);
        let state = State::idle_at(profile, conditions.inlet);
        let limit = profile.default_limit;
        let flow = plant::flow(profile, &state, &inputs(conditions, limit, None));
        let sense = |truth, number: u64| Sense::new(truth, number + u64::from(index) * 4);
        Self {
            profile,
            state,
            limit,
            gpu_clock: None,
            memory_clock: None,
            fans: Fans::WELL,
            fault: Fault::None,
            faults: CardFaults::NONE,
            limit_writes: 0,
            lock_writes: 0,
            fan_writes: 0,
            refused_writes: 0,
            timeline,
            identity: Arc::new(identity(profile, index)),
            at: Moment::START,
            flow,
            noise: 0x9e37_79b9_7f4a_7c15 ^ u64::from(index + 1),
            last_temperature: state.core(),
            senses: Senses {
                core: sense(state.die, 0),
                memory: sense(state.hbm, 1),
                margin: sense(state.margin(profile).degrees(), 2),
                draw: sense(flow.draw.as_f64(), 3),
            },
            pending: Settings {
                limit: Pending::NONE,
                gpu_clock: Pending::NONE,
                memory_clock: Pending::NONE,
            },
        }
    }

    pub fn uuid(&self) -> &Uuid {
        &self.identity.uuid
    }

    /// Takes effect with the next inventory. Two cards may have the same UUID.
    pub fn set_uuid(&mut self, uuid: &str) {
        let identity = Identity {
            uuid: Uuid::new(uuid),
            ..(*self.identity).clone()
        };
        self.identity = Arc::new(identity);
    }

    /// Other noise of the readings for each seed.
    pub fn reseed(&mut self, seed: u64) {
        self.noise = 0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    }

    pub fn set_timeline(&mut self, timeline: Timeline) {
        self.timeline = timeline;
    }

    /// The true draw, at the last update.
    pub fn draw(&self) -> Watts {
        self.flow.draw
    }

    /// The true clock, at the last update.
    pub fn clock(&self) -> Megahertz {
        self.flow.gpu_clock
    }

    /// The true distance to the temperature at which the card begins to slow down, over die and
    /// memory.
    pub fn margin(&self) -> Celsius {
        self.state.margin(&self.physical())
    }

    /// Lets time pass up to `now`.
    pub fn catch_up(&mut self, now: Moment) {
        while self.at < now {
            let left = now.since(self.at).min(STEP);
            let step = self.forgets_in().map_or(left, |due| left.min(due));
            let mut inputs = inputs((self.timeline)(self.at), self.limit, self.gpu_clock);
            let profile = self.faults.told.physical(self.profile);
            let (die, rise) = (self.state.core(), Rise::of(&profile));
            inputs.airflow_resistance *= self.fans.resistance(profile.fans, die, rise);
            self.state.fan_held = self.fans.held(&profile);
            self.flow = plant::advance(&profile, &mut self.state, &inputs, step);
            self.at = self.at + step;
            self.feel(step);
            self.forget();
        }
    }

    fn physical(&self) -> Cow<'static, Profile> {
        self.faults.told.physical(self.profile)
    }

    /// Updates the sensors with the truth, a `step` after the last update.
    pub(crate) fn feel(&mut self, step: Duration) {
        let (now, step) = (self.seconds(), step.as_secs_f64());
        let margin = self.margin().degrees();
        let (faults, senses) = (&self.faults, &mut self.senses);
        senses.core.pass(&faults.core, now, self.state.die, step);
        senses
            .memory
            .pass(&faults.memory, now, self.state.hbm, step);
        senses.margin.pass(&faults.margin, now, margin, step);
        let told = self.state.meter.told(self.profile, self.flow.draw);
        let draw = told.as_f64();
        senses.draw.pass(&faults.draw, now, draw, step);
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.at.since_start().as_secs_f64()
    }

    /// The time until the card forgets a setting. It is never zero, or time would stand still.
    fn forgets_in(&self) -> Option<Duration> {
        const SHORTEST: f64 = 1e-3;
        let Settings {
            limit,
            gpu_clock,
            memory_clock,
        } = &self.pending;
        let due = [limit, gpu_clock, memory_clock].into_iter();
        let first = due.filter_map(Pending::due).min_by(f64::total_cmp)?;
        let left = (first - self.seconds()).max(SHORTEST);
        Duration::try_from_secs_f64(left).ok()
    }

    fn forget(&mut self) {
        let now = self.seconds();
        let (faults, pending) = (&self.faults, &mut self.pending);
        if let Some(before) = pending.limit.expire(&faults.power_limit, now) {
            self.limit = Watts::from_milliwatts(before);
        }
        if pending.gpu_clock.expire(&faults.gpu_clock, now).is_some() {
            self.gpu_clock = None;
        }
        let memory_clock = pending.memory_clock.expire(&faults.memory_clock, now);
        if memory_clock.is_some() {
            self.memory_clock = None;
        }
    }
}

fn inputs(conditions: Conditions, limit: Watts, lock: Option<ClockRange>) -> Inputs {
    Inputs {
        load: conditions.load,
        inlet: conditions.inlet,
        airflow_resistance: conditions.airflow_resistance,
        hbm_resistance: conditions.hbm_resistance,
        limit,
        gpu_clock_lock: lock.map(|range| range.max),
    }
}
