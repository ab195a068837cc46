//! The range of a card's power limit. It may change while the driver runs: laptops switch modes,
//! and administrators boost.

use nvml_wrapper::error::NvmlError;

use crate::device::PowerConstraints;
use crate::device::plausible::MOST_WATTS;
use crate::units::Watts;

use crate::device::nvml::codes::Failure;
use crate::device::nvml::ledger::{Key, Ledger};
use crate::device::nvml::raw::Card;

const RANGE: Key = ("nvmlDeviceGetPowerManagementLimitConstraints", 0);
const DEFAULT: Key = ("nvmlDeviceGetPowerManagementDefaultLimit", 0);

/// The last known range, in milliwatts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Power {
    /// Minimum and maximum.
    range: Option<(u32, u32)>,
    default: Option<u32>,
}

impl Power {
    /// Makes two calls, of microseconds each. A value that can't be read now stays as it was.
    pub(crate) fn ask(&mut self, card: &Card, ledger: &mut Ledger) -> Result<(), Failure> {
        let device = card.device();
        let range = || {
            let range = device.power_management_limit_constraints()?;
            Ok((range.min_limit, range.max_limit))
        };
        take(&mut self.range, RANGE, range, is_range, ledger)?;
        if self.range.is_some() {
            let default = || device.power_management_limit_default();
            take(&mut self.default, DEFAULT, default, is_limit, ledger)?;
        }
        Ok(())
    }

    /// If the default isn't known, the maximum counts: a card without a limit set runs at it.
    pub(crate) fn constraints(&self) -> Option<PowerConstraints> {
        let (min, max) = self.range?;
        Some(PowerConstraints {
            default: Watts::from_milliwatts(self.default.unwrap_or(max)),
            min: Watts::from_milliwatts(min),
            max: Watts::from_milliwatts(max),
        })
    }
}

/// Cards without power management answer with zeros.
fn is_range((min, max): (u32, u32)) -> bool {
    is_limit(max) && min <= max
}

fn is_limit(milliwatts: u32) -> bool {
    0 < milliwatts && Watts::from_milliwatts(milliwatts).as_f64() <= MOST_WATTS
}

/// A changed value counts only if the card gives it twice: one odd answer must not move the range
/// in which the guard acts.
fn take<T: Copy + PartialEq>(
    known: &mut Option<T>,
    key: Key,
    read: impl Fn() -> Result<T, NvmlError>,
    is_good: impl Fn(T) -> bool,
    ledger: &mut Ledger,
) -> Result<(), Failure> {
    let Some(said) = ledger.ask_again(key, &read)?.filter(|it| is_good(*it)) else {
        return Ok(());
    };
    let is_other = known.is_some_and(|known| known != said);
    if !is_other || ledger.ask_again(key, &read)? == Some(said) {
        *known = Some(said);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What is known after each of the looks, which take what they need of the answers.
    fn after(answers: &[Result<u32, u32>], looks: usize) -> Vec<Option<u32>> {
        let answers = RefCell::new(answers.iter().copied());
        let mut ledger = Ledger::default();
        let mut known = None;
        let mut look = || {
            let next = || answers.borrow_mut().next();
            let read = || next().unwrap_or(Err(999)).map_err(NvmlError::from);
            let asked = take(&mut known, DEFAULT, read, is_limit, &mut ledger);
            assert!(asked.is_ok());
            known
        };
        (0..looks).map(|_| look()).collect()
    }

    #[test]
    fn a_range_that_cannot_be_read_stays_as_it_was() {
        let answers = [Err(999), Ok(300_000), Err(999), Err(3), Ok(0), Ok(u32::MAX)];
        let known = Some(300_000);
        let expected = [None, known, known, known, known, known];
        assert_eq!(after(&answers, 6), expected);
    }

    #[test]
    fn a_changed_number_counts_once_it_is_given_twice() {
        let once = [Ok(300_000), Ok(200_000), Ok(300_000), Ok(300_000)];
        assert_eq!(after(&once, 3), [Some(300_000); 3]);
        let twice = [Ok(300_000), Ok(200_000), Ok(200_000)];
        assert_eq!(after(&twice, 2), [Some(300_000), Some(200_000)]);
    }

    #[test]
    fn without_a_default_it_is_the_maximum_and_without_a_range_nothing() {
        let mut power = Power {
            range: Some((100_000, 300_000)),
            default: None,
        };
        let default = |power: &Power| power.constraints().map(|it| it.default);
        assert_eq!(default(&power), Some(Watts::from_watts(300)));
        power.default = Some(250_000);
        assert_eq!(default(&power), Some(Watts::from_watts(250)));
        power.range = None;
        assert_eq!(power.constraints(), None);
        assert!(!is_range((0, 0)) && !is_range((2, 1)) && is_range((0, 1)));
    }
}
