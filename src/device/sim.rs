//! Simulated GPUs in process: the thermal model behind the same traits as NVML.
//!
//! `serve --simulate`, the policy's tests and `simulate` stand on it. Time is an argument here as
//! well: a card catches up with the moment it is asked at, so a day passes as fast as it is asked
//! for, and two runs of one scenario are the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::plant::{self, Flow, Inputs, Load, State};
use super::profile::Profile;
use super::{
    Actuator, ActuatorError, Cadence, ClockEvents, ClockRange, Driver, DriverError, Facts, Gpu,
    Identity, Missing, PowerConstraints, Reading, Sensor, Slow, Thresholds, TlimitOffsets, Uuid,
};

/// Conditions change at most this often: a step in the load is seen within it.
const STEP: Duration = Duration::from_secs(1);

/// Half the width of the sensor's noise before it rounds to whole degrees.
const NOISE: f64 = 0.4;

/// The world around a card at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    pub load: Load,
    pub inlet: Celsius,
    pub airflow_resistance: f64,
    pub hbm_resistance: f64,
}

impl Conditions {
    /// A card at full load in a room of `inlet`.
    pub const fn full_load(inlet: Celsius) -> Self {
        Self {
            load: Load::FULL,
            inlet,
            airflow_resistance: 1.0,
            hbm_resistance: 1.0,
        }
    }
}

/// What a card's world is like, over time.
pub type World = Box<dyn Fn(Moment) -> Conditions + Send>;

/// What is wrong with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Off the bus.
    Lost,
    /// Temperature reads fail.
    NoTemperature,
    /// The last temperature for ever.
    FrozenTemperature,
    NoPermission,
}

/// One simulated card.
pub struct Card {
    pub profile: &'static Profile,
    pub state: State,
    pub limit: Watts,
    pub gpu_clock: Option<ClockRange>,
    pub memory_clock: Option<ClockRange>,
    pub fault: Fault,
    /// Limits written so far.
    pub limit_writes: u64,
    world: World,
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    at: Moment,
    flow: Flow,
    noise: u64,
    last_temperature: Celsius,
}

impl Card {
    /// A card that has stood idle until the start.
    pub fn new(profile: &'static Profile, index: u32, world: World) -> Self {
        let conditions = world(Moment::START);
        let state = State::idle_at(profile, conditions.inlet);
        let limit = profile.default_limit;
        let flow = plant::flow(profile, &state, &inputs(conditions, limit, None));
        Self {
            profile,
            state,
            limit,
            gpu_clock: None,
            memory_clock: None,
            fault: Fault::None,
            limit_writes: 0,
            world,
            identity: Arc::new(identity(profile, index)),
            facts: Arc::new(facts(profile)),
            at: Moment::START,
            flow,
            noise: 0x9e37_79b9_7f4a_7c15 ^ u64::from(index + 1),
            last_temperature: state.core(),
        }
    }

    pub fn uuid(&self) -> &Uuid {
        &self.identity.uuid
    }

    pub fn replace_world(&mut self, world: World) {
        self.world = world;
    }

    /// Lets time pass up to `now`.
    pub fn catch_up(&mut self, now: Moment) {
        while self.at < now {
            let step = now.since(self.at).min(STEP);
            let inputs = inputs((self.world)(self.at), self.limit, self.gpu_clock);
            self.flow = plant::advance(self.profile, &mut self.state, &inputs, step);
            self.at = self.at + step;
        }
    }

    fn read(&mut self, now: Moment) -> Reading {
        self.catch_up(now);
        if self.fault == Fault::Lost {
            return Reading::missing(now, Missing::Lost);
        }
        let noise = self.noise();
        let core = self.sensed(noise);
        let memory = self.state.memory(self.profile);
        let margin = self.state.margin(self.profile);
        let margin = Celsius::new((margin.degrees() - noise).round());
        let unsupported = Missing::NotSupported;
        Reading {
            at: now,
            core,
            memory: memory
                .map(|t| Celsius::new((t.degrees() + noise).round()))
                .ok_or(unsupported),
            margin: self.profile.has_margin.then_some(margin).ok_or(unsupported),
            draw: Ok(self.flow.draw),
            limit: Ok(self.limit),
            enforced_limit: Ok(self.limit),
            gpu_clock: Ok(self.flow.gpu_clock),
            events: Ok(self.flow.events),
            utilization: Ok(self.flow.utilization),
            slow: self.slow(),
        }
    }

