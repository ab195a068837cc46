//! An open card that learns which calls it doesn't support: by repeated refusals, never by one
//! answer.

use std::collections::{BTreeMap, BTreeSet};

use nvml_wrapper::error::NvmlError;

use crate::device::Missing;

use super::codes::{Fault, classify};
use super::raw::Card;

/// A call, or a part of one, that some cards or drivers don't support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
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
    PowerProfiles,
    /// These four by fan.
    Fan(u32),
    FanRpm(u32),
    FanTarget(u32),
    FanPolicy(u32),
    /// By place in [`super::slow::ECC`].
    Ecc(usize),
    /// By place in [`super::slow::REASON_FIELDS`].
    ReasonTime(usize),
}

/// This many refusals in a row, from the first answer on, mean "never offered". Chosen: while a
/// driver starts or resets a card, it refuses calls once or twice that it supports a second later.
const REFUSALS: u8 = 5;

/// Whether a card supports a call, by its answers on one handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It has only refused so far, this many times.
    Unknown { refusals: u8 },
    /// It has given another answer, so it is asked, whatever it answers later.
    Yes,
    /// It refused every time, so it isn't asked again on this handle.
    Never,
}

impl Default for Offer {
    fn default() -> Self {
        Self::Unknown { refusals: 0 }
    }
}

impl Offer {
    pub(crate) fn note(&mut self, refused: bool) {
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

/// An open card, and which calls it supports. Some calls cost a millisecond even if refused, so a
/// call that is never offered isn't made again. Opening the GPU again forgets this.
#[derive(Debug)]
pub(crate) struct OpenCard {
    card: Card,
    offers: BTreeMap<Call, Offer>,
    /// The calls of a pair that have given a good value.
    worked: BTreeSet<Call>,
}

/// A call and how it is made.
pub(crate) type Way<T> = (Call, fn(&Card) -> Result<T, NvmlError>);

impl OpenCard {
    pub(crate) fn new(card: Card) -> Self {
        Self {
            card,
            offers: BTreeMap::new(),
            worked: BTreeSet::new(),
        }
    }

    pub(crate) fn handle(&self) -> &Card {
        &self.card
    }

    pub(crate) fn ask<T>(
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

    /// Records the answer of `call`.
    pub(crate) fn note<T>(
        &mut self,
        call: Call,
        answer: Result<T, NvmlError>,
    ) -> Result<T, Missing> {
        let answer = answer.map_err(classify);
        let refused = matches!(answer, Err(Fault::Unsupported));
        self.offers.entry(call).or_default().note(refused);
        answer.map_err(Missing::from)
    }

    /// The value that two calls both give, of which a driver may support only one. The first call
    /// goes first, unless only the second has worked on this handle. If one gives no good value,
    /// the other is made.
    pub(crate) fn either<T: Copy>(
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

    pub(crate) fn lacks(&self, call: Call) -> bool {
        self.offers.get(&call) == Some(&Offer::Never)
    }

    /// From now on `call` is made again, whatever it answered.
    pub(crate) fn forget(&mut self, call: Call) {
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
