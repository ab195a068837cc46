//! One open GPU: what it says every tick, and what it can be told.

use std::sync::Arc;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;

use crate::device::nvml_raw::Card;
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockEvents, ClockRange, DriverError, Facts, Identity,
    Missing, Reading, Sensor, Slow,
};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::codes::{classify, driver_error};
use super::facts;
use super::probe::{Call, Probe};
use super::slow;

/// A GPU through its NVML handle. Dropping the last one unloads the library.
#[derive(Debug)]
pub(super) struct NvmlGpu {
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    fans: u32,
    probe: Probe,
    /// The memory sensor has given a value on this handle, so a zero from it is a failure.
    memory_seen: bool,
    slow: Slow,
}

impl NvmlGpu {
    pub(super) fn open(card: Card, driver_version: Option<&str>) -> Result<Self, DriverError> {
        let index = card
            .device()
            .index()
            .map_err(|error| driver_error("nvmlDeviceGetIndex", error))?;
        let identity = facts::identity(&card, index, driver_version)?;
        let facts = facts::facts(&card)?;
        let fans = facts::fans(&card)?;
        Ok(Self {
            identity: Arc::new(identity),
            facts: Arc::new(facts),
            fans,
            probe: Probe::new(card),
            memory_seen: false,
            slow: Slow::default(),
        })
    }

    /// The core sensor. Without it the guard is blind, so a card that refuses both calls is asked
    /// again on the next tick, where other calls would be given up.
    fn core(&mut self) -> Result<Celsius, Missing> {
        let legacy = self.probe.ask(Call::Temperature, |card| {
            let degrees = card.device().temperature(TemperatureSensor::Gpu)?;
            // The call's type has no sign, the sensor has.
            Ok(degrees.cast_signed())
        });
        let degrees = match legacy {
            Err(Missing::NotSupported) => {
                let newer = self.probe.ask(Call::TemperatureV, Card::temperature);
                if newer == Err(Missing::NotSupported) {
                    self.probe.forget(Call::Temperature);
                    self.probe.forget(Call::TemperatureV);
                }
                newer
            }
            answer => answer,
        };
        degrees.map(|degrees| Celsius::new(f64::from(degrees)))
    }

    /// The HBM sensor.
    fn memory(&mut self, core: Result<Celsius, Missing>) -> Result<Celsius, Missing> {
        let memory = self.probe.ask(Call::MemoryTemperature, |card| {
            let [memory] = card.temperature_fields([NVML_FI_DEV_MEMORY_TEMP])?;
            memory
        })?;
        let memory = believed(memory, core, self.memory_seen)?;
        self.memory_seen = true;
        Ok(memory)
    }

    fn events(&mut self) -> Result<ClockEvents, Missing> {
        let newer = self.probe.ask(Call::EventReasons, Card::event_reasons);
        let mask = match newer {
            Err(Missing::NotSupported) => self
                .probe
                .ask(Call::ThrottleReasons, Card::throttle_reasons),
            answer => answer,
        };
        mask.map(ClockEvents::from_bits)
    }

    fn watts(
        &mut self,
        call: Call,
        read: impl FnOnce(&Card) -> Result<u32, NvmlError>,
    ) -> Result<Watts, Missing> {
        self.probe.ask(call, read).map(Watts::from_milliwatts)
    }

    fn device(&self) -> Device<'_> {
        self.probe.card().device()
    }
}

/// Cards without a memory sensor mostly refuse; some answer 0, which beside a warm core isn't a
/// temperature. From a sensor `seen` to work it is a failure, otherwise there is none.
pub(in crate::device) fn believed(
    memory: Celsius,
    core: Result<Celsius, Missing>,
    seen: bool,
) -> Result<Celsius, Missing> {
    let core_is_warm = core.is_ok_and(|core| core.degrees() > 0.0);
    match memory.degrees() == 0.0 && core_is_warm {
        true if seen => Err(Missing::Failed(NO_DATA)),
        true => Err(Missing::NotSupported),
        false => Ok(memory),
    }
}

/// `NVML_ERROR_NO_DATA`: what a zero that is no temperature comes down to.
const NO_DATA: u32 = 21;

impl Sensor for NvmlGpu {
    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        let core = self.core();
        if core == Err(Missing::Lost) {
            // Nothing else would answer, and calls into a lost card may be slow to say so.
            return Reading::missing(now, Missing::Lost);
        }
        let utilization = self
            .probe
            .ask(Call::Utilization, |card| card.device().utilization_rates());
        let mut reading = Reading {
            at: now,
            core,
            memory: self.memory(core),
            margin: self
                .probe
                .ask(Call::Margin, Card::margin)
                .map(|degrees| Celsius::new(f64::from(degrees))),
            draw: self.watts(Call::PowerUsage, |card| card.device().power_usage()),
            limit: self.watts(Call::PowerLimit, |card| {
                card.device().power_management_limit()
            }),
            enforced_limit: self.watts(Call::EnforcedPowerLimit, |card| {
                card.device().enforced_power_limit()
            }),
            gpu_clock: self
                .probe
                .ask(Call::SmClock, |card| card.device().clock_info(Clock::SM))
                .map(Megahertz::new),
            events: self.events(),
            utilization: utilization
                .as_ref()
                .map(|rates| Ratio::from_percent(rates.gpu))
                .map_err(|&missing| missing),
            slow: Slow::default(),
        };
        if cadence == Cadence::Full {
            // Last: it takes milliseconds, and the rest is to be of one moment.
            self.slow = slow::read(&mut self.probe, self.fans, utilization.ok().as_ref());
        }
        reading.slow = self.slow.clone();
        reading
    }
}

impl Actuator for NvmlGpu {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        let limit = self.device().power_management_limit();
        limit.map(Watts::from_milliwatts).map_err(actuator_error)
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        let written = self.device().set_power_management_limit(limit.milliwatts());
        written.map_err(actuator_error)
    }

    fn lock_gpu_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        let setting = GpuLockedClocksSetting::Numeric {
            min_clock_mhz: range.min.megahertz(),
            max_clock_mhz: range.max.megahertz(),
        };
        let written = self.device().set_gpu_locked_clocks(setting);
        written.map_err(actuator_error)
    }

    fn reset_gpu_clock(&mut self) -> Result<(), ActuatorError> {
        let written = self.device().reset_gpu_locked_clocks();
        written.map_err(actuator_error)
    }

    fn lock_memory_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        let (min, max) = (range.min.megahertz(), range.max.megahertz());
        let written = self.device().set_mem_locked_clocks(min, max);
        written.map_err(actuator_error)
    }

    fn reset_memory_clock(&mut self) -> Result<(), ActuatorError> {
        let written = self.device().reset_mem_locked_clocks();
        written.map_err(actuator_error)
    }
}

fn actuator_error(error: NvmlError) -> ActuatorError {
    classify(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_beside_a_warm_core_is_no_memory_temperature() {
        let (zero, warm) = (Celsius::new(0.0), Ok(Celsius::new(41.0)));
        assert_eq!(believed(zero, warm, false), Err(Missing::NotSupported));
        assert_eq!(believed(zero, warm, true), Err(Missing::Failed(NO_DATA)));
    }

    #[test]
    fn a_zero_in_the_cold_is_one() {
        let zero = Celsius::new(0.0);
        assert_eq!(believed(zero, Ok(zero), false), Ok(zero));
        let hot = Celsius::new(88.0);
        assert_eq!(believed(hot, Ok(zero), false), Ok(hot));
    }
}
