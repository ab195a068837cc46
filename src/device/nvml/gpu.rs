//! One open GPU: its readings on each tick, and its settings.

use std::sync::Arc;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::{FanControlPolicy, GpuLockedClocksSetting};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;

use crate::device::plausible::is_temperature;
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockDomain, ClockRange, DriverError, Facts, FanSetting,
    Identity, Missing, Reading, Sensor, Slow, SlowdownReasons,
};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::codes::classify;
use super::facts::Constants;
use super::power::Profiles;
use super::raw::Card;
use super::reasons::slowdown_reasons;
use super::slow;
use super::unsupported::{Call, OpenCard, Way};

/// A GPU through its NVML handle. Dropping the last one unloads the library.
#[derive(Debug)]
pub(crate) struct NvmlGpu {
    constants: Constants,
    card: OpenCard,
    /// The memory sensor has given a temperature on this handle, so the card has one.
    memory_seen: bool,
    profiles: Profiles,
    slow: Slow,
}

impl NvmlGpu {
    pub(crate) fn open(card: Card, index: u32) -> Result<Self, DriverError> {
        Ok(Self {
            constants: Constants::of(&card, index)?,
            card: OpenCard::new(card),
            memory_seen: false,
            profiles: Profiles::default(),
            slow: Slow::default(),
        })
    }

    /// The core sensor. Without it the guard is blind. So it is asked on every tick, even if the
    /// card refuses both calls, while other calls would be given up.
    fn core(&mut self) -> Result<Celsius, Missing> {
        let legacy = |card: &Card| {
            let degrees = card.device().temperature(TemperatureSensor::Gpu)?;
            // The call returns an unsigned number, but the sensor is signed.
            Ok(celsius(degrees.cast_signed()))
        };
        let newer = |card: &Card| card.temperature().map(celsius);
        let ways: [Way<Celsius>; 2] = [(Call::Temperature, legacy), (Call::TemperatureV, newer)];
        let core = self.card.either(ways, is_temperature);
        if core == Err(Missing::NotSupported) {
            self.card.forget(Call::Temperature);
            self.card.forget(Call::TemperatureV);
        }
        core
    }

    /// The HBM sensor.
    fn memory(&mut self) -> Result<Celsius, Missing> {
        let memory = self.card.ask(Call::MemoryTemperature, |card| {
            let [memory] = card.temperature_fields([NVML_FI_DEV_MEMORY_TEMP])?;
            memory
        })?;
        self.memory_seen |= is_temperature(memory);
        let is_there = self.memory_seen || self.constants.facts.tells_memory_limit();
        believed(memory, is_there)
    }

    fn slowdown_reasons(&mut self) -> Result<SlowdownReasons, Missing> {
        let ways: [Way<u64>; 2] = [
            (Call::EventReasons, Card::event_reasons),
            (Call::ThrottleReasons, Card::throttle_reasons),
        ];
        let mask = self.card.either(ways, |_| true);
        mask.map(slowdown_reasons)
    }

    fn watts(
        &mut self,
        call: Call,
        read: impl FnOnce(&Card) -> Result<u32, NvmlError>,
    ) -> Result<Watts, Missing> {
        self.card.ask(call, read).map(Watts::from_milliwatts)
    }

    fn device(&self) -> Device<'_> {
        self.card.handle().device()
    }
}

fn celsius(degrees: i32) -> Celsius {
    Celsius::new(f64::from(degrees))
}

/// What drivers report, with success, for a memory sensor that doesn't exist: 0, all bits of a
/// byte, all bits of a word, signed and unsigned.
const PLACEHOLDERS: [f64; 4] = [0.0, 255.0, -1.0, 4_294_967_295.0];

/// Most cards without a memory sensor refuse the call; some answer with a placeholder. If the
/// sensor `is_there`, the placeholder is returned as it is: the judge of readings treats it as a
/// failed one.
pub(crate) fn believed(memory: Celsius, is_there: bool) -> Result<Celsius, Missing> {
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
            // No other call would answer, and calls into a lost card may be slow.
            return Reading::missing(now, Missing::Lost);
        }
        let utilization = self
            .card
            .ask(Call::Utilization, |card| card.device().utilization_rates());
        let mut reading = Reading {
            at: now,
            core,
            memory: self.memory(),
            margin: self.card.ask(Call::Margin, Card::margin).map(celsius),
            draw: self.watts(Call::PowerUsage, |card| card.device().power_usage()),
            limit: self.watts(Call::PowerLimit, |card| {
                card.device().power_management_limit()
            }),
            enforced_limit: self.watts(Call::EnforcedPowerLimit, |card| {
                card.device().enforced_power_limit()
            }),
            gpu_clock: self
                .card
                .ask(Call::SmClock, |card| card.device().clock_info(Clock::SM))
                .map(Megahertz::new),
            slowdown_reasons: self.slowdown_reasons(),
            utilization: utilization
                .as_ref()
                .map(|rates| Ratio::from_percent(rates.gpu))
                .map_err(|&missing| missing),
            slow: Slow::default(),
        };
        if cadence == Cadence::Full {
            // If the card is lost during this, the next read of its core shows it.
            let _ = self.constants.ask(self.card.handle());
            // This comes last, because it takes milliseconds, and the other readings should be of
            // one moment.
            let fans = self.constants.fans;
            self.slow = slow::read(&mut self.card, fans, utilization.ok().as_ref());
            self.slow.power_profiles = self.profiles.read(&mut self.card);
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

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        let (min_clock_mhz, max_clock_mhz) = (range.min.megahertz(), range.max.megahertz());
        let mut device = self.device();
        let written = match domain {
            ClockDomain::Gpu => device.set_gpu_locked_clocks(GpuLockedClocksSetting::Numeric {
                min_clock_mhz,
                max_clock_mhz,
            }),
            ClockDomain::Memory => device.set_mem_locked_clocks(min_clock_mhz, max_clock_mhz),
        };
        written.map_err(actuator_error)
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        let mut device = self.device();
        let written = match domain {
            ClockDomain::Gpu => device.reset_gpu_locked_clocks(),
            ClockDomain::Memory => device.reset_mem_locked_clocks(),
        };
        written.map_err(actuator_error)
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        self.fan_setting(number(fan)?).map_err(actuator_error)
    }

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError> {
        let fan = number(fan)?;
        let mut device = self.device();
        let written = match setting {
            FanSetting::Automatic => device.set_default_fan_speed(fan),
            FanSetting::Manual { percent } => device.set_fan_speed(fan, percent),
        };
        written.map_err(actuator_error)
    }
}

impl NvmlGpu {
    fn fan_setting(&self, fan: u32) -> Result<FanSetting, NvmlError> {
        Ok(match self.device().fan_control_policy(fan)? {
            FanControlPolicy::TemperatureContinousSw => FanSetting::Automatic,
            FanControlPolicy::Manual => FanSetting::Manual {
                percent: self.card.handle().fan_target(fan)?,
            },
        })
    }
}

/// NVML's number of a fan.
fn number(fan: usize) -> Result<u32, ActuatorError> {
    u32::try_from(fan).map_err(|_| ActuatorError::OutOfRange)
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
