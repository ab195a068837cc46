//! The two clocks that can be locked, so that one piece of code locks both.

use crate::device::{ActuatorError, ClockRange, Gpu, Knob};
use crate::policy::Claim;

use super::tally::Action;

/// The two clocks that can be locked.
#[derive(Clone, Copy)]
pub(super) enum Domain {
    Gpu,
    Memory,
}

impl Domain {
    pub(super) const fn of(knob: Knob) -> Option<Self> {
        match knob {
            Knob::PowerLimit => None,
            Knob::GpuClock => Some(Self::Gpu),
            Knob::MemoryClock => Some(Self::Memory),
        }
    }

    pub(super) const fn knob(self) -> Knob {
        match self {
            Self::Gpu => Knob::GpuClock,
            Self::Memory => Knob::MemoryClock,
        }
    }

    pub(super) fn set(self, gpu: &mut dyn Gpu, range: ClockRange) -> Result<(), ActuatorError> {
        match self {
            Self::Gpu => gpu.lock_gpu_clock(range),
            Self::Memory => gpu.lock_memory_clock(range),
        }
    }

    pub(super) fn reset(self, gpu: &mut dyn Gpu) -> Result<(), ActuatorError> {
        match self {
            Self::Gpu => gpu.reset_gpu_clock(),
            Self::Memory => gpu.reset_memory_clock(),
        }
    }

    pub(super) const fn lock(self) -> Action {
        match self {
            Self::Gpu => Action::GpuClockLock,
            Self::Memory => Action::MemoryClockLock,
        }
    }

    pub(super) const fn reset_action(self) -> Action {
        match self {
            Self::Gpu => Action::GpuClockReset,
            Self::Memory => Action::MemoryClockReset,
        }
    }

    pub(super) const fn is_claimed(self, claim: &Claim) -> bool {
        match self {
            Self::Gpu => claim.gpu_clock,
            Self::Memory => claim.memory_clock,
        }
    }

    pub(super) const fn claimed(self, claim: Claim, is: bool) -> Claim {
        match self {
            Self::Gpu => Claim {
                gpu_clock: is,
                ..claim
            },
            Self::Memory => Claim {
                memory_clock: is,
                ..claim
            },
        }
    }
}
