//! One open GPU: what it says every tick, and what it can be told.

use std::sync::Arc;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;

use crate::device::nvml_raw::Card;
use crate::device::plausible::is_temperature;
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockEvents, ClockRange, DriverError, Facts, Identity,
    Missing, Reading, Sensor, Slow,
};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::codes::classify;
use super::facts::Constants;
use super::probe::{Call, Probe, Way};
use super::slow;

/// A GPU through its NVML handle. Dropping the last one unloads the library.
#[derive(Debug)]
pub(super) struct NvmlGpu {
    constants: Constants,
    probe: Probe,
    /// The memory sensor has given a temperature on this handle, so it has one.
    memory_seen: bool,
    slow: Slow,
}

impl NvmlGpu {
    pub(super) fn open(card: Card, index: u32) -> Result<Self, DriverError> {
        Ok(Self {
            constants: Constants::of(&card, index)?,
            probe: Probe::new(card),
            memory_seen: false,
            slow: Slow::default(),
        })
    }

    /// The core sensor. Without it the guard is blind, so a card that refuses both calls is asked
    /// on every tick, where other calls would be given up.
    fn core(&mut self) -> Result<Celsius, Missing> {
        let legacy = |card: &Card| {
            let degrees = card.device().temperature(TemperatureSensor::Gpu)?;
            // The call's type has no sign, the sensor has.
            Ok(celsius(degrees.cast_signed()))
        };
        let newer = |card: &Card| card.temperature().map(celsius);
        let ways: [Way<Celsius>; 2] = [(Call::Temperature, legacy), (Call::TemperatureV, newer)];
        let core = self.probe.either(ways, is_temperature);
        if core == Err(Missing::NotSupported) {
            self.probe.forget(Call::Temperature);
            self.probe.forget(Call::TemperatureV);
        }
        core
    }

    /// The HBM sensor.
    fn memory(&mut self) -> Result<Celsius, Missing> {
        let memory = self.probe.ask(Call::MemoryTemperature, |card| {
            let [memory] = card.temperature_fields([NVML_FI_DEV_MEMORY_TEMP])?;
            memory
        })?;
        self.memory_seen |= is_temperature(memory);
        let is_there = self.memory_seen || self.constants.facts.tells_memory_limit();
        believed(memory, is_there)
    }

    fn events(&mut self) -> Result<ClockEvents, Missing> {
        let ways: [Way<u64>; 2] = [
            (Call::EventReasons, Card::event_reasons),
            (Call::ThrottleReasons, Card::throttle_reasons),
        ];
        let mask = self.probe.either(ways, |_| true);
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

fn celsius(degrees: i32) -> Celsius {
    Celsius::new(f64::from(degrees))
}

/// What drivers say, with success, of a memory sensor that isn't there: nothing, all bits of a byte,
/// all bits of a word with a sign and without.
const PLACEHOLDERS: [f64; 4] = [0.0, 255.0, -1.0, 4_294_967_295.0];

/// Cards without a memory sensor mostly refuse; some answer with a placeholder. From a sensor that
/// `is_there` it is passed up as it is: a failed reading, for who judges readings.
pub(in crate::device) fn believed(memory: Celsius, is_there: bool) -> Result<Celsius, Missing> {
    let is_placeholder = PLACEHOLDERS.map(Celsius::new).contains(&memory);
    if is_placeholder && !is_there {
        Err(Missing::NotSupported)
    } else {
        Ok(memory)
    }
}

impl Sensor for NvmlGpu {
    fn identity(&self) -> &Arc<Identity> {
        &self.constants.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.constants.facts
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
            memory: self.memory(),
            margin: self.probe.ask(Call::Margin, Card::margin).map(celsius),
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
            // A card that is lost in here says so to the next read of its core.
            let _ = self.constants.ask(self.probe.card());
            // Last: it takes milliseconds, and the rest is to be of one moment.
            let fans = self.constants.fans;
            self.slow = slow::read(&mut self.probe, fans, utilization.ok().as_ref());
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
    fn a_placeholder_of_a_sensor_that_was_never_there_means_that_there_is_none() {
        for placeholder in PLACEHOLDERS.map(Celsius::new) {
            let none = Err(Missing::NotSupported);
            assert_eq!(believed(placeholder, false), none, "{placeholder}");
            assert_eq!(believed(placeholder, true), Ok(placeholder));
        }
    }

    #[test]
    fn any_other_number_is_passed_up_as_it_is() {
        for degrees in [-256.0, -2.0, 1.0, 88.0, 254.0, 256.0, 511.0] {
            let degrees = Celsius::new(degrees);
            assert_eq!(believed(degrees, false), Ok(degrees));
            assert_eq!(believed(degrees, true), Ok(degrees));
        }
    }
}
