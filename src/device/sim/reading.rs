//! What a card says, which may be what is true.

use std::time::Duration;

use crate::device::clock_events::ClockEvents;
use crate::device::faults::{Call, NOT_SUPPORTED, Said, bits, degrees, noise};
use crate::device::nvml::{believed, missing};
use crate::device::plausible::is_temperature;
use crate::device::{Missing, Reading, Slow};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::{Card, Fault};

/// Half the width of the sensor's noise before it rounds to whole degrees.
const NOISE: f64 = 0.4;

/// What one open handle knows of its card, as the driver's layer keeps it.
#[derive(Debug, Default)]
pub(super) struct Handle {
    pub(super) memory_seen: bool,
    pub(super) tells_memory_limit: bool,
    pub(super) fans: u32,
}

impl Card {
    pub(super) fn read(&mut self, now: Moment, handle: &mut Handle) -> Reading {
        self.catch_up(now);
        if self.fault == Fault::Lost {
            return Reading::missing(now, Missing::Lost);
        }
        self.feel(Duration::ZERO);
        let own = noise(&mut self.noise) * NOISE;
        let core = self.core(own);
        if core == Err(Missing::Lost) {
            return Reading::missing(now, Missing::Lost);
        }
        let limit = Ok(self.limit);
        let (clock, events) = (self.flow.gpu_clock, self.events());
        let utilization = Ok(self.flow.utilization);
        Reading {
            at: now,
            core,
            memory: self.memory(own, handle),
            margin: self.margin_told(own),
            draw: self.draw_told(),
            limit: self.asked(Call::PowerLimit, limit, watts),
            enforced_limit: self.asked(Call::EnforcedPowerLimit, limit, watts),
            gpu_clock: self.asked(Call::SmClock, Ok(clock), megahertz),
            events: self.reasons(events),
            utilization: self.asked(Call::Utilization, utilization, |number| {
                Ratio::from_percent(bits(number))
            }),
            slow: self.slow(handle),
        }
    }

    /// What `call` says: what it was told to, or the truth.
    fn asked<T>(
        &mut self,
        call: Call,
        truth: Result<T, Missing>,
        value: impl FnOnce(i64) -> T,
    ) -> Result<T, Missing> {
        match self.faults.answers.ask(call) {
            Said::Truth => truth,
            Said::Value(number) => Ok(value(number)),
            Said::Code(code) => Err(missing(code)),
        }
    }

    /// The core sensor: refused by both of its calls, it is asked again on the next tick.
    fn core(&mut self, own: f64) -> Result<Celsius, Missing> {
        let truth = self.sensed(own);
        let legacy = self.asked(Call::Temperature, truth, celsius);
        if legacy != Err(Missing::NotSupported) {
            return legacy;
        }
        self.asked(Call::TemperatureV, truth, celsius)
    }

    fn sensed(&mut self, own: f64) -> Result<Celsius, Missing> {
        match self.fault {
            Fault::NoTemperature => return Err(Missing::Failed(999)),
            Fault::FrozenTemperature => {}
            _ => {
                let felt = self.senses.core.tell(&self.faults.core, own);
                self.last_temperature = Celsius::new(felt.round());
            }
        }
        Ok(self.last_temperature)
    }

    fn memory(&mut self, own: f64, handle: &mut Handle) -> Result<Celsius, Missing> {
        let felt = self.senses.memory.tell(&self.faults.memory, own);
        let has_sensor = self.profile.hbm.is_some();
        let truth = has_sensor.then(|| Celsius::new(felt.round()));
        let truth = truth.ok_or(Missing::NotSupported);
        let memory = self.asked(Call::MemoryTemperature, truth, celsius)?;
        handle.memory_seen |= is_temperature(memory);
        believed(memory, handle.memory_seen || handle.tells_memory_limit)
    }

    fn margin_told(&mut self, own: f64) -> Result<Celsius, Missing> {
        let felt = self.senses.margin.tell(&self.faults.margin, -own);
        let has_margin = self.faults.told.has_margin(self.profile);
        let truth = has_margin.then(|| Celsius::new(felt.round()));
        let truth = truth.ok_or(Missing::NotSupported);
        self.asked(Call::Margin, truth, celsius)
    }

