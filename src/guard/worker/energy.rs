//! The energy counter, which begins anew with the driver: as it is believed, and what it says of a
//! reload.

use crate::units::Moment;

/// No card draws more. A counter that moves faster than this, or back, is looked at again before it
/// is believed.
const MOST_WATTS: f64 = 10_000.0;

/// What follows from one reading of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// On from the last one, or the first.
    On(u64),
    /// It doesn't fit: the last one that was believed, if any.
    Odd(Option<u64>),
    /// Twice in a row it counts from less: the driver was reloaded.
    Anew(u64),
}

#[derive(Clone, Copy, Debug)]
struct Told {
    millijoules: u64,
    at: Moment,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Energy {
    believed: Option<Told>,
    /// What didn't fit, and is believed if the next one goes on from it.
    odd: Option<Told>,
}

impl Energy {
    pub(super) fn count(&mut self, at: Moment, millijoules: u64) -> Counted {
        let told = Told { millijoules, at };
        let Some(believed) = self.believed.filter(|believed| !told.follows(*believed)) else {
            self.believe(told);
            return Counted::On(millijoules);
        };
        if !self.odd.is_some_and(|odd| told.follows(odd)) {
            self.odd = Some(told);
            return Counted::Odd(Some(believed.millijoules));
        }
        self.believe(told);
        if millijoules < believed.millijoules {
            Counted::Anew(millijoules)
        } else {
            Counted::On(millijoules)
        }
    }

    fn believe(&mut self, told: Told) {
        self.believed = Some(told);
        self.odd = None;
    }
}

impl Told {
    fn follows(self, before: Self) -> bool {
        let most = self.at.since(before.at).as_secs_f64() * MOST_WATTS * 1e3;
        let risen = self.millijoules.checked_sub(before.millijoules);
        risen.is_some_and(|risen| risen as f64 <= most)
    }
}
