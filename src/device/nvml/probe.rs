//! Asks a card, and learns what it doesn't have: by repeated evidence, never by one answer.

use std::collections::{BTreeMap, BTreeSet};

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
    PersistenceMode,
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

/// Refusals in a row, from the first answer on, that mean "never offered". Chosen: drivers that are
/// starting or resetting a card refuse once or twice what they offer a second later.
const REFUSALS: u8 = 5;

/// Whether a card offers something, by what it answered so far on one handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::device) enum Offer {
    /// It has only refused, so often.
    Unknown { refusals: u8 },
    /// It has answered something else: whatever it says later, it is asked.
    Yes,
    /// Unanimously refused: not asked again on this handle.
    Never,
}

impl Default for Offer {
    fn default() -> Self {
        Self::Unknown { refusals: 0 }
    }
}

impl Offer {
    pub(in crate::device) fn note(&mut self, refused: bool) {
        *self = match *self {
            Self::Unknown { refusals } if refused && refusals + 1 < REFUSALS => Self::Unknown {
                refusals: refusals + 1,
            },
            Self::Unknown { .. } if refused => Self::Never,
            Self::Unknown { .. } => Self::Yes,
            decided => decided,
        }
    }
}

/// An open card and what it was found to offer. Some calls cost a millisecond even to refuse, so
/// what is never offered is left alone; opening the GPU anew forgets.
#[derive(Debug)]
pub(super) struct Probe {
    card: Card,
    offers: BTreeMap<Call, Offer>,
    /// Calls of a pair that have given a good value.
    worked: BTreeSet<Call>,
}

/// A call and how it is made.
pub(super) type Way<T> = (Call, fn(&Card) -> Result<T, NvmlError>);

impl Probe {
    pub(super) fn new(card: Card) -> Self {
        Self {
            card,
            offers: BTreeMap::new(),
            worked: BTreeSet::new(),
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
        let answer = answer.map_err(classify);
        let refused = matches!(answer, Err(Fault::Unsupported));
        self.offers.entry(call).or_default().note(refused);
        answer.map_err(Missing::from)
    }

    /// What two calls say alike, of which a driver may have one: the first, unless only the second
    /// has worked on this handle. Where one gives no good value, the other stands in.
    pub(super) fn either<T: Copy>(
        &mut self,
        [first, second]: [Way<T>; 2],
        is_good: impl Fn(T) -> bool,
    ) -> Result<T, Missing> {
        let has_worked = |way: &Way<T>| self.worked.contains(&way.0);
        let ways = if has_worked(&second) && !has_worked(&first) {
            [second, first]
        } else {
            [first, second]
        };
        let mut answers = [Err(Missing::NotSupported); 2];
        for (answer, (call, read)) in answers.iter_mut().zip(ways) {
            *answer = self.ask(call, read);
            match *answer {
                Ok(value) if is_good(value) => {
                    self.worked.insert(call);
                    return Ok(value);
                }
                Err(Missing::Lost) => return Err(Missing::Lost),
                _ => {}
            }
        }
        match answers {
            [Err(Missing::NotSupported), other] => other,
            [answer, _] => answer,
        }
    }

    pub(super) fn lacks(&self, call: Call) -> bool {
        self.offers.get(&call) == Some(&Offer::Never)
    }

    /// Asks `call` again, whatever it said.
    pub(super) fn forget(&mut self, call: Call) {
        self.offers.remove(&call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: &[bool]) -> Offer {
        let mut offer = Offer::default();
        for &refused in answers {
            offer.note(refused);
        }
        offer
    }

    #[test]
    fn five_unanimous_refusals_mean_never_and_four_do_not() {
        assert_eq!(after(&[true; 4]), Offer::Unknown { refusals: 4 });
        assert_eq!(after(&[true; 5]), Offer::Never);
        assert_eq!(after(&[true; 9]), Offer::Never);
    }

    #[test]
    fn anything_else_before_them_means_offered_whatever_follows() {
        assert_eq!(after(&[false]), Offer::Yes);
        for refusals in [0, 1, 4] {
            let mut answers = vec![true; refusals];
            answers.push(false);
            answers.extend([true; 50]);
            assert_eq!(after(&answers), Offer::Yes, "{refusals}");
        }
    }
}
