//! The fans of a simulated card: the firmware's curve, speeds that programs set, faults and, if
//! wanted, their share in the cooling. Plain numbers, so that they can be stored in a file; any bits
//! are valid.

use crate::device::MOST_FANS;
use crate::sim::profile::{Control, Profile};
use crate::units::Celsius;

/// In place of a percentage: none.
const NONE: u32 = u32::MAX;

/// The range of speeds that a program may set, in percent.
pub const LOWEST: u32 = 30;
pub const HIGHEST: u32 = 100;

/// Revolutions per minute at full speed, as on a card with two or three fans.
const FULL_RPM: u32 = 3000;

/// Where the curve of a card without a recording begins to rise.
const CURVE_FROM: Celsius = Celsius::new(40.0);

/// Where a firmware speeds its fans up.
#[derive(Clone, Copy, Debug)]
pub struct Rise {
    /// In percent, up to `from`.
    lowest: u32,
    from: Celsius,
    /// Where they are at the top.
    to: Celsius,
}

impl Rise {
    /// As recorded, or up to the maximum operating temperature.
    pub fn of(profile: &Profile) -> Self {
        let airflow = &profile.thermal.airflow;
        match airflow.control {
            Control::Curve { from, per_degree } if per_degree > 0.0 => Self {
                lowest: percent(airflow.lowest),
                from,
                to: from + Celsius::new((1.0 - airflow.lowest) / per_degree),
            },
            Control::Curve { .. } | Control::Integral { .. } => Self {
                lowest: LOWEST,
                from: CURVE_FROM,
                to: profile.max_operating,
            },
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 100"
)]
fn percent(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u32
}

/// Some air moves by itself: this share of the designed one.
const CONVECTION: f64 = 0.05;

/// The fans of one card. All have the same curve and the same faults.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Fans {
    /// The speed that a program set for each fan, in percent.
    set: [u32; MOST_FANS],
    /// The curve's speed at the maximum operating temperature, in percent. A curve that ends lower
    /// leaves room.
    pub top: u32,
    /// Not 0: the air follows the speed, and all of it is what the profile is designed for. Else
    /// the fans are for show.
    pub cools: u32,
    /// Percent at which they stay, whatever sets them.
    stuck: u32,
    /// Not 0: the hotter the card, the slower.
    pub inverted: u32,
    /// Not 0: no fan turns, whatever its speed should be.
    pub stopped: u32,
    reserved: u32,
}

impl Fans {
    pub const WELL: Self = Self {
        set: [NONE; MOST_FANS],
        top: HIGHEST,
        cools: 0,
        stuck: NONE,
        inverted: 0,
        stopped: 0,
        reserved: 0,
    };

    /// `None`: they are no longer stuck.
    pub fn set_stuck(&mut self, percent: Option<u32>) {
        self.stuck = percent.unwrap_or(NONE);
    }

    pub fn stuck(&self) -> Option<u32> {
        (self.stuck != NONE).then_some(self.stuck)
    }

    /// A program sets the speed of a fan, or leaves it to the firmware again.
    pub fn set(&mut self, fan: usize, percent: Option<u32>) {
        if let Some(set) = self.set.get_mut(fan) {
            *set = percent.unwrap_or(NONE);
        }
    }

    /// The speed that a program set.
    pub fn manual(&self, fan: usize) -> Option<u32> {
        self.set.get(fan).copied().filter(|set| *set != NONE)
    }

    /// The speed that the firmware or a program wants, in percent.
    pub fn target(&self, fan: usize, die: Celsius, rise: Rise) -> u32 {
        self.manual(fan).unwrap_or_else(|| self.curve(die, rise))
    }

    /// The speed that the card tells, in percent.
    pub fn speed(&self, fan: usize, die: Celsius, rise: Rise) -> u32 {
        self.stuck().unwrap_or_else(|| self.target(fan, die, rise))
    }

    pub fn rpm(&self, fan: usize, die: Celsius, rise: Rise) -> u32 {
        let turns = u32::from(self.stopped == 0);
        self.speed(fan, die, rise).min(HIGHEST) * FULL_RPM / HIGHEST * turns
    }

    /// A factor on the resistance from the heat sink to the air: 1 at full speed. Recorded cards
    /// have the inverse of the speed.
    pub fn resistance(&self, fans: u32, die: Celsius, rise: Rise) -> f64 {
        if self.cools == 0 || fans == 0 {
            return 1.0;
        }
        let fans = (fans as usize).min(MOST_FANS);
        let rpm = |fan| f64::from(self.rpm(fan, die, rise));
        let turning = (0..fans).map(rpm).sum::<f64>() / fans as f64;
        1.0 / (turning / f64::from(FULL_RPM)).max(CONVECTION)
    }

