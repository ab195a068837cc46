//! Whether a number from a card can be a measurement. Firmware and drivers report 255, 0 or 2³²−1,
//! with success, if they have no value. Such a number is a failed read.

use std::ops::RangeInclusive;

use crate::units::{Celsius, Megahertz, Ratio, Watts};

use super::facts::{Facts, PowerConstraints};
use super::reading::{Missing, Reading};

/// The temperatures that a powered card can have. ASHRAE's widest class of room air begins at 5 °C,
/// and a card is warmer than its air. No card survives 150 °C.
const TEMPERATURE: RangeInclusive<f64> = 5.0..=150.0;

/// Degrees to the maximum operating temperature. Negative: above it.
const MARGIN: RangeInclusive<f64> = -100.0..=150.0;

/// More than any GPU's draw or limit: the largest modules draw 2.7 kW.
pub(crate) const MOST_WATTS: f64 = 10_000.0;

/// A draw above this many times the card's highest limit isn't plausible, nor a limit outside the
/// card's range by this factor. Some cards start with a limit a little outside their range.
const DRAW_OVER_MAX: f64 = 3.0;
const LIMIT_OUTSIDE: f64 = 2.0;

/// More than any GPU's clock.
const MOST_MEGAHERTZ: u32 = 20_000;

/// Ten years at 3 kW. The counter starts from 0 with the driver.
const MOST_MILLIJOULES: u64 = 1_000_000_000_000_000;

/// Drivers run fans at up to 150 % of their nominal speed.
const MOST_FAN: f64 = 2.0;

/// More than any fan that fits on a card: those of 40 mm servers reach 30 000.
const MOST_RPM: u32 = 60_000;

/// Whether a powered card can have this temperature.
pub(crate) fn is_temperature(degrees: Celsius) -> bool {
    TEMPERATURE.contains(&degrees.degrees())
}

impl Reading {
    /// The same reading, in which every number that can't be a measurement is missing.
    #[must_use]
    pub fn plausible(mut self, facts: &Facts) -> Self {
        self.core = self.core.and_then(|it| within(it, &TEMPERATURE));
        self.memory = self.memory.and_then(|it| within(it, &TEMPERATURE));
        self.margin = self.margin.and_then(|it| within(it, &MARGIN));
        let max = facts
            .power
            .map_or(f64::INFINITY, |power| power.max.as_f64());
        let draws = 0.0..=(max * DRAW_OVER_MAX).min(MOST_WATTS);
        let limits = limits(facts.power.as_ref());
        self.draw = self.draw.and_then(|it| power(it, &draws));
        self.limit = self.limit.and_then(|it| power(it, &limits));
        self.enforced_limit = self.enforced_limit.and_then(|it| power(it, &limits));
        self.gpu_clock = self.gpu_clock.and_then(clock);
        let most = 1.0;
        self.utilization = self.utilization.and_then(|it| {
            if it.value() <= most {
                Ok(it)
            } else {
                Err(Missing::implausible(it.value() * 100.0))
            }
        });
        let slow = &mut self.slow;
        for clock in [
            &mut slow.graphics_clock,
            &mut slow.memory_clock,
            &mut slow.video_clock,
        ] {
            *clock = clock.filter(|it| it.megahertz() <= MOST_MEGAHERTZ);
        }
        let energy = slow.energy_millijoules;
        slow.energy_millijoules = energy.filter(|it| *it <= MOST_MILLIJOULES);
        for fan in &mut slow.fans {
            fan.speed = fan.speed.filter(|it: &Ratio| it.value() <= MOST_FAN);
            fan.target = fan.target.filter(|it: &Ratio| it.value() <= MOST_FAN);
            fan.rpm = fan.rpm.filter(|it| *it <= MOST_RPM);
        }
        slow.memory_utilization = slow.memory_utilization.filter(|it| it.value() <= most);
        self
    }
}

/// Whether a card with such a range can have this limit.
pub fn is_limit(range: Option<&PowerConstraints>, limit: Watts) -> bool {
    limits(range).contains(&limit.as_f64())
}

fn limits(range: Option<&PowerConstraints>) -> RangeInclusive<f64> {
    let max = range.map_or(f64::INFINITY, |power| power.max.as_f64());
    // A card whose range begins at 0 W can have a limit of 0 W. On any other card, 0 means that the
    // driver has no value.
    let least = range.map_or(1.0, |power| power.min.as_f64() / LIMIT_OUTSIDE);
    least..=(max * LIMIT_OUTSIDE).min(MOST_WATTS)
}

impl Missing {
    /// A number that can't be a measurement.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and the number is for people"
    )]
    fn implausible(value: f64) -> Self {
        Self::Implausible(value as i64)
    }
}

fn within(degrees: Celsius, range: &RangeInclusive<f64>) -> Result<Celsius, Missing> {
    if range.contains(&degrees.degrees()) {
        Ok(degrees)
    } else {
        Err(Missing::implausible(degrees.degrees()))
    }
}

fn power(watts: Watts, range: &RangeInclusive<f64>) -> Result<Watts, Missing> {
    if range.contains(&watts.as_f64()) {
        Ok(watts)
    } else {
        Err(Missing::implausible(watts.as_f64()))
    }
}

fn clock(clock: Megahertz) -> Result<Megahertz, Missing> {
    // A card that can report its own temperature has a running clock.
    if (1..=MOST_MEGAHERTZ).contains(&clock.megahertz()) {
        Ok(clock)
    } else {
        Err(Missing::implausible(f64::from(clock.megahertz())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Moment;

    fn facts() -> Facts {
        let power = PowerConstraints {
            default: Watts::from_watts(300),
            min: Watts::from_watts(150),
            max: Watts::from_watts(300),
        };
        Facts {
            power: Some(power),
            ..Facts::default()
        }
    }

    fn reading(core: f64, limit: u32, draw: u32) -> Reading {
        Reading {
            core: Ok(Celsius::new(core)),
            limit: Ok(Watts::from_milliwatts(limit)),
            draw: Ok(Watts::from_milliwatts(draw)),
            ..Reading::missing(Moment::START, Missing::NotSupported)
        }
    }

    #[test]
    fn a_firmwares_placeholder_is_no_measurement() {
        for core in [-256.0, -1.0, 0.0, 3.0, 255.0, 511.0] {
            let read = reading(core, 300_000, 100_000).plausible(&facts());
            assert!(matches!(read.core, Err(Missing::Implausible(_))), "{core}");
        }
        let read = reading(60.0, u32::MAX, u32::MAX).plausible(&facts());
        assert!(read.limit.is_err() && read.draw.is_err());
        let read = reading(60.0, 0, 3_700_000_000).plausible(&facts());
        assert!(read.limit.is_err() && read.draw.is_err());
    }

    #[test]
    fn no_limit_is_one_only_where_the_range_begins_there() {
        let mut range = facts().power.expect("a range");
        let none = Watts::default();
        assert!(!is_limit(Some(&range), none) && !is_limit(None, none));
        range.min = none;
        assert!(is_limit(Some(&range), none), "an emergency goes that low");
    }

    #[test]
    fn a_plausible_number_stays_as_it_is() {
        // Real cards show limits above their range, and draws above their limit.
        for (core, limit, draw) in [(8.0, 330_000, 0), (104.0, 150_000, 450_000)] {
            let read = reading(core, limit, draw);
            assert_eq!(read.clone().plausible(&facts()), read);
        }
    }
}
