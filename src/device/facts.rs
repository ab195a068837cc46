//! What rarely changes while a driver stays loaded: identity, thresholds, constraints.

use crate::units::{Celsius, Megahertz, Ratio, Watts};

use super::{ClockEvents, Uuid};

/// Who a GPU is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uuid: Uuid,
    /// NVML index, the `gpu` label: may change with the next boot.
    pub index: u32,
    pub name: String,
    /// `00000000:65:00.0`, as NVML prints it.
    pub pci_bus_id: String,
    pub serial: Option<String>,
    pub vbios_version: Option<String>,
    pub driver_version: Option<String>,
    pub architecture: Option<String>,
    pub brand: Option<String>,
    /// UUIDs of its MIG instances: an alert on one of them is an alert on this card.
    pub mig_uuids: Vec<String>,
}

/// The range a card accepts power limits in.
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

/// Absolute temperature thresholds, where the card still offers them (not preferred from Ada on).
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

/// T.Limit offsets: at which *margin* the card acts. 0 is the maximum operating temperature,
/// slowdown and shutdown are negative (H100: 0 / −2 / −8).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TlimitOffsets {
    pub shutdown: Option<Celsius>,
    pub slowdown: Option<Celsius>,
    pub mem_max: Option<Celsius>,
    pub gpu_max: Option<Celsius>,
}

/// Constants of one card under one driver.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Facts {
    /// `None`: the card has no power limit to set (laptops, GB10, very old cards), or hasn't told
    /// its range yet.
    pub power: Option<PowerConstraints>,
    pub thresholds: Thresholds,
    pub tlimit: TlimitOffsets,
    /// Graphics clock range the SM lock moves in.
    pub gpu_clock_min: Option<Megahertz>,
    pub gpu_clock_max: Option<Megahertz>,
    pub memory_clock_max: Option<Megahertz>,
    pub video_clock_max: Option<Megahertz>,
    /// Supported memory clocks, highest first. One entry: a memory lock can't do anything.
    pub memory_clocks: Vec<Megahertz>,
    /// Clock event reasons this card can report.
    pub supported_events: ClockEvents,
}

impl Facts {
    /// The card says how hot its memory may be, so that it has a sensor for it.
    pub fn tells_memory_limit(&self) -> bool {
        self.thresholds.mem_max.is_some() || self.tlimit.mem_max.is_some()
    }
}
