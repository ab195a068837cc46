//! What lies in the state file: plain numbers at fixed places, so that processes of different
//! programs can map it. Any bit pattern is a valid value; what it means is checked on reading.

use std::borrow::Cow;

use thermal_guard::sim::fans::{Fans, Rise};
use thermal_guard::sim::faults::{Answers, CardFaults, MACHINE_ANSWERS, Pending};
use thermal_guard::sim::plant;
use thermal_guard::sim::plant::{Flow, Inputs, Load, State};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Megahertz, Watts};

use crate::fault::{Fault, Feature};
use crate::senses::Senses;

pub const MAGIC: u64 = u64::from_le_bytes(*b"NVMLSIM\0");
/// To be raised with every change below; a change of size alone is noticed without.
pub const VERSION: u32 = 5;
pub const MAX_GPUS: usize = 16;
/// Xid events kept for who waits for them.
pub const MAX_XIDS: usize = 32;

/// A text of at most `N` bytes, filled up with zeroes.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        bytes
            .iter_mut()
            .zip(text.bytes())
            .for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

/// The whole machine.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Bench {
    pub magic: u64,
    pub version: u32,
    pub size: u32,
    /// Counts driver loads: a process that initialised under another one must do so again.
    pub generation: u64,
    /// A [`Driver`].
    pub driver: u32,
    pub gpu_count: u32,
    pub driver_version: Text<32>,
    /// Simulated seconds per second.
    pub time_scale: f64,
    /// Nanoseconds since boot up to which the physics has run.
    pub advanced_to: u64,
    /// Simulated seconds since the file was made.
    pub elapsed: f64,
    /// Rise of every inlet per watt that the other cards draw.
    pub shared_air: f64,
    /// Xid events so far; the last ones lie in `xids`, number `n` at `n % MAX_XIDS`.
    pub xid_count: u64,
    pub xids: [XidEntry; MAX_XIDS],
    /// What calls about the machine answer.
    pub answers: Answers<MACHINE_ANSWERS>,
    /// Places of the cards that the driver counts, in the order of their index.
    pub order: [u32; MAX_GPUS],
    pub order_count: u64,
    pub gpus: [Card; MAX_GPUS],
}

#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct XidEntry {
    pub gpu: u32,
    pub code: u32,
}

/// What the library finds where the driver should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Driver {
    Missing = 0,
    Loaded = 1,
    /// Another version than the library: an upgrade is under way.
    Mismatched = 2,
}

impl Driver {
    pub const fn from_bits(bits: u32) -> Self {
        match bits {
            1 => Self::Loaded,
            2 => Self::Mismatched,
            _ => Self::Missing,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "not loaded",
            Self::Loaded => "loaded",
            Self::Mismatched => "mismatched",
        }
    }
}

/// One card: its physics, its settings, what is wrong with it, and what was done to it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Card {
    pub profile: Text<32>,
    pub uuid: Text<48>,
    pub state: State,
    pub load: Load,
    pub inlet: f64,
    pub airflow_resistance: f64,
    pub hbm_resistance: f64,
    /// What the other cards add to the inlet, as of the last step.
    pub inlet_rise: f64,
    /// Share of the memory that programs hold.
    pub memory_used: f64,
    /// Milliwatts, as requested through NVML.
    pub limit: u32,
    /// Milliwatts an out-of-band controller allows; 0 is none.
    pub out_of_band_limit: u32,
    pub sm_lock: Lock,
    pub memory_lock: Lock,
    pub fans: Fans,
    pub persistence: u32,
    /// A mask of [`Fault`]s.
    pub fault: u32,
    /// A mask of [`Feature`]s.
    pub unsupported: u32,
    /// Every call takes this much longer.
    pub latency_microseconds: u32,
    /// Not 0: calls take, in addition, what [`crate::latency`] has for them.
    pub reported_latencies: u32,
    /// Calls that touched the card so far, a field being one; starts anew after the last number.
    pub calls: u32,
    /// What the sensors say under [`Fault::FrozenTemperature`].
    pub frozen: State,
    pub limit_writes: u64,
    pub lock_writes: u64,
    /// Writes the card refused: out of range, no permission, no such lock.
    pub refused_writes: u64,
    pub faults: CardFaults,
    pub senses: Senses,
    pub pending: Settings,
}

