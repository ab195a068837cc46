//! An open GPU: its readings ([`Sensor`]) and its settings ([`Actuator`]).

use std::sync::Arc;

use crate::units::{Megahertz, Moment, Watts};

use super::error::ActuatorError;
use super::facts::{Facts, Identity};
use super::knob::ClockDomain;
use super::reading::Reading;

/// Which readings a tick wants. The control loop reads fast on every tick, and full now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Temperatures, power, limits, clocks, slowdown reasons: microseconds each.
    Fast,
    /// Also fans, energy, memory, ECC and counters, which cost milliseconds.
    Full,
}

/// The readings of a GPU. Reading needs no privilege.
pub trait Sensor {
    fn identity(&self) -> &Arc<Identity>;

    /// Constants of this card and driver, as far as they are known. A full read asks again for
    /// those that aren't known yet. If the facts change, they are in a new `Arc`.
    fn facts(&self) -> &Arc<Facts>;

    /// Reads the card once. It never fails as a whole: each value that couldn't be read says why.
    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading;
}

/// The settings of a GPU. Writing needs root or `CAP_SYS_ADMIN`.
pub trait Actuator {
    /// The requested power limit, as the card holds it now. Not the limit in force, which
    /// out-of-band controls can lower.
    fn power_limit(&mut self) -> Result<Watts, ActuatorError>;

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError>;

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError>;

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError>;

    /// Who sets the speed of a fan, straight from the card.
    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError>;

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError>;

    /// False for an actuator that only pretends (`mode: observe`).
    fn writes(&self) -> bool {
        true
    }
}

/// An open GPU. One worker thread owns it.
pub trait Gpu: Sensor + Actuator + Send {}

impl<T: Sensor + Actuator + Send> Gpu for T {}

/// Who sets the speed of a fan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanSetting {
    /// The card's firmware, by the temperature.
    Automatic,
    /// A program did, and it stays, whatever the temperature.
    Manual { percent: u32 },
}

/// A clock lock: the card may choose any clock in this range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRange {
    pub min: Megahertz,
    pub max: Megahertz,
}
