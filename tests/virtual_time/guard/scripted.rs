//! A simulated card behind a driver that follows a script.

use thermal_guard::device::{Actuator, DriverError, Facts, Reading, Sensor, Slow};

use super::*;

/// The answers of the driver to writes.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one way in which a driver can misbehave"
)]
pub(super) struct Script {
    /// The answers to the next writes of a limit; after them, the card's own.
    pub(super) limits: Vec<ActuatorError>,
    pub(super) refuse_limit: Option<(Watts, ActuatorError)>,
    pub(super) refuse_lock: Option<(ClockRange, ActuatorError)>,
    pub(super) no_limits: bool,
    /// Writes are taken, and nothing is set.
    pub(super) deaf: bool,
    pub(super) refuse_reset: bool,
    /// The answer to the next question for a fan.
    pub(super) odd_fan: Option<FanSetting>,
    /// What the next full reading says of the limit, and of the energy.
    pub(super) odd_limit: Option<Watts>,
    pub(super) odd_energy: Option<u64>,
    /// The slow part of the last full reading, as NVML's fast ones repeat it.
    pub(super) slow: Option<Slow>,
    /// The next reading panics: a bug of the guard.
    pub(super) blunder: bool,
    /// How the card was read.
    pub(super) readings: Vec<Cadence>,
    /// Happens while the card is being closed.
    pub(super) on_close: Option<Box<dyn FnOnce() + Send>>,
}

/// A simulated card behind a driver that follows the script.
struct Scripted {
    gpu: Box<dyn Gpu>,
    script: Arc<Mutex<Script>>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let on_close = self.script.lock().unwrap().on_close.take();
        if let Some(on_close) = on_close {
            on_close();
        }
    }
}

impl Sensor for Scripted {
    fn identity(&self) -> &Arc<Identity> {
        self.gpu.identity()
    }

    fn facts(&self) -> &Arc<Facts> {
        self.gpu.facts()
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        let mut script = self.script.lock().unwrap();
        script.readings.push(cadence);
        let blunder = std::mem::take(&mut script.blunder);
        drop(script);
        assert!(!blunder, "planted");
        let mut reading = self.gpu.read(now, cadence);
        let mut script = self.script.lock().unwrap();
        reading.limit = script.odd_limit.take().map_or(reading.limit, Ok);
        if cadence == Cadence::Full {
            let odd = script.odd_energy.take();
            reading.slow.energy_millijoules = odd.or(reading.slow.energy_millijoules);
            script.slow = Some(reading.slow.clone());
        }
        reading.slow = script.slow.clone().unwrap_or(reading.slow);
        reading
    }
}

impl Actuator for Scripted {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.gpu.power_limit()
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        let mut script = self.script.lock().unwrap();
        if script.no_limits {
            return Err(ActuatorError::NoPermission);
        }
        if script.deaf {
            return Ok(());
        }
        if let Some(error) = script.limits.pop() {
            return Err(error);
        }
        match script.refuse_limit {
            Some((refused, error)) if refused == limit => Err(error),
            _ => self.gpu.set_power_limit(limit),
        }
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        let script = self.script.lock().unwrap();
        match script.refuse_lock {
            _ if script.deaf => Ok(()),
            Some((refused, error)) if refused == range => Err(error),
            _ => self.gpu.lock_clock(domain, range),
        }
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        let odd = self.script.lock().unwrap().odd_fan.take();
        odd.map_or_else(|| self.gpu.fan(fan), Ok)
    }

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError> {
        self.gpu.set_fan(fan, setting)
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        if self.script.lock().unwrap().refuse_reset {
            return Err(ActuatorError::Transient(nvml::code(999)));
        }
        self.gpu.reset_clock(domain)
    }
}

pub(super) struct ScriptedDriver(pub(super) Rack, pub(super) Arc<Mutex<Script>>);

impl Driver for ScriptedDriver {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.0.inventory()
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        Ok(Box::new(Scripted {
            gpu: self.0.open(uuid)?,
            script: self.1.clone(),
        }))
    }
}
