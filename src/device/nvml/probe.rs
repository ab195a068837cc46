//! Asks a card, and remembers what it doesn't have.

use std::collections::BTreeSet;

use nvml_wrapper::error::NvmlError;

use crate::device::Missing;
use crate::device::nvml_raw::Card;

use super::codes::{Fault, classify};

/// A call, or a part of one, that some cards or drivers don't support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Temperature,
    TemperatureV,
    MemoryTemperature,
    Margin,
    PowerUsage,
    PowerLimit,
    EnforcedPowerLimit,
    SmClock,
    EventReasons,
    ThrottleReasons,
    Utilization,
    GraphicsClock,
    MemoryClock,
    VideoClock,
    PerformanceState,
    MemoryInfo,
    Energy,
    FieldValues,
    /// By fan.
    Fan(u32),
    /// By place in [`super::slow::ECC`].
    Ecc(usize),
    /// By place in [`super::slow::EVENT_FIELDS`].
    EventTime(usize),
}

/// An open card and the calls it was found not to support. Some of them cost a millisecond even to
/// refuse, so each is tried once; opening the GPU anew forgets.
#[derive(Debug)]
pub(super) struct Probe {
    card: Card,
    unsupported: BTreeSet<Call>,
}

impl Probe {
    pub(super) fn new(card: Card) -> Self {
        Self {
            card,
            unsupported: BTreeSet::new(),
        }
    }

    pub(super) fn card(&self) -> &Card {
        &self.card
    }

    pub(super) fn ask<T>(
        &mut self,
        call: Call,
        read: impl FnOnce(&Card) -> Result<T, NvmlError>,
    ) -> Result<T, Missing> {
        if self.lacks(call) {
            return Err(Missing::NotSupported);
        }
        let answer = read(&self.card);
        self.note(call, answer)
    }

    /// Remembers what `answer` says of `call`.
    pub(super) fn note<T>(
        &mut self,
        call: Call,
        answer: Result<T, NvmlError>,
    ) -> Result<T, Missing> {
        answer.map_err(|error| {
            let fault = classify(error);
            if fault == Fault::Unsupported {
                self.unsupported.insert(call);
            }
            fault.into()
        })
    }

    pub(super) fn lacks(&self, call: Call) -> bool {
        self.unsupported.contains(&call)
    }

    pub(super) fn forget(&mut self, call: Call) {
        self.unsupported.remove(&call);
    }
}
