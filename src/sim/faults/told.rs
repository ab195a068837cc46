//! Facts that a card reports instead of its profile's: a firmware with another range, a virtual
//! card without lists, a broken card with wrong thresholds.

use std::borrow::Cow;

use crate::sim::profile::Profile;
use crate::units::Celsius;

use super::call::Bound;

/// A number or none: an `Option` that can be stored in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Given {
    is_given: u64,
    number: i64,
}

impl Given {
    pub const NONE: Self = Self {
        is_given: 0,
        number: 0,
    };

    pub const fn number(self) -> Option<i64> {
        match self.is_given {
            0 => None,
            _ => Some(self.number),
        }
    }

    /// A number as a flag: 0 is no, all others are yes.
    fn or(self, profile: bool) -> bool {
        self.number().map_or(profile, |number| number != 0)
    }
}

impl From<i64> for Given {
    fn from(number: i64) -> Self {
        Self {
            is_given: 1,
            number,
        }
    }
}

impl From<bool> for Given {
    fn from(is_so: bool) -> Self {
        i64::from(is_so).into()
    }
}

/// The facts in place of the profile's. They are raw numbers of NVML: mW, whole °C, 0 and 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Told {
    /// The setter also uses this range.
    pub min_limit: Given,
    pub max_limit: Given,
    pub default_limit: Given,
    /// Thresholds. They are reported even if `has_thresholds` is 0.
    pub shutdown: Given,
    pub slowdown: Given,
    pub max_operating: Given,
    pub mem_max: Given,
    pub acoustic_target: Given,
    /// T.Limit offsets. If not given, they follow from the reported thresholds.
    pub tlimit_shutdown: Given,
    pub tlimit_slowdown: Given,
    pub tlimit_gpu_max: Given,
    pub tlimit_mem_max: Given,
    pub has_margin: Given,
    pub has_thresholds: Given,
    /// Supported memory and graphics clocks can be listed.
    pub has_clock_lists: Given,
    pub has_max_clock: Given,
    /// Not 0: the card also acts at the reported thresholds. 0: it acts at those of its profile.
    pub is_real: u64,
    /// How much hotter the hottest place of the die is than the core sensor, in °C. The margin and
    /// the card's own slowdown depend on it.
    pub hot_spot: f64,
}

impl Told {
    pub const NOTHING: Self = Self {
        min_limit: Given::NONE,
        max_limit: Given::NONE,
        default_limit: Given::NONE,
        shutdown: Given::NONE,
        slowdown: Given::NONE,
        max_operating: Given::NONE,
        mem_max: Given::NONE,
        acoustic_target: Given::NONE,
        tlimit_shutdown: Given::NONE,
        tlimit_slowdown: Given::NONE,
        tlimit_gpu_max: Given::NONE,
        tlimit_mem_max: Given::NONE,
        has_margin: Given::NONE,
        has_thresholds: Given::NONE,
        has_clock_lists: Given::NONE,
        has_max_clock: Given::NONE,
        is_real: 0,
        hot_spot: 0.0,
    };

    /// Minimum and maximum limit, in milliwatts.
    pub fn range(&self, profile: &Profile) -> (u32, u32) {
        let or = |told: Given, limit: u32| told.number().map_or(limit, super::bits);
        (
            or(self.min_limit, profile.min_limit.milliwatts()),
            or(self.max_limit, profile.max_limit.milliwatts()),
        )
    }

    /// In milliwatts.
    pub fn default_limit(&self, profile: &Profile) -> u32 {
        let told = self.default_limit.number();
        told.map_or(profile.default_limit.milliwatts(), super::bits)
    }

    pub fn has_margin(&self, profile: &Profile) -> bool {
        self.has_margin.or(profile.has_margin)
    }

    pub fn has_clock_lists(&self) -> bool {
        self.has_clock_lists.or(true)
    }

    pub fn has_max_clock(&self) -> bool {
        self.has_max_clock.or(true)
    }

    /// A threshold in raw whole °C.
    pub fn threshold(&self, profile: &Profile, bound: Bound) -> Option<i64> {
        let absolute = self.has_thresholds.or(profile.has_thresholds);
        let has_own = match bound {
            Bound::MemMax => {
                let has_one = profile.hbm.is_some_and(|hbm| hbm.has_threshold);
                has_one && self.has_thresholds.or(true)
            }
            Bound::Acoustic => profile.acoustic_target.is_some(),
            Bound::Shutdown | Bound::Slowdown | Bound::GpuMax => absolute,
        };
        self.given(bound)
            .number()
            .or_else(|| of(profile, bound).filter(|_| has_own).map(whole))
    }

