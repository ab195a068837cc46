//! What is true of a card. Its fields are open to who looks and to who tampers.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::device::faults::{CardFaults, Pending, Sense};
use crate::device::plant::{self, Flow, Inputs, State};
use crate::device::profile::Profile;
use crate::device::{ClockRange, Identity, Uuid};
use crate::units::{Celsius, Megahertz, Moment, Watts};

use super::{Conditions, Fault, World, facts};

/// Conditions change at most this often: a step in the load is seen within it.
const STEP: Duration = Duration::from_secs(1);

/// One simulated card.
pub struct Card {
    pub profile: &'static Profile,
    pub state: State,
    /// Really on the card, whatever it says; so are the locks.
    pub limit: Watts,
    pub gpu_clock: Option<ClockRange>,
    pub memory_clock: Option<ClockRange>,
    pub fault: Fault,
    pub faults: CardFaults,
    /// Limits written so far, with success.
    pub limit_writes: u64,
    /// Locks set and reset, with success.
    pub lock_writes: u64,
    /// Writes that came to a code.
    pub refused_writes: u64,
    world: World,
    pub(super) identity: Arc<Identity>,
    pub(super) at: Moment,
    pub(super) flow: Flow,
    pub(super) noise: u64,
    pub(super) last_temperature: Celsius,
    pub(super) senses: Senses,
    pub(super) pending: Settings,
}

/// The sensors that can misbehave, each on its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Senses {
    pub(super) core: Sense,
    pub(super) memory: Sense,
    pub(super) margin: Sense,
    pub(super) draw: Sense,
}

/// What the card is going to forget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) limit: Pending,
    pub(super) gpu_clock: Pending,
    pub(super) memory_clock: Pending,
}

impl Card {
    /// A card that has stood idle until the start.
    pub fn new(profile: &'static Profile, index: u32, world: World) -> Self {
        let conditions = world(Moment::START);
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
            fault: Fault::None,
            faults: CardFaults::NONE,
            limit_writes: 0,
            lock_writes: 0,
            refused_writes: 0,
            world,
            identity: Arc::new(facts::identity(profile, index)),
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

    /// From the next look at the inventory on. Nothing keeps two cards from having the same.
    pub fn set_uuid(&mut self, uuid: &str) {
        let identity = Identity {
            uuid: Uuid::new(uuid),
            ..(*self.identity).clone()
        };
        self.identity = Arc::new(identity);
    }

    pub fn replace_world(&mut self, world: World) {
        self.world = world;
    }

    /// What the card really draws, as of the last look.
    pub fn draw(&self) -> Watts {
        self.flow.draw
    }

    /// The clock that it really runs at, as of the last look.
    pub fn clock(&self) -> Megahertz {
        self.flow.gpu_clock
    }

    /// True distance to where the card begins to slow down, over all that is hot in it.
    pub fn margin(&self) -> Celsius {
        self.state.margin(&self.physical())
    }

    /// Lets time pass up to `now`.
    pub fn catch_up(&mut self, now: Moment) {
        while self.at < now {
            let left = now.since(self.at).min(STEP);
            let step = self.forgets_in().map_or(left, |due| left.min(due));
            let inputs = inputs((self.world)(self.at), self.limit, self.gpu_clock);
            let profile = self.faults.told.physical(self.profile);
            self.flow = plant::advance(&profile, &mut self.state, &inputs, step);
            self.at = self.at + step;
            self.feel(step);
            self.forget();
        }
    }

    fn physical(&self) -> Cow<'static, Profile> {
        self.faults.told.physical(self.profile)
    }

    /// Lets the sensors feel what is true now, a `step` after they last did.
    pub(super) fn feel(&mut self, step: Duration) {
        let (now, step) = (self.seconds(), step.as_secs_f64());
        let margin = self.margin().degrees();
        let (faults, senses) = (&self.faults, &mut self.senses);
        senses.core.pass(&faults.core, now, self.state.die, step);
        senses
            .memory
            .pass(&faults.memory, now, self.state.hbm, step);
        senses.margin.pass(&faults.margin, now, margin, step);
        let draw = self.flow.draw.as_f64();
        senses.draw.pass(&faults.draw, now, draw, step);
    }

    pub(super) fn seconds(&self) -> f64 {
        self.at.since_start().as_secs_f64()
    }

    /// How long until the card forgets a setting: never none, or time would stand still.
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
