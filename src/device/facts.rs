//! What rarely changes while a driver stays loaded: identity, thresholds, constraints.

use std::fmt;
use std::sync::Arc;

use crate::units::{Celsius, Megahertz, Ratio, Watts};

use super::knob::ClockDomain;
use super::slowdown::SlowdownReasons;

/// A GPU's UUID as the driver prints it. It stays the same across reboots, indexes and slots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(Arc<str>);

impl Uuid {
    pub fn new(uuid: &str) -> Self {
        Self(uuid.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which GPU it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uuid: Uuid,
    /// The driver's index, the `gpu` label. It may change with the next boot.
    pub index: u32,
    pub name: String,
    /// `00000000:65:00.0`, as the driver prints it.
    pub pci_bus_id: String,
    pub serial: Option<String>,
    pub vbios_version: Option<String>,
    pub driver_version: Option<String>,
    pub architecture: Option<String>,
    pub brand: Option<String>,
    /// UUIDs of the instances that the card is split into. An alert on one of them is an alert on
    /// this card.
    pub instance_uuids: Vec<String>,
}

/// The range of power limits that a card accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerConstraints {
    pub default: Watts,
    pub min: Watts,
    pub max: Watts,
}

impl PowerConstraints {
    pub fn clamp(&self, limit: Watts) -> Watts {
        limit.max(self.min).min(self.max)
    }

    /// `share` of the default limit, within the card's range.
    pub fn share_of_default(&self, share: Ratio) -> Watts {
        self.clamp(self.default.scaled(share))
    }
}

/// Absolute temperature thresholds, if the card offers them. Newer cards prefer margins.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Thresholds {
    pub shutdown: Option<Celsius>,
    pub slowdown: Option<Celsius>,
    pub gpu_max: Option<Celsius>,
    pub mem_max: Option<Celsius>,
    pub acoustic_min: Option<Celsius>,
    pub acoustic_current: Option<Celsius>,
    pub acoustic_max: Option<Celsius>,
}

/// The margins at which the card acts. 0 is the maximum operating temperature; slowdown and
/// shutdown are negative (H100: 0, −2 and −8).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct MarginOffsets {
    pub shutdown: Option<Celsius>,
    pub slowdown: Option<Celsius>,
    pub mem_max: Option<Celsius>,
    pub gpu_max: Option<Celsius>,
}

/// Constants of one card under one driver.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Facts {
    /// `None`: the card has no power limit to set (laptops, GB10, very old cards), or its range
    /// couldn't be read yet.
    pub power: Option<PowerConstraints>,
    pub thresholds: Thresholds,
    pub margin_offsets: MarginOffsets,
    /// The range in which the GPU clock can be locked.
    pub gpu_clock_min: Option<Megahertz>,
    pub gpu_clock_max: Option<Megahertz>,
    /// Supported GPU clocks at the highest memory clock, highest first. Empty: the card lists none.
    pub gpu_clocks: Vec<Megahertz>,
    pub memory_clock_max: Option<Megahertz>,
    pub video_clock_max: Option<Megahertz>,
    /// Supported memory clocks, highest first. If there is only one, a lock has no effect.
    pub memory_clocks: Vec<Megahertz>,
    /// The fans that the driver controls; none on a passively cooled card.
    pub fans: usize,
    /// The highest speed that a program may set, in percent.
    pub fan_highest: Option<u32>,
    /// The slowdown reasons that this card can report.
    pub supported_reasons: SlowdownReasons,
}

impl Facts {
    /// A lock of this clock can do something.
    pub fn can_lock(&self, domain: ClockDomain) -> bool {
        match domain {
            ClockDomain::Gpu => self.gpu_clock_max.is_some(),
            ClockDomain::Memory => self.memory_clocks.len() > 1,
        }
    }

    /// The card tells how hot its memory may be, so it has a sensor for it.
    pub fn tells_memory_limit(&self) -> bool {
        self.thresholds.mem_max.is_some() || self.margin_offsets.mem_max.is_some()
    }
}
