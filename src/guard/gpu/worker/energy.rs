//! The energy counter. It starts from zero when the driver is loaded, so it can tell of a reload; but
//! single readings of it may be wrong.

use crate::units::Moment;

/// No card draws more. A counter that moves faster than this, or back, must be read twice to be
/// believed.
const MOST_WATTS: f64 = 10_000.0;

/// The verdict on one reading of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It continues from the last value, or is the first.
    Continued(u64),
    /// It doesn't fit. The last believed value, if any.
    Odd(Option<u64>),
    /// It counts from a lower value: the driver was reloaded.
    Restarted(u64),
}

#[derive(Clone, Copy, Debug)]
struct Told {
    millijoules: u64,
    at: Moment,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Energy {
    believed: Option<Told>,
    /// It was seen to count up. A constant number is no counter, and its end is no reload.
    counts: bool,
    /// The value that didn't fit. It is believed once a later one counts on from it: a card that answers
    /// the same wrong number for a while doesn't count.
    odd: Option<Told>,
}

impl Energy {
    pub(crate) fn count(&mut self, at: Moment, millijoules: u64) -> Counted {
        let told = Told { millijoules, at };
        let before = self.believed;
        let Some(believed) = before.filter(|believed| !told.follows(*believed)) else {
            self.counts |= before.is_some_and(|it| it.millijoules < millijoules);
            self.believe(told);
            return Counted::Continued(millijoules);
        };
        let odd = *self.odd.get_or_insert(told);
        if !told.follows(odd) {
            self.odd = Some(told);
        }
        if !told.follows(odd) || told.millijoules == odd.millijoules {
            return Counted::Odd(Some(believed.millijoules));
        }
        self.believe(told);
        let counted = std::mem::replace(&mut self.counts, false);
        if counted && millijoules < believed.millijoules {
            Counted::Restarted(millijoules)
        } else {
            Counted::Continued(millijoules)
        }
    }

    /// Before a count: a guard that is dead noted the count as `noted`. If the card tells less, the driver was
    /// reloaded, or the card doesn't count: the next readings show which.
    pub(crate) fn compare(&mut self, at: Moment, told: u64, noted: u64) {
        if told < noted && !self.counts {
            let millijoules = noted;
            self.believe(Told { millijoules, at });
            self.counts = true;
        }
    }

    /// The last value that was believed.
    pub(crate) fn believed(&self) -> Option<u64> {
        self.believed.map(|told| told.millijoules)
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
    fn a_restart_of_the_counter_is_seen_with_its_second_value() {
        use Counted::{Continued, Odd, Restarted};
        assert_eq!(
            counted(&[900_000, 901_000, 500, 1500, 2500]),
            [
                Continued(900_000),
                Continued(901_000),
                Odd(Some(901_000)),
                Restarted(1500),
                Continued(2500)
            ]
        );
    }

    #[test]
    fn a_dead_guards_count_is_believed_until_the_card_counts_from_less() {
        use Counted::{Continued, Odd, Restarted};
        let compared = |told: &[u64]| {
            let mut energy = Energy::default();
            let at = |index: usize| Moment::from_secs_f64(5.0 * index as f64);
            energy.compare(at(0), told[0], 900_000);
            let each = told.iter().enumerate();
            each.map(|(index, told)| energy.count(at(index), *told))
                .collect::<Vec<_>>()
        };
        assert_eq!(compared(&[20, 20, 20])[2], Odd(Some(900_000)));
        assert_eq!(
            compared(&[500, 1500, 2500]),
            [Odd(Some(900_000)), Restarted(1500), Continued(2500)]
        );
        assert_eq!(compared(&[20, 900_500])[1], Continued(900_500));
        assert_eq!(compared(&[990_000])[0], Continued(990_000));
    }

    #[test]
    fn a_single_odd_value_and_the_end_of_a_constant_one_mean_no_restart() {
        use Counted::{Continued, Odd};
        assert_eq!(
            counted(&[900_000, 901_000, 0, 902_000]),
            [
                Continued(900_000),
                Continued(901_000),
                Odd(Some(901_000)),
                Continued(902_000)
            ]
        );
        assert_eq!(
            counted(&[900_000, 901_000, 0, 0, 0, 902_000])[3..],
            [Odd(Some(901_000)), Odd(Some(901_000)), Continued(902_000)]
        );
        assert_eq!(
            counted(&[900_000, 901_000, 999_999_999_999, 902_000]),
            [
                Continued(900_000),
                Continued(901_000),
                Odd(Some(901_000)),
                Continued(902_000)
            ]
        );
        assert_eq!(
            counted(&[u64::MAX, u64::MAX, 500, 1500]),
            [
                Continued(u64::MAX),
                Continued(u64::MAX),
                Odd(Some(u64::MAX)),
                Continued(1500)
            ]
        );
    }
}
