//! Setters that report success and do something else.

use std::ops::RangeInclusive;

use super::number::INVALID_ARGUMENT;

/// The faults of a setter, in its own unit (mW or MHz). Several faults combine: it refuses, else
/// clamps, else obeys the card's range, then quantises, then ignores, then forgets.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Setter {
    /// Stores whole multiples of this, minus `offset`. 0: off.
    pub step: u32,
    pub offset: u32,
    /// Clamps a value to this range, with success. `high` 0: off.
    pub low: u32,
    pub high: u32,
    /// Returns this code for a value in `refuse_from..=refuse_to`. 0: off.
    pub refuse: u32,
    pub refuse_from: u32,
    pub refuse_to: u32,
    /// Not 0: success, and nothing stored.
    pub ignore: u32,
    /// Stores the value, and loses it after this many simulated seconds. 0: off.
    pub forget_seconds: f64,
}

impl Setter {
    pub const NONE: Self = Self {
        step: 0,
        offset: 0,
        low: 0,
        high: 0,
        refuse: 0,
        refuse_from: 0,
        refuse_to: u32::MAX,
        ignore: 0,
        forget_seconds: 0.0,
    };

    /// Stores `floor(asked / step) * step - offset`.
    pub const fn quantise(step: u32, offset: u32) -> Self {
        Self {
            step,
            offset,
            ..Self::NONE
        }
    }

    pub const fn clamp(low: u32, high: u32) -> Self {
        Self {
            low,
            high,
            ..Self::NONE
        }
    }

    /// Resets of a lock as well.
    pub const fn refuse(code: u32) -> Self {
        Self {
            refuse: code,
            ..Self::NONE
        }
    }

    /// Ignores only values in this range; for a lock, its upper end. Resets work.
    pub const fn refuse_within(code: u32, from: u32, to: u32) -> Self {
        Self {
            refuse_from: from,
            refuse_to: to,
            ..Self::refuse(code)
        }
    }

    /// Resets of a lock as well.
    pub const fn ignore() -> Self {
        Self {
            ignore: 1,
            ..Self::NONE
        }
    }

    pub const fn forget(seconds: f64) -> Self {
        Self {
            forget_seconds: seconds,
            ..Self::NONE
        }
    }

    /// The result of a write, where a healthy card takes `range`: a code, or the stored value.
    /// `None`: nothing is stored.
    pub fn take(&self, asked: u32, range: RangeInclusive<u32>) -> Result<Option<u32>, u32> {
        self.refuses(asked)?;
        if self.high == 0 && !range.contains(&asked) {
            return Err(INVALID_ARGUMENT);
        }
        Ok((self.ignore == 0).then(|| self.quantised(self.clamped(asked))))
    }

    /// The same for both ends of a lock.
    pub fn take_lock(&self, min: u32, max: u32) -> Result<Option<(u32, u32)>, u32> {
        self.refuses(max)?;
        let stored = |end| self.quantised(self.clamped(end));
        Ok((self.ignore == 0).then(|| (stored(min), stored(max))))
    }

    /// Whether a reset of the lock works, or an error code.
    pub fn take_reset(&self) -> Result<bool, u32> {
        let is_always = (self.refuse_from, self.refuse_to) == (0, u32::MAX);
        if self.refuse != 0 && is_always {
            return Err(self.refuse);
        }
        Ok(self.ignore == 0)
    }

    fn refuses(&self, asked: u32) -> Result<(), u32> {
        let refused = self.refuse != 0 && (self.refuse_from..=self.refuse_to).contains(&asked);
        if refused { Err(self.refuse) } else { Ok(()) }
    }

    fn clamped(&self, asked: u32) -> u32 {
        match self.high {
            0 => asked,
            high => asked.max(self.low).min(high),
        }
    }

    fn quantised(&self, asked: u32) -> u32 {
        match self.step {
            0 => asked,
            step => (asked / step * step).saturating_sub(self.offset),
        }
    }
}

impl Default for Setter {
    fn default() -> Self {
        Self::NONE
    }
}

/// A setting that the card is going to forget.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Pending {
    /// In simulated seconds. NaN: nothing is pending.
    due: f64,
    /// The value that the card goes back to.
    before: u32,
    reserved: u32,
}

