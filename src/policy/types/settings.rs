//! The policy's configuration.

use std::borrow::Cow;
use std::time::Duration;

use crate::device::{ByKnob, ClockRange, Facts, Knob};
use crate::policy::sense::trips::TripOverrides;
use crate::units::Ratio;

/// Which regulator works inside gradual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PolicyName {
    #[default]
    Governor,
    Ladder,
}

impl PolicyName {
    pub const ALL: [Self; 2] = [Self::Governor, Self::Ladder];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governor => "governor",
            Self::Ladder => "ladder",
        }
    }
}

/// The policy's configuration. The configuration file's reader has checked it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub regulator: PolicyName,
    pub trips: TripOverrides,
    pub recovery_delay: Duration,
    /// The lowest limit in gradual, as a share of the card's default limit.
    pub gradual_floor: Ratio,
    /// Where the clock takes the place of the limit, its lowest ceiling while other knobs are left, as a
    /// share of the card's highest clock.
    pub clock_floor: Ratio,
    /// A gradual lease keeps the limit at or below this share of the default limit.
    pub lease_ceiling: Ratio,
    /// The operator's own lock of the SM clock, which can't be read back. None of the guard's is looser.
    pub own_clock: Option<ClockRange>,
    pub max_hold: Duration,
    /// Which knobs may be used.
    pub enabled: ByKnob<bool>,
}

impl Settings {
    /// The card, with no clock above the operator's own lock: shares of the highest clock are of that.
    pub fn within_own_clock<'a>(&self, facts: &'a Facts) -> Cow<'a, Facts> {
        let lower = self.own_clock.map(|own| own.max);
        let lower = lower.filter(|own| facts.gpu_clock_max.is_some_and(|max| *own < max));
        let Some(own) = lower else {
            return Cow::Borrowed(facts);
        };
        let mut facts = facts.clone();
        let lowest = facts.gpu_clock_min.unwrap_or(own);
        facts.gpu_clock_max = Some(own.max(lowest));
        facts.gpu_clocks.retain(|clock| *clock <= own);
        Cow::Owned(facts)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            regulator: PolicyName::default(),
            trips: TripOverrides::default(),
            recovery_delay: Duration::from_secs(30),
            // 120 W on a 250 W card: the value that the guard's predecessor used for months.
            gradual_floor: Ratio::new(0.48),
            // Under half of the clock, most cards lose more speed than heat. Locks never went lower.
            clock_floor: Ratio::new(0.5),
            lease_ceiling: Ratio::new(0.85),
            own_clock: None,
            max_hold: Duration::from_secs(30 * 60),
            enabled: ByKnob::of(Knob::is_default),
        }
    }
}