    /// The speed that holds the fans of a profile whose fans cool by themselves, as a share of the
    /// highest. 0: they follow the profile's own curve.
    pub fn held(&self, profile: &Profile) -> f64 {
        let share = |percent: u32| f64::from(percent) / f64::from(HIGHEST);
        if self.cools != 0 {
            // Their effect is in `resistance`, where full speed is what the profile is designed for.
            if profile.thermal.airflow.is_steady() {
                profile.thermal.airflow.reference
            } else {
                1.0
            }
        } else if self.stopped != 0 {
            CONVECTION
        } else {
            let held = self.stuck().or_else(|| self.manual(0));
            held.map_or(0.0, share)
        }
    }

    /// The lowest speed up to a temperature, and the top at another.
    fn curve(&self, die: Celsius, rise: Rise) -> u32 {
        let share = (die - rise.from).degrees() / (rise.to - rise.from).degrees();
        let room = f64::from(self.top.clamp(rise.lowest, HIGHEST) - rise.lowest) / 100.0;
        let speed = rise.lowest + percent(room * share.clamp(0.0, 1.0));
        if self.inverted == 0 {
            speed
        } else {
            rise.lowest + HIGHEST - speed
        }
    }
}

impl Default for Fans {
    fn default() -> Self {
        Self::WELL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RISE: Rise = Rise {
        lowest: 30,
        from: CURVE_FROM,
        to: MAX,
    };
    const MAX: Celsius = Celsius::new(90.0);

    fn at(fans: &Fans, die: f64) -> [u32; 3] {
        let die = Celsius::new(die);
        [
            fans.target(0, die, RISE),
            fans.speed(0, die, RISE),
            fans.rpm(0, die, RISE),
        ]
    }

    #[test]
    fn the_firmware_speeds_them_up_with_the_temperature_as_far_as_its_curve_goes() {
        let mut fans = Fans::WELL;
        assert_eq!(at(&fans, 20.0), [30, 30, 900]);
        assert_eq!(at(&fans, 65.0), [65, 65, 1950]);
        assert_eq!(at(&fans, 120.0), [100, 100, 3000]);
        fans.top = 60;
        assert_eq!(at(&fans, 120.0), [60, 60, 1800]);
    }

    #[test]
    fn a_recorded_curve_is_told_as_it_cools() {
        use crate::sim::profile::{GTX_1080_TI, RTX_4090};
        let told = |profile, die| Fans::WELL.speed(0, Celsius::new(die), Rise::of(profile));
        let ti = [50.0, 62.0, 80.0, 95.0].map(|die| told(&GTX_1080_TI, die));
        assert_eq!(ti, [20, 20, 74, 100]);
        assert_eq!(told(&RTX_4090, 84.0), 100);
    }

    #[test]
    fn a_program_sets_one_fan_until_it_is_left_to_the_firmware_again() {
        let mut fans = Fans::WELL;
        fans.set(0, Some(80));
        assert_eq!(at(&fans, 20.0), [80, 80, 2400]);
        assert_eq!(fans.speed(1, Celsius::new(20.0), RISE), 30);
        fans.set(0, None);
        assert_eq!((at(&fans, 20.0), fans), ([30, 30, 900], Fans::WELL));
    }

    #[test]
    fn each_fault_shows_in_its_own_way() {
        let mut fans = Fans::WELL;
        fans.set_stuck(Some(53));
        assert_eq!(at(&fans, 90.0), [100, 53, 1590]);
        fans.set_stuck(None);
        fans.inverted = 1;
        assert_eq!([at(&fans, 20.0)[1], at(&fans, 90.0)[1]], [100, 30]);
        fans = Fans::WELL;
        fans.stopped = 1;
        assert_eq!(at(&fans, 65.0), [65, 65, 0]);
    }

    #[test]
    fn they_cool_only_where_that_is_wanted() {
        let mut fans = Fans::WELL;
        let resistance = |fans: &Fans, count| fans.resistance(count, MAX, RISE).to_bits();
        assert_eq!(resistance(&fans, 2), 1.0_f64.to_bits());
        fans.cools = 1;
        assert_eq!(resistance(&fans, 0), 1.0_f64.to_bits());
        assert_eq!(resistance(&fans, 2), 1.0_f64.to_bits());
        fans.set(0, Some(50));
        fans.set(1, Some(50));
        assert_eq!(resistance(&fans, 2), 2.0_f64.to_bits());
        fans.stopped = 1;
        assert_eq!(resistance(&fans, 2), 20.0_f64.to_bits());
    }
}