    fn draw_told(&mut self) -> Result<Watts, Missing> {
        let felt = self.senses.draw.tell(&self.faults.draw, 0.0);
        let truth = Ok(Watts::from_f64(felt));
        self.asked(Call::PowerUsage, truth, watts)
    }

    fn events(&self) -> ClockEvents {
        ClockEvents::from_bits(self.faults.events.told(self.flow.events.bits()))
    }

    fn reasons(&mut self, truth: ClockEvents) -> Result<ClockEvents, Missing> {
        let mask = |number: i64| ClockEvents::from_bits(number.cast_unsigned());
        match self.asked(Call::EventReasons, Ok(truth), mask) {
            Err(Missing::NotSupported) => self.asked(Call::ThrottleReasons, Ok(truth), mask),
            newer => newer,
        }
    }

    fn slow(&mut self, handle: &mut Handle) -> Slow {
        let memory_clock = self.memory_clock.map(|range| range.max);
        let memory_clock = memory_clock.or(self.profile.memory_clocks.first().copied());
        let state = if self.flow.events == ClockEvents::GPU_IDLE {
            8
        } else {
            0
        };
        let (clock, fan) = (self.flow.gpu_clock, fan_speed(self.state.die));
        let energy = to_u64(self.state.energy_joules * 1e3);
        let percent = |number| Ratio::from_percent(bits(number));
        let memory = memory_clock.ok_or(Missing::NotSupported);
        let fans = 0..handle.fans;
        Slow {
            graphics_clock: self.asked(Call::GraphicsClock, Ok(clock), megahertz).ok(),
            memory_clock: self.asked(Call::MemoryClock, memory, megahertz).ok(),
            video_clock: None,
            performance_state: self.asked(Call::PerformanceState, Ok(state), bits).ok(),
            persistence_mode: self
                .asked(Call::PersistenceMode, Ok(true), |number| number != 0)
                .ok(),
            memory_utilization: Some(Ratio::new(self.flow.utilization.value() * 0.5)),
            memory_total_bytes: Some(self.profile.memory_bytes),
            memory_used_bytes: Some(self.profile.memory_bytes / 2),
            energy_millijoules: self
                .asked(Call::Energy, Ok(energy), i64::cast_unsigned)
                .ok(),
            fan_speeds: fans
                .map(|_| self.asked(Call::FanSpeed, Ok(fan), percent).ok())
                .collect(),
            ecc_corrected: [self.profile.ecc.then_some(0); 2],
            ecc_uncorrected: [self.profile.ecc.then_some(0); 2],
            event_nanoseconds: self
                .state
                .event_seconds
                .map(|seconds| Some(to_u64(seconds * 1e9))),
        }
    }

    /// The getter, as a setter's counterpart asks it.
    pub(super) fn limit_told(&mut self) -> Result<Watts, u32> {
        match self.faults.answers.ask(Call::PowerLimit) {
            Said::Truth => Ok(self.limit),
            Said::Value(number) => Ok(watts(number)),
            Said::Code(code) => Err(code),
        }
    }

    /// A constant of the card, in the call's own unit, or the code it comes to.
    pub(super) fn constant(&mut self, call: Call, truth: Option<i64>) -> Result<i64, u32> {
        match self.faults.answers.ask(call) {
            Said::Truth => truth.ok_or(NOT_SUPPORTED),
            Said::Value(number) => Ok(number),
            Said::Code(code) => Err(code),
        }
    }
}

fn celsius(number: i64) -> Celsius {
    Celsius::new(degrees(number))
}

fn watts(number: i64) -> Watts {
    Watts::from_milliwatts(bits(number))
}

fn megahertz(number: i64) -> Megahertz {
    Megahertz::new(bits(number))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative"
)]
fn to_u64(value: f64) -> u64 {
    value as u64
}

/// A plain fan curve, for show: airflow is the world's, not the card's.
fn fan_speed(die: f64) -> Ratio {
    Ratio::new(((die - 30.0) / 60.0).clamp(0.3, 1.0))
}