    fn sensed(&mut self, noise: f64) -> Result<Celsius, Missing> {
        match self.fault {
            Fault::NoTemperature => return Err(Missing::Failed(999)),
            Fault::FrozenTemperature => {}
            _ => {
                let degrees = (self.state.die + noise).round();
                self.last_temperature = Celsius::new(degrees);
            }
        }
        Ok(self.last_temperature)
    }

    fn slow(&self) -> Slow {
        let memory_clock = self.memory_clock.map(|range| range.max);
        Slow {
            graphics_clock: Some(self.flow.gpu_clock),
            memory_clock: memory_clock.or(self.profile.memory_clocks.first().copied()),
            video_clock: None,
            performance_state: Some(if self.flow.events == ClockEvents::GPU_IDLE {
                8
            } else {
                0
            }),
            memory_utilization: Some(Ratio::new(self.flow.utilization.value() * 0.5)),
            memory_total_bytes: Some(self.profile.memory_bytes),
            memory_used_bytes: Some(self.profile.memory_bytes / 2),
            energy_millijoules: Some(to_u64(self.state.energy_joules * 1e3)),
            fan_speeds: vec![Some(fan_speed(self.state.die)); self.profile.fans as usize],
            ecc_corrected: [self.profile.ecc.then_some(0); 2],
            ecc_uncorrected: [self.profile.ecc.then_some(0); 2],
            event_nanoseconds: self
                .state
                .event_seconds
                .map(|seconds| Some(to_u64(seconds * 1e9))),
        }
    }

    /// Uniform within ±[`NOISE`]; xorshift64, so that runs repeat.
    fn noise(&mut self) -> f64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        ((self.noise >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0) * NOISE
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative"
)]
fn to_u64(value: f64) -> u64 {
    value as u64
}

/// A plain fan curve, for show: airflow is the world's, not the card's.
fn fan_speed(die: f64) -> Ratio {
    Ratio::new(((die - 30.0) / 60.0).clamp(0.3, 1.0))
}

fn identity(profile: &Profile, index: u32) -> Identity {
    Identity {
        uuid: Uuid::new(&format!("GPU-51300000-0000-4000-8000-{index:012}")),
        index,
        name: profile.name.to_owned(),
        pci_bus_id: format!("00000000:{:02X}:00.0", 0x10 + index * 0x10),
        serial: None,
        vbios_version: Some("simulated".to_owned()),
        driver_version: Some("simulated".to_owned()),
        architecture: Some(profile.architecture.to_owned()),
        brand: None,
        mig_uuids: Vec::new(),
    }
}

/// What the card's profile tells, as NVML would.
fn facts(profile: &Profile) -> Facts {
    let absolute = |value: Celsius| profile.has_thresholds.then_some(value);
    let offset = |value: Celsius| profile.has_margin.then_some(profile.max_operating - value);
    Facts {
        power: Some(PowerConstraints {
            default: profile.default_limit,
            min: profile.min_limit,
            max: profile.max_limit,
        }),
        thresholds: Thresholds {
            shutdown: absolute(profile.shutdown),
            slowdown: absolute(profile.slowdown),
            gpu_max: absolute(profile.max_operating),
            mem_max: profile
                .hbm
                .filter(|hbm| hbm.has_threshold)
                .map(|hbm| hbm.max),
            acoustic_current: profile.acoustic_target,
            ..Thresholds::default()
        },
        tlimit: TlimitOffsets {
            shutdown: offset(profile.shutdown),
            slowdown: offset(profile.slowdown),
            mem_max: profile.hbm.and(offset(profile.max_operating)),
            gpu_max: offset(profile.max_operating),
        },
        gpu_clock_min: Some(profile.gpu_clock_min),
        gpu_clock_max: Some(profile.gpu_clock_max),
        memory_clock_max: profile.memory_clocks.first().copied(),
        video_clock_max: None,
        memory_clocks: profile.memory_clocks.to_vec(),
        supported_events: ClockEvents::from_bits(0x1ff),
    }
}

