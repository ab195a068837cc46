//! How a card takes a write: as told, changed, or not at all.

use crate::device::nvml::refusal;
use crate::device::{ActuatorError, ClockRange, FanSetting};
use crate::sim::fans::{HIGHEST, LOWEST, Rise};
use crate::sim::faults::{Call, Fault, INVALID_ARGUMENT, NOT_SUPPORTED, Said, bits};
use crate::sim::profile::LimitOffer;
use crate::units::{Megahertz, Watts};

use super::truth::Card;

/// The result of a write: an error code, or the stored value. `None`: nothing is stored.
type Taken<T> = Result<Option<T>, u32>;

impl Card {
    /// A write, if the card as a whole may be written to.
    fn write<T>(
        &mut self,
        taken: impl FnOnce(&mut Self) -> Taken<T>,
    ) -> Result<Option<T>, ActuatorError> {
        let taken = match self.fault {
            Fault::Lost => Err(ActuatorError::Lost),
            Fault::NoPermission => Err(ActuatorError::NoPermission),
            _ => taken(self).map_err(refusal),
        };
        self.refused_writes += u64::from(taken.is_err());
        taken
    }

    pub(crate) fn set_limit(&mut self, asked: Watts) -> Result<(), ActuatorError> {
        let stored = self.write(|card| match card.faults.answers.ask(Call::SetPowerLimit) {
            Said::Code(code) => Err(code),
            Said::Value(number) => Ok(Some(bits(number))),
            Said::Truth if card.profile.limit != LimitOffer::Settable => Err(NOT_SUPPORTED),
            Said::Truth => {
                let (min, max) = card.faults.told.range(card.profile);
                let setter = &card.faults.power_limit;
                setter.take(asked.milliwatts(), min..=max)
            }
        })?;
        if let Some(stored) = stored {
            let (now, before) = (self.seconds(), self.limit.milliwatts());
            let setter = &self.faults.power_limit;
            self.pending.limit.store(setter, now, before);
            self.limit = Watts::from_milliwatts(stored);
        }
        self.limit_writes += 1;
        Ok(())
    }

    pub(crate) fn lock_gpu(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        let stored = self.write(|card| match card.faults.answers.ask(Call::LockGpuClock) {
            Said::Code(code) => Err(code),
            Said::Value(number) => Ok(Some(below(range, number))),
            Said::Truth => {
                let setter = &card.faults.gpu_clock;
                let taken = setter.take_lock(range.min.megahertz(), range.max.megahertz())?;
                Ok(taken.map(locked))
            }
        })?;
        if stored.is_some() {
            let (now, setter) = (self.seconds(), &self.faults.gpu_clock);
            self.pending.gpu_clock.store(setter, now, 0);
            self.gpu_clock = stored;
        }
        self.lock_writes += 1;
        Ok(())
    }

    pub(crate) fn reset_gpu(&mut self) -> Result<(), ActuatorError> {
        let reset = self.write(|card| match card.faults.answers.ask(Call::ResetGpuClock) {
            Said::Code(code) => Err(code),
            Said::Value(_) | Said::Truth => {
                let resets = card.faults.gpu_clock.take_reset()?;
                Ok(resets.then_some(()))
            }
        })?;
        if reset.is_some() {
            self.gpu_clock = None;
        }
        self.lock_writes += 1;
        Ok(())
    }

    pub(crate) fn lock_memory(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        let stored = self.write(
            |card| match card.faults.answers.ask(Call::LockMemoryClock) {
                Said::Code(code) => Err(code),
                Said::Value(number) => Ok(Some(below(range, number))),
                Said::Truth => {
                    card.has_memory_clock_within(range)?;
                    let setter = &card.faults.memory_clock;
                    let taken = setter.take_lock(range.min.megahertz(), range.max.megahertz())?;
                    Ok(taken.map(locked))
                }
            },
        )?;
        if stored.is_some() {
            let (now, setter) = (self.seconds(), &self.faults.memory_clock);
            self.pending.memory_clock.store(setter, now, 0);
            self.memory_clock = stored;
        }
        self.lock_writes += 1;
        Ok(())
    }

    pub(crate) fn reset_memory(&mut self) -> Result<(), ActuatorError> {
        let reset = self.write(
            |card| match card.faults.answers.ask(Call::ResetMemoryClock) {
                Said::Code(code) => Err(code),
                Said::Value(_) | Said::Truth => {
                    let resets = card.faults.memory_clock.take_reset()?;
                    Ok(resets.then_some(()))
                }
            },
        )?;
        if reset.is_some() {
            self.memory_clock = None;
        }
        self.lock_writes += 1;
        Ok(())
    }

    /// Who sets a fan, by the answers of the two getters.
    pub(crate) fn fan_setting(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        if self.fault == Fault::Lost {
            return Err(ActuatorError::Lost);
        }
        self.has_fan(fan).map_err(refusal)?;
        let manual = self.fans.manual(fan);
        let policy = self.constant(Call::FanPolicy, Some(i64::from(manual.is_some())));
        if policy.map_err(refusal)? == 0 {
            return Ok(FanSetting::Automatic);
        }
        let target = self
            .fans
            .target(fan, self.state.core(), Rise::of(self.profile));
        let target = self.constant(Call::FanTarget, Some(target.into()));
        let percent = bits(target.map_err(refusal)?);
        Ok(FanSetting::Manual { percent })
    }

    pub(crate) fn set_fan(&mut self, fan: usize, to: FanSetting) -> Result<(), ActuatorError> {
        let (call, percent) = match to {
            FanSetting::Automatic => (Call::SetDefaultFanSpeed, None),
            FanSetting::Manual { percent } => (Call::SetFanSpeed, Some(percent)),
        };
        let stored = self.write(|card| {
            card.has_fan(fan)?;
            match (card.faults.answers.ask(call), percent) {
                (Said::Code(code), _) => Err(code),
                (Said::Value(number), _) => Ok(Some(Some(bits(number)))),
                (Said::Truth, Some(percent)) if !(LOWEST..=HIGHEST).contains(&percent) => {
                    Err(INVALID_ARGUMENT)
                }
                (Said::Truth, percent) => Ok(Some(percent)),
            }
        })?;
        if let Some(stored) = stored {
            self.fans.set(fan, stored);
        }
        self.fan_writes += 1;
        Ok(())
    }

    fn has_fan(&self, fan: usize) -> Result<(), u32> {
        match self.profile.fans as usize {
            0 => Err(NOT_SUPPORTED),
            fans if fan >= fans => Err(INVALID_ARGUMENT),
            _ => Ok(()),
        }
    }

    fn has_memory_clock_within(&self, range: ClockRange) -> Result<(), u32> {
        let clocks = self.profile.memory_clocks;
        if clocks.len() < 2 {
            return Err(NOT_SUPPORTED);
        }
        let supported = |clock: &Megahertz| (range.min..=range.max).contains(clock);
        if clocks.iter().any(supported) {
            Ok(())
        } else {
            Err(INVALID_ARGUMENT)
        }
    }
}

fn locked((min, max): (u32, u32)) -> ClockRange {
    ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    }
}

/// The range with another upper end.
fn below(range: ClockRange, number: i64) -> ClockRange {
    let max = bits(number);
    locked((range.min.megahertz().min(max), max))
}