    /// A T.Limit offset in whole °C.
    pub fn offset(&self, profile: &Profile, bound: Bound) -> Option<i64> {
        let told = match bound {
            Bound::Shutdown => self.tlimit_shutdown,
            Bound::Slowdown => self.tlimit_slowdown,
            Bound::GpuMax => self.tlimit_gpu_max,
            Bound::MemMax => self.tlimit_mem_max,
            Bound::Acoustic => return None,
        };
        let degrees = |bound| {
            let given = self.given(bound).number();
            given.or_else(|| of(profile, bound).map(whole))
        };
        let follows = || match bound {
            _ if !self.has_margin(profile) => None,
            // The distance to its own limit, not the core's.
            Bound::MemMax => profile.hbm.map(|_| 0),
            _ => Some(degrees(Bound::GpuMax)? - degrees(bound)?),
        };
        told.number().or_else(follows)
    }

    fn given(&self, bound: Bound) -> Given {
        match bound {
            Bound::Shutdown => self.shutdown,
            Bound::Slowdown => self.slowdown,
            Bound::GpuMax => self.max_operating,
            Bound::MemMax => self.mem_max,
            Bound::Acoustic => self.acoustic_target,
        }
    }

    /// The profile that the physics uses.
    pub fn physical<'a>(&self, profile: &'a Profile) -> Cow<'a, Profile> {
        if self.is_real == 0 && self.hot_spot == 0.0 {
            return Cow::Borrowed(profile);
        }
        let mut own = profile.clone();
        if self.is_real != 0 {
            let told = |to: &mut Celsius, given: Given| {
                if let Some(number) = given.number() {
                    *to = Celsius::new(super::degrees(number));
                }
            };
            told(&mut own.shutdown, self.shutdown);
            told(&mut own.slowdown, self.slowdown);
            told(&mut own.max_operating, self.max_operating);
            if let Some(hbm) = own.hbm.as_mut() {
                told(&mut hbm.max, self.mem_max);
            }
        }
        // A hot spot has the same effect as thresholds that are this much lower.
        let hot_spot = Celsius::new(self.hot_spot);
        own.shutdown = own.shutdown - hot_spot;
        own.slowdown = own.slowdown - hot_spot;
        own.max_operating = own.max_operating - hot_spot;
        own.slows_at = own.slows_at.map(|at| at - hot_spot);
        Cow::Owned(own)
    }
}

fn of(profile: &Profile, bound: Bound) -> Option<Celsius> {
    match bound {
        Bound::Shutdown => Some(profile.shutdown),
        Bound::Slowdown => Some(profile.slowdown),
        Bound::GpuMax => Some(profile.max_operating),
        Bound::MemMax => profile.hbm.map(|hbm| hbm.max),
        Bound::Acoustic => profile.acoustic_target,
    }
}

fn whole(degrees: Celsius) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a temperature fits"
    )]
    let whole = degrees.degrees().round() as i64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile;
    use crate::units::Watts;

    fn h100() -> &'static Profile {
        profile::named("h100").expect("profile")
    }

    #[test]
    fn what_is_not_given_is_the_profiles() {
        for profile in profile::ALL {
            let told = Told::NOTHING;
            let limits = [profile.min_limit, profile.max_limit].map(Watts::milliwatts);
            assert_eq!(<[u32; 2]>::from(told.range(profile)), limits);
            assert_eq!(told.has_margin(profile), profile.has_margin);
            let slowdown = told.threshold(profile, Bound::Slowdown);
            assert_eq!(slowdown.is_some(), profile.has_thresholds);
            assert!(matches!(told.physical(profile), Cow::Borrowed(_)));
        }
        let offsets = [Bound::GpuMax, Bound::Slowdown, Bound::Shutdown];
        let offsets = offsets.map(|bound| Told::NOTHING.offset(h100(), bound));
        assert_eq!(offsets, [Some(0), Some(-2), Some(-8)]);
    }

    #[test]
    fn offsets_follow_the_thresholds_told_unless_given_themselves() {
        let mut told = Told {
            max_operating: 80.into(),
            slowdown: 95.into(),
            ..Told::NOTHING
        };
        assert_eq!(told.threshold(h100(), Bound::Slowdown), Some(95));
        assert_eq!(told.offset(h100(), Bound::Slowdown), Some(-15));
        told.tlimit_slowdown = (-3).into();
        assert_eq!(told.offset(h100(), Bound::Slowdown), Some(-3));
        told.has_margin = false.into();
        assert_eq!(told.offset(h100(), Bound::Shutdown), None);
        assert_eq!(told.offset(h100(), Bound::Slowdown), Some(-3));
    }

    #[test]
    fn the_card_acts_at_what_is_told_only_if_that_is_real() {
        let mut told = Told {
            slowdown: 70.into(),
            ..Told::NOTHING
        };
        assert_eq!(told.physical(h100()).slowdown, h100().slowdown);
        told.is_real = 1;
        assert_eq!(told.physical(h100()).slowdown, Celsius::new(70.0));
        told.hot_spot = 12.0;
        assert_eq!(told.physical(h100()).slowdown, Celsius::new(58.0));
        let max = h100().max_operating - Celsius::new(12.0);
        assert_eq!(told.physical(h100()).max_operating, max);
    }
}