/// The cards of a node, shared by whoever holds them.
#[derive(Clone)]
pub struct Rack {
    cards: Arc<[Mutex<Card>]>,
    clock: Arc<dyn Fn() -> Moment + Send + Sync>,
}

impl Rack {
    /// `clock` is what writes happen at; readings say their own moment.
    pub fn new(cards: Vec<Card>, clock: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self {
            cards: cards.into_iter().map(Mutex::new).collect(),
            clock: Arc::new(clock),
        }
    }

    /// One card, to look at or to tamper with.
    pub fn card(&self, index: usize) -> MutexGuard<'_, Card> {
        self.cards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn position(&self, uuid: &Uuid) -> Option<usize> {
        (0..self.cards.len()).find(|&index| self.card(index).uuid() == uuid)
    }
}

impl Driver for Rack {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        Ok((0..self.cards.len())
            .map(|index| self.card(index).identity.clone())
            .collect())
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let index = self
            .position(uuid)
            .ok_or_else(|| DriverError::NoSuchGpu(uuid.clone()))?;
        let card = self.card(index);
        if card.fault == Fault::Lost {
            return Err(DriverError::GpuLost);
        }
        let (identity, facts) = (card.identity.clone(), card.facts.clone());
        drop(card);
        Ok(Box::new(SimGpu {
            rack: self.clone(),
            index,
            identity,
            facts,
        }))
    }
}

struct SimGpu {
    rack: Rack,
    index: usize,
    identity: Arc<Identity>,
    facts: Arc<Facts>,
}

impl SimGpu {
    /// The card at the moment of a write, if it may be written to.
    fn writable(&self) -> Result<MutexGuard<'_, Card>, ActuatorError> {
        let mut card = self.rack.card(self.index);
        card.catch_up((self.rack.clock)());
        match card.fault {
            Fault::Lost => Err(ActuatorError::Lost),
            Fault::NoPermission => Err(ActuatorError::NoPermission),
            _ => Ok(card),
        }
    }
}

impl Sensor for SimGpu {
    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn read(&mut self, now: Moment, _: Cadence) -> Reading {
        self.rack.card(self.index).read(now)
    }
}

impl Actuator for SimGpu {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        let card = self.rack.card(self.index);
        if card.fault == Fault::Lost {
            Err(ActuatorError::Lost)
        } else {
            Ok(card.limit)
        }
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        let mut card = self.writable()?;
        if limit < card.profile.min_limit || limit > card.profile.max_limit {
            return Err(ActuatorError::OutOfRange);
        }
        card.limit = limit;
        card.limit_writes += 1;
        Ok(())
    }

    fn lock_gpu_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        self.writable()?.gpu_clock = Some(range);
        Ok(())
    }

    fn reset_gpu_clock(&mut self) -> Result<(), ActuatorError> {
        self.writable()?.gpu_clock = None;
        Ok(())
    }

    fn lock_memory_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        let mut card = self.writable()?;
        if card.profile.memory_clocks.len() < 2 {
            return Err(ActuatorError::Unsupported);
        }
        let supported = |clock: &Megahertz| (range.min..=range.max).contains(clock);
        if !card.profile.memory_clocks.iter().any(supported) {
            return Err(ActuatorError::OutOfRange);
        }
        card.memory_clock = Some(range);
        Ok(())
    }

    fn reset_memory_clock(&mut self) -> Result<(), ActuatorError> {
        self.writable()?.memory_clock = None;
        Ok(())
    }
}
