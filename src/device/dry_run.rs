//! A GPU that is watched and never touched (`mode: observe`): reads are real, writes are dropped.

use std::sync::Arc;

use crate::units::{Moment, Watts};

use super::{
    Actuator, ActuatorError, Cadence, ClockRange, Driver, DriverError, EventSource, Facts, Gpu,
    Identity, Reading, Sensor, Uuid,
};

/// A GPU whose writes all succeed and do nothing.
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
    /// The real one: what was "set" is not read back.
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.0.power_limit()
    }

    fn set_power_limit(&mut self, _: Watts) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn lock_gpu_clock(&mut self, _: ClockRange) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn reset_gpu_clock(&mut self) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn lock_memory_clock(&mut self, _: ClockRange) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn reset_memory_clock(&mut self) -> Result<(), ActuatorError> {
        Ok(())
    }

    fn writes(&self) -> bool {
        false
    }
}

/// A driver that hands out all its GPUs in [`DryRun`].
pub struct Observing(pub Arc<dyn Driver>);

impl Driver for Observing {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.0.inventory()
    }

    fn count(&self) -> Result<usize, DriverError> {
        self.0.count()
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        Ok(Box::new(DryRun(self.0.open(uuid)?)))
    }

    fn events(&self) -> Result<Option<Box<dyn EventSource>>, DriverError> {
        self.0.events()
    }
}
