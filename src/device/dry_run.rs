//! A GPU that is never written to (`mode: observe`): reads are real, writes are dropped.

use std::sync::Arc;

use crate::units::{Moment, Watts};

use super::driver::{CriticalErrors, Driver};
use super::error::{ActuatorError, DriverError};
use super::facts::{Facts, Identity, Uuid};
use super::gpu::{Actuator, Cadence, ClockRange, FanSetting, Gpu, Sensor};
use super::knob::ClockDomain;
use super::reading::Reading;

/// A GPU on which every write succeeds and does nothing.
pub struct DryRun(pub Box<dyn Gpu>);

impl Sensor for DryRun {
    fn identity(&self) -> &Arc<Identity> {
        self.0.identity()
    }

    fn facts(&self) -> &Arc<Facts> {
        self.0.facts()
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        self.0.read(now, cadence)
    }
}

impl Actuator for DryRun {
    /// The real limit, not the one that was "set".
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.0.power_limit()
    }

    fn set_power_limit(&mut self, _: Watts) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn lock_clock(&mut self, _: ClockDomain, _: ClockRange) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn reset_clock(&mut self, _: ClockDomain) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        self.0.fan(fan)
    }

    fn set_fan(&mut self, _: usize, _: FanSetting) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn writes(&self) -> bool {
        false
    }
}

/// A driver that opens every GPU as a [`DryRun`].
pub struct Observing(pub Arc<dyn Driver>);

impl Driver for Observing {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.0.inventory()
    }

    fn library(&self) -> Option<String> {
        self.0.library()
    }

    fn count(&self) -> Result<usize, DriverError> {
        self.0.count()
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        Ok(Box::new(DryRun(self.0.open(uuid)?)))
    }

    fn critical_errors(&self) -> Result<Option<Box<dyn CriticalErrors>>, DriverError> {
        self.0.critical_errors()
    }
}
