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
    /// It was seen to count: a number that stands still is no counter, and its end no reload.
    counts: bool,
    /// What didn't fit, and is believed if the next one goes on from it.
    odd: Option<Told>,
}

impl Energy {
    pub(super) fn count(&mut self, at: Moment, millijoules: u64) -> Counted {
        let told = Told { millijoules, at };
        let before = self.believed;
        let Some(believed) = before.filter(|believed| !told.follows(*believed)) else {
            self.counts |= before.is_some_and(|it| it.millijoules < millijoules);
            self.believe(told);
            return Counted::On(millijoules);
        };
        if !self.odd.is_some_and(|odd| told.follows(odd)) {
            self.odd = Some(told);
            return Counted::Odd(Some(believed.millijoules));
        }
        self.believe(told);
        let counted = std::mem::replace(&mut self.counts, false);
        if counted && millijoules < believed.millijoules {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(told: &[u64]) -> Vec<Counted> {
        let mut energy = Energy::default();
        let at = |index: usize| Moment::from_secs_f64(5.0 * index as f64);
        let each = told.iter().enumerate();
        each.map(|(index, told)| energy.count(at(index), *told))
            .collect()
    }

    #[test]
    fn a_counter_that_begins_anew_says_so_with_its_second_number() {
        use Counted::{Anew, Odd, On};
        assert_eq!(
            counted(&[900_000, 901_000, 500, 1500, 2500]),
            [
                On(900_000),
                On(901_000),
                Odd(Some(901_000)),
                Anew(1500),
                On(2500)
            ]
        );
    }

    #[test]
    fn a_single_odd_number_and_the_end_of_one_that_stood_still_say_nothing() {
        use Counted::{Odd, On};
        assert_eq!(
            counted(&[900_000, 901_000, 0, 902_000]),
            [On(900_000), On(901_000), Odd(Some(901_000)), On(902_000)]
        );
        assert_eq!(
            counted(&[900_000, 901_000, 999_999_999_999, 902_000]),
            [On(900_000), On(901_000), Odd(Some(901_000)), On(902_000)]
        );
        assert_eq!(
            counted(&[u64::MAX, u64::MAX, 500, 1500]),
            [On(u64::MAX), On(u64::MAX), Odd(Some(u64::MAX)), On(1500)]
        );
    }
}
