//! What a simulated card is.

use crate::units::{Celsius, Megahertz, Ratio, Watts};

use super::curve::Curve;
use super::sensing::Sensing;
use super::thermal::Thermal;

/// A card.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name on the command line.
    pub key: &'static str,
    pub name: &'static str,
    pub architecture: &'static str,
    /// Whether the limit can be set. If it can't, the card's firmware holds it at its default.
    pub limit: LimitOffer,
    pub default_limit: Watts,
    pub min_limit: Watts,
    pub max_limit: Watts,
    pub idle_power: Watts,
    pub max_operating: Celsius,
    pub slowdown: Celsius,
    pub shutdown: Celsius,
    /// The driver gives the absolute thresholds (older drivers and cards).
    pub has_thresholds: bool,
    /// The driver gives the margin and its offsets (from Ada and Hopper on, but not GeForce).
    pub has_margin: bool,
    pub acoustic_target: Option<Celsius>,
    /// The core temperature at which the driver's own slowdown begins, if that is below the maximum
    /// operating temperature.
    pub slows_at: Option<Celsius>,
    pub hbm: Option<Hbm>,
    pub gpu_clock_min: Megahertz,
    pub gpu_clock_max: Megahertz,
    /// Highest first. Empty: the card lists neither memory nor GPU clocks.
    pub memory_clocks: &'static [Megahertz],
    /// 0: the card doesn't tell.
    pub memory_bytes: u64,
    pub fans: u32,
    pub ecc: bool,
    pub thermal: Thermal,
    pub sensing: Sensing,
    pub curve: &'static Curve,
}

/// How a card stands to its power limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOffer {
    Settable,
    /// The driver tells range and limit, and refuses every new one.
    Refused,
    /// The driver tells nothing of it.
    Absent,
}

/// High-bandwidth memory with a sensor of its own.
#[derive(Clone, Copy, Debug)]
pub struct Hbm {
    pub max: Celsius,
    /// The driver gives the absolute limit.
    pub has_threshold: bool,
    /// Rise over the heat sink at the card's default limit.
    pub rise: Celsius,
}

impl Profile {
    /// The lowest relative clock of the card.
    pub fn slowest(&self) -> f64 {
        self.gpu_clock_min.hertz() / self.gpu_clock_max.hertz()
    }

    /// The lowest draw that a guard's plan reaches at full load, as a share of the default limit: at the
    /// minimum limit, or at half of the clock where no limit can be set.
    pub fn lowest_draw(&self) -> f64 {
        match self.limit {
            LimitOffer::Settable => self.min_limit.as_f64() / self.default_limit.as_f64(),
            LimitOffer::Refused | LimitOffer::Absent => self.curve.power(LOWEST_CLOCK.value()),
        }
    }
}

/// The lowest clock lock of a guard's plan, as a share of the highest clock.
pub const LOWEST_CLOCK: Ratio = Ratio::new(0.5);