impl Pending {
    pub const NONE: Self = Self {
        due: f64::NAN,
        before: 0,
        reserved: 0,
    };

    /// A value was stored at `now` in place of `before`.
    pub fn store(&mut self, setter: &Setter, now: f64, before: u32) {
        if setter.forget_seconds <= 0.0 {
            *self = Self::NONE;
            return;
        }
        // If it is set again in time, it still goes back to the first value.
        if self.due().is_none() {
            self.before = before;
        }
        self.due = now + setter.forget_seconds;
    }

    /// When the card forgets.
    pub fn due(&self) -> Option<f64> {
        (!self.due.is_nan()).then_some(self.due)
    }

    /// The value that the card goes back to, once, when it is time. A repaired setter doesn't
    /// forget.
    pub fn expire(&mut self, setter: &Setter, now: f64) -> Option<u32> {
        let is_due = self.due()? <= now;
        let before = self.before;
        if is_due {
            *self = Self::NONE;
        }
        (is_due && setter.forget_seconds > 0.0).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: RangeInclusive<u32> = 150_000..=300_000;

    #[test]
    fn a_setter_that_is_well_stores_what_it_is_told_within_the_range() {
        let well = Setter::NONE;
        for asked in [150_000, 222_222, 300_000] {
            assert_eq!(well.take(asked, RANGE), Ok(Some(asked)));
        }
        for asked in [0, 149_999, 300_001] {
            assert_eq!(well.take(asked, RANGE), Err(INVALID_ARGUMENT));
        }
        assert_eq!(well.take_lock(210, 900), Ok(Some((210, 900))));
        assert_eq!(well.take_reset(), Ok(true));
    }

    #[test]
    fn each_misbehaves_in_its_own_way() {
        let quantise = Setter::quantise(5_000, 1);
        assert_eq!(quantise.take(252_500, RANGE), Ok(Some(249_999)));
        assert_eq!(quantise.take(301_000, RANGE), Err(INVALID_ARGUMENT));
        let clamp = Setter::clamp(200_000, 280_000);
        assert_eq!(clamp.take(1, RANGE), Ok(Some(200_000)));
        assert_eq!(clamp.take(u32::MAX, RANGE), Ok(Some(280_000)));
        let refuse = Setter::refuse_within(4, 0, 199_999);
        assert_eq!(refuse.take(199_999, RANGE), Err(4));
        assert_eq!(refuse.take(200_000, RANGE), Ok(Some(200_000)));
        assert_eq!(refuse.take_reset(), Ok(true));
        assert_eq!(Setter::refuse(3).take_reset(), Err(3));
        assert_eq!(Setter::ignore().take(200_000, RANGE), Ok(None));
        assert_eq!(Setter::ignore().take_reset(), Ok(false));
        assert_eq!(
            Setter::quantise(15, 0).take_lock(222, 914),
            Ok(Some((210, 900)))
        );
    }

    #[test]
    fn several_compose() {
        let both = Setter {
            high: 280_000,
            refuse: 999,
            refuse_to: 100,
            ..Setter::quantise(7_000, 0)
        };
        assert_eq!(both.take(u32::MAX, RANGE), Ok(Some(280_000)));
        assert_eq!(both.take(279_999, RANGE), Ok(Some(273_000)));
        assert_eq!(both.take(100, RANGE), Err(999));
    }

    #[test]
    fn what_was_set_is_forgotten_in_time_and_to_what_was_there_at_first() {
        let setter = Setter::forget(30.0);
        let mut pending = Pending::NONE;
        assert_eq!(pending.expire(&setter, 1e9), None);
        pending.store(&setter, 100.0, 350);
        pending.store(&setter, 120.0, 250);
        assert_eq!(pending.due(), Some(150.0));
        assert_eq!(pending.expire(&setter, 149.9), None);
        assert_eq!(pending.expire(&setter, 150.0), Some(350));
        assert_eq!(pending.expire(&setter, 200.0), None);
        pending.store(&setter, 200.0, 350);
        assert_eq!(pending.expire(&Setter::NONE, 300.0), None);
    }
}
