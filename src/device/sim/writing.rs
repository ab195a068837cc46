//! What a card takes: what it is told, something else, or nothing.

use crate::device::faults::{Call, INVALID_ARGUMENT, NOT_SUPPORTED, Said, bits};
use crate::device::nvml::refusal;
use crate::device::{ActuatorError, ClockRange};
use crate::units::{Megahertz, Watts};

use super::{Card, Fault};

/// What a write comes to: a code, or what is stored, `None` for nothing.
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

    pub(super) fn set_limit(&mut self, asked: Watts) -> Result<(), ActuatorError> {
        let stored = self.write(|card| match card.faults.answers.ask(Call::SetPowerLimit) {
            Said::Code(code) => Err(code),
            Said::Value(number) => Ok(Some(bits(number))),
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

    pub(super) fn lock_gpu(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
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

    pub(super) fn reset_gpu(&mut self) -> Result<(), ActuatorError> {
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

    pub(super) fn lock_memory(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
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

    pub(super) fn reset_memory(&mut self) -> Result<(), ActuatorError> {
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
