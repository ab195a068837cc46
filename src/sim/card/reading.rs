//! The readings that a card gives, true or not.

use std::time::Duration;

use crate::device::nvml::{believed, code, missing, reasons_mask, slowdown_reasons};
use crate::device::plausible::is_temperature;
use crate::device::{Fan, FanPolicy, Missing, Reading, Slow, SlowdownReason, SlowdownReasons};
use crate::sim::fans::Rise;
use crate::sim::faults::{Call, Fault, NOT_SUPPORTED, Said, bits, degrees};
use crate::sim::profile::{LimitOffer, PowerReading};
use crate::sim::random::{noise, uniform};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::truth::Card;

/// What one open handle remembers of its card, as the NVML driver does.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    pub(crate) memory_seen: bool,
    pub(crate) tells_memory_limit: bool,
    pub(crate) fans: u32,
}

impl Card {
    pub(crate) fn read(&mut self, now: Moment, handle: &mut Handle) -> Reading {
        self.catch_up(now);
        if self.fault == Fault::Lost {
            return Reading::missing(now, Missing::Lost);
        }
        self.feel(Duration::ZERO);
        let own = noise(&mut self.noise) * self.profile.sensing.noise;
        let core = self.core(own);
        if core == Err(Missing::Lost) {
            return Reading::missing(now, Missing::Lost);
        }
        let limit = self.limit_offered().ok_or(Missing::NotSupported);
        let (clock, reasons) = (self.flow.gpu_clock, self.reasons_with_faults());
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
            slowdown_reasons: self.reasons(reasons),
            utilization: self.asked(Call::Utilization, utilization, |number| {
                Ratio::from_percent(bits(number))
            }),
            slow: self.slow(handle),
        }
    }

    /// The answer of `call`: the one that was set, or the truth.
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

    /// The core sensor. If the card refuses both calls, the next tick asks again.
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
            Fault::NoTemperature => return Err(Missing::Failed(code(999))),
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
        let truth = Ok(Watts::from_f64(felt * self.dip()));
        self.asked(Call::PowerUsage, truth, watts)
    }

    fn dip(&mut self) -> f64 {
        match self.profile.sensing.power {
            power @ PowerReading::Dipping => power.share_told(uniform(&mut self.noise)),
            PowerReading::Momentary | PowerReading::SecondsMean => 1.0,
        }
    }

    fn reasons_with_faults(&self) -> SlowdownReasons {
        let mask = reasons_mask(self.flow.slowdown_reasons);
        slowdown_reasons(self.faults.events.told(mask))
    }

    fn reasons(&mut self, truth: SlowdownReasons) -> Result<SlowdownReasons, Missing> {
        let mask = |number: i64| slowdown_reasons(number.cast_unsigned());
        match self.asked(Call::EventReasons, Ok(truth), mask) {
            Err(Missing::NotSupported) => self.asked(Call::ThrottleReasons, Ok(truth), mask),
            newer => newer,
        }
    }

    fn slow(&mut self, handle: &mut Handle) -> Slow {
        let memory_clock = self.memory_clock.map(|range| range.max);
        let memory_clock = memory_clock.or(self.profile.memory_clocks.first().copied());
        let state = if self.flow.slowdown_reasons.contains(SlowdownReason::Idle) {
            8
        } else {
            0
        };
        let clock = self.flow.gpu_clock;
        let energy = to_u64(self.state.energy_joules * 1e3);
        let memory = memory_clock.ok_or(Missing::NotSupported);
        let memory_total_bytes = Some(self.profile.memory_bytes).filter(|bytes| *bytes > 0);
        Slow {
            graphics_clock: self.asked(Call::GraphicsClock, Ok(clock), megahertz).ok(),
            memory_clock: self.asked(Call::MemoryClock, memory, megahertz).ok(),
            video_clock: None,
            performance_state: self.asked(Call::PerformanceState, Ok(state), bits).ok(),
            persistence_mode: self
                .asked(Call::PersistenceMode, Ok(true), |number| number != 0)
                .ok(),
            memory_utilization: Some(Ratio::new(self.flow.utilization.value() * 0.5)),
            memory_total_bytes,
            memory_used_bytes: memory_total_bytes.map(|total| total / 2),
            energy_millijoules: self
                .asked(Call::Energy, Ok(energy), i64::cast_unsigned)
                .ok(),
            fans: (0..handle.fans as usize).map(|fan| self.fan(fan)).collect(),
            ecc_corrected: [self.profile.ecc.then_some(0); 2],
            ecc_uncorrected: [self.profile.ecc.then_some(0); 2],
            slowdown_nanoseconds: self
                .state
                .slowdown_seconds
                .map(|seconds| Some(to_u64(seconds * 1e9))),
            power_profiles: None,
        }
    }

    fn fan(&mut self, fan: usize) -> Fan {
        let (fans, die) = (self.fans, self.state.core());
        let rise = Rise::of(self.profile);
        let percent = |number| Ratio::from_percent(bits(number));
        let speed = Ok(Ratio::from_percent(fans.speed(fan, die, rise)));
        let target = Ok(Ratio::from_percent(fans.target(fan, die, rise)));
        let policy = match fans.manual(fan) {
            None => Some(FanPolicy::Automatic),
            Some(_) => Some(FanPolicy::Manual),
        };
        let told = self.asked(Call::FanPolicy, Ok(policy), |number| {
            let place = usize::try_from(number).ok()?;
            FanPolicy::ALL.get(place).copied()
        });
        Fan {
            speed: self.asked(Call::FanSpeed, speed, percent).ok(),
            rpm: self
                .asked(Call::FanRpm, Ok(fans.rpm(fan, die, rise)), bits)
                .ok(),
            target: self.asked(Call::FanTarget, target, percent).ok(),
            policy: told.ok().flatten(),
        }
    }

    fn limit_offered(&self) -> Option<Watts> {
        (self.profile.limit != LimitOffer::Absent).then_some(self.limit)
    }

    /// The limit, as the getter returns it.
    pub(crate) fn limit_told(&mut self) -> Result<Watts, u32> {
        match self.faults.answers.ask(Call::PowerLimit) {
            Said::Truth => self.limit_offered().ok_or(NOT_SUPPORTED),
            Said::Value(number) => Ok(watts(number)),
            Said::Code(code) => Err(code),
        }
    }

    /// A constant of the card, in the call's own unit, or an error code.
    pub(crate) fn constant(&mut self, call: Call, truth: Option<i64>) -> Result<i64, u32> {
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
