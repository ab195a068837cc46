//! The card as the worker sees it: a driver with one GPU. It takes the writes that a real card takes,
//! and tells what the course and the fit say.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backtest::card::megahertz;
use crate::device::nvml::no_such_gpu;
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockDomain, ClockRange, Driver, DriverError, Facts,
    FanSetting, Gpu, Identity, Missing, Reading, Sensor, SlowdownReason, SlowdownReasons, Uuid,
};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

/// The card at this moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) core: f64,
    pub(super) memory: Option<f64>,
    pub(super) watts: f64,
    pub(super) clock: Option<f64>,
    pub(super) busy: bool,
    pub(super) limit: Watts,
    pub(super) lock: Option<Megahertz>,
}

/// Clones share the card.
#[derive(Clone)]
pub(super) struct Bench {
    now: Arc<Mutex<Now>>,
    identity: Arc<Identity>,
    facts: Arc<Facts>,
}

impl Bench {
    pub(super) fn new(facts: &Facts, now: Now) -> Self {
        let identity = Identity {
            uuid: Uuid::new("GPU-backtest"),
            index: 0,
            name: "recorded card".to_owned(),
            pci_bus_id: "00000000:01:00.0".to_owned(),
            serial: None,
            vbios_version: None,
            driver_version: None,
            architecture: None,
            brand: None,
            instance_uuids: Vec::new(),
        };
        Self {
            now: Arc::new(Mutex::new(now)),
            identity: Arc::new(identity),
            facts: Arc::new(facts.clone()),
        }
    }

    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn identity(&self) -> Arc<Identity> {
        self.identity.clone()
    }

    fn power(&self) -> Result<(), ActuatorError> {
        self.facts.power.map(drop).ok_or(ActuatorError::Unsupported)
    }
}

impl Driver for Bench {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        Ok(vec![self.identity()])
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        if *uuid != self.identity.uuid {
            return Err(no_such_gpu(uuid));
        }
        Ok(Box::new(self.clone()))
    }
}

impl Sensor for Bench {
    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn read(&mut self, at: Moment, _: Cadence) -> Reading {
        let now = *self.now();
        let none = Missing::NotSupported;
        let whole = |degrees: f64| Celsius::new(degrees.round());
        let limit = self.facts.power.map(|_| now.limit).ok_or(none);
        let mut reasons = SlowdownReasons::NONE;
        if !now.busy {
            reasons = reasons.with(SlowdownReason::Idle);
        }
        Reading {
            core: Ok(whole(now.core)),
            memory: now.memory.map(whole).ok_or(none),
            draw: Ok(Watts::from_f64(now.watts)),
            limit,
            enforced_limit: limit,
            gpu_clock: now.clock.map(megahertz).ok_or(none),
            slowdown_reasons: Ok(reasons),
            utilization: Ok(Ratio::new(if now.busy { 1.0 } else { 0.0 })),
            ..Reading::missing(at, none)
        }
    }
}

impl Actuator for Bench {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.power()?;
        Ok(self.now().limit)
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        self.power()?;
        self.now().limit = limit;
        Ok(())
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        if domain == ClockDomain::Memory {
            return Err(ActuatorError::Unsupported);
        }
        self.now().lock = Some(range.max);
        Ok(())
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        if domain == ClockDomain::Memory {
            return Err(ActuatorError::Unsupported);
        }
        self.now().lock = None;
        Ok(())
    }

    fn fan(&mut self, _: usize) -> Result<FanSetting, ActuatorError> {
        Err(ActuatorError::Unsupported)
    }

    fn set_fan(&mut self, _: usize, _: FanSetting) -> Result<(), ActuatorError> {
        Err(ActuatorError::Unsupported)
    }
}