/// What the card is going to forget.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Settings {
    pub limit: Pending,
    pub sm_lock: Pending,
    pub memory_lock: Pending,
}

impl Settings {
    pub const NONE: Self = Self {
        limit: Pending::NONE,
        sm_lock: Pending::NONE,
        memory_lock: Pending::NONE,
    };

    /// When the card forgets next.
    pub fn due(&self) -> Option<f64> {
        let all = [self.limit, self.sm_lock, self.memory_lock];
        let due = all.iter().filter_map(Pending::due);
        due.min_by(f64::total_cmp)
    }
}

/// Megahertz, ends included; `max` 0 is no lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Lock {
    pub min: u32,
    pub max: u32,
}

impl Lock {
    pub const NONE: Self = Self { min: 0, max: 0 };

    pub fn upper(self) -> Option<Megahertz> {
        (self.max > 0).then_some(Megahertz::new(self.max))
    }
}

impl Card {
    /// A card as the factory and a fresh driver leave it, idle in air of `inlet`.
    pub fn new(profile: &Profile, uuid: &str, inlet: f64) -> Self {
        let state = State::idle_at(profile, Celsius::new(inlet));
        let mut card = Self {
            profile: Text::new(profile.key),
            uuid: Text::new(uuid),
            state,
            load: Load::IDLE,
            inlet,
            airflow_resistance: 1.0,
            hbm_resistance: 1.0,
            inlet_rise: 0.0,
            memory_used: 0.0,
            limit: profile.default_limit.milliwatts(),
            out_of_band_limit: 0,
            sm_lock: Lock::NONE,
            memory_lock: Lock::NONE,
            fans: Fans::WELL,
            persistence: 0,
            fault: Fault::None as u32,
            unsupported: 0,
            latency_microseconds: 0,
            reported_latencies: 0,
            calls: 0,
            frozen: state,
            limit_writes: 0,
            lock_writes: 0,
            refused_writes: 0,
            faults: CardFaults::NONE,
            senses: Senses::of(uuid),
            pending: Settings::NONE,
        };
        card.feel(0.0, 0.0);
        card
    }

    /// The card's profile; the file's reader has checked that it is a known one.
    pub fn profile(&self) -> &'static Profile {
        profile::named(self.profile.as_str()).unwrap_or(profile::ALL[0])
    }

    /// The profile that the physics goes by.
    pub fn physical(&self) -> Cow<'static, Profile> {
        self.faults.told.physical(self.profile())
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.fault & fault.bit() != 0
    }

    pub fn supports(&self, feature: Feature) -> bool {
        self.unsupported & feature.bit() == 0
    }

    /// The limit in force.
    pub fn enforced_limit(&self) -> Watts {
        Watts::from_milliwatts(match self.out_of_band_limit {
            0 => self.limit,
            other => other.min(self.limit),
        })
    }

    pub fn inputs(&self) -> Inputs {
        let profile = self.profile();
        let fans = self
            .fans
            .resistance(profile.fans, self.state.core(), Rise::of(profile));
        Inputs {
            load: self.load,
            inlet: Celsius::new(self.inlet + self.inlet_rise),
            airflow_resistance: self.airflow_resistance * fans,
            hbm_resistance: self.hbm_resistance,
            limit: self.enforced_limit(),
            gpu_clock_lock: self.sm_lock.upper(),
        }
    }

    /// What flows in it now.
    pub fn flow(&self) -> Flow {
        plant::flow(&self.physical(), &self.state, &self.inputs())
    }
}

impl Bench {
    pub fn driver(&self) -> Driver {
        Driver::from_bits(self.driver)
    }

    /// Places of the cards that the driver counts, in the order of their index.
    pub fn counted(&self) -> impl Iterator<Item = usize> {
        let count = usize::try_from(self.order_count).unwrap_or(MAX_GPUS);
        let places = self.order.iter().take(count);
        let places = places.map(|place| *place as usize);
        places.filter(|place| *place < self.cards().len())
    }

    /// The cards there are.
    pub fn cards(&self) -> &[Card] {
        &self.gpus[..(self.gpu_count as usize).min(MAX_GPUS)]
    }

    pub fn cards_mut(&mut self) -> &mut [Card] {
        &mut self.gpus[..(self.gpu_count as usize).min(MAX_GPUS)]
    }
}
