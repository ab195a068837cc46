//! Trip points: where they come from, and how far each sensor is from them.
//!
//! Every sensor has three: *alert* (start throttling under it), *critical* (emergency) and *safe*
//! (cool enough to give back). The control variable is the smallest distance over all sensors,
//! because on many cards the memory, not the core, gets hot first.

use crate::device::{Facts, Missing, Reading};
use crate::units::Celsius;

/// Alert and safe lie this far under critical, unless configured. On an A100 80GB (maximum
/// operating temperature 85 °C) that gives the proven 85 / 78 / 72.
const ALERT_BELOW_CRITICAL: Celsius = Celsius::new(7.0);
const SAFE_BELOW_CRITICAL: Celsius = Celsius::new(13.0);

/// Critical where a card tells nothing: the lowest maximum operating temperature seen on
/// data-centre cards but for the V100's 83.
const CRITICAL_FALLBACK: Celsius = Celsius::new(85.0);

/// HBM limit where a card has a memory sensor, but neither a limit for it nor a margin that
/// covers it: the lowest published one (V100).
const MEMORY_MAX_FALLBACK: Celsius = Celsius::new(85.0);

/// Device limits outside are a firmware's placeholder or a misread, not a limit.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 60.0..=110.0;

/// The local loop acts this far under alert, so that alert itself is rarely reached.
pub const SET_POINT_BELOW_ALERT: Celsius = Celsius::new(1.0);

/// Operator's numbers for the core sensor; what is `None` comes from the device.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TripOverrides {
    pub alert: Option<Celsius>,
    pub critical: Option<Celsius>,
    pub safe: Option<Celsius>,
}

impl TripOverrides {
    pub fn is_auto(&self) -> bool {
        *self == Self::default()
    }
}

/// The trip points of one sensor, on that sensor's own scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trips {
    pub alert: Celsius,
    pub critical: Celsius,
    pub safe: Celsius,
}

impl Trips {
    pub(crate) fn under(critical: Celsius) -> Self {
        Self {
            alert: critical - ALERT_BELOW_CRITICAL,
            critical,
            safe: critical - SAFE_BELOW_CRITICAL,
        }
    }

    pub(crate) fn overridden(self, by: &TripOverrides) -> Self {
        Self {
            alert: by.alert.unwrap_or(self.alert),
            critical: by.critical.unwrap_or(self.critical),
            safe: by.safe.unwrap_or(self.safe),
        }
    }
}

/// Where the core sensor's trips come from; `check` tells it to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripOrigin {
    /// T.Limit margin 0, the card's own account of its hottest spot.
    Margin,
    /// The card's absolute maximum operating temperature.
    MaxOperating,
    /// Numbers in the configuration.
    Configured,
    /// The card says nothing: 85 / 78 / 72.
    Fallback,
}

/// The trip points of all sensors of one card.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripTable {
    pub core: Trips,
    pub origin: TripOrigin,
    /// `None`: the card's margin (see `origin`) covers it.
    pub memory: Option<Trips>,
}

impl TripTable {
    /// The table of a card that reads so: a sensor it refuses to read is one it doesn't have.
    pub fn of(by: &TripOverrides, facts: &Facts, reading: &Reading) -> Self {
        let margin = reading.margin != Err(Missing::NotSupported);
        let memory = reading.memory != Err(Missing::NotSupported);
        Self::resolve(by, facts, margin, memory)
    }

    /// `margin` and `memory` tell whether the card offers those sensors at all.
    pub fn resolve(by: &TripOverrides, facts: &Facts, margin: bool, memory: bool) -> Self {
        let max_operating = facts.thresholds.gpu_max.filter(|max| plausible(*max));
        let (critical, origin) = match max_operating {
            Some(max) => (max, TripOrigin::MaxOperating),
            None => (CRITICAL_FALLBACK, TripOrigin::Fallback),
        };
        let origin = match (by.is_auto(), margin) {
            (false, _) => TripOrigin::Configured,
            (true, true) => TripOrigin::Margin,
            (true, false) => origin,
        };
        let memory_max = facts.thresholds.mem_max.filter(|max| plausible(*max));
        let memory_max = memory_max.or((!margin).then_some(MEMORY_MAX_FALLBACK));
        Self {
            core: Trips::under(by.critical.unwrap_or(critical)).overridden(by),
            origin,
            memory: memory_max.filter(|_| memory).map(Trips::under),
        }
    }

    /// How far this reading is from the trips; the first missing sensor's reason otherwise.
    /// A memory sensor that a card doesn't have is not missing.
    pub fn heat(&self, reading: &Reading) -> Result<Heat, Missing> {
        let core = match self.origin {
            TripOrigin::Margin => Heat::of_margin(reading.margin?),
            _ => Heat::of(&self.core, reading.core?),
        };
        match &self.memory {
            Some(trips) => Ok(core.worse(Heat::of(trips, reading.memory?))),
            None => Ok(core),
        }
    }

    /// The core temperatures at which the trips lie now. With margins they move with the card's
    /// own estimate, so they are derived from this reading and steer nothing.
    pub fn in_force(&self, reading: &Reading) -> Option<Trips> {
        match self.origin {
            TripOrigin::Margin => Some(Trips::under(reading.core.ok()? + reading.margin.ok()?)),
            _ => Some(self.core),
        }
    }
}

fn plausible(limit: Celsius) -> bool {
    PLAUSIBLE.contains(&limit.degrees())
}

/// Distances to the trips, smallest over all sensors; negative is past the trip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heat {
    pub to_alert: Celsius,
    pub to_critical: Celsius,
    pub to_safe: Celsius,
}

impl Heat {
    pub(super) fn of(trips: &Trips, temperature: Celsius) -> Self {
        Self {
            to_alert: trips.alert - temperature,
            to_critical: trips.critical - temperature,
            to_safe: trips.safe - temperature,
        }
    }

    fn of_margin(margin: Celsius) -> Self {
        Self {
            to_alert: margin - ALERT_BELOW_CRITICAL,
            to_critical: margin,
            to_safe: margin - SAFE_BELOW_CRITICAL,
        }
    }

    pub(super) fn worse(self, other: Self) -> Self {
        Self {
            to_alert: self.to_alert.min(other.to_alert),
            to_critical: self.to_critical.min(other.to_critical),
            to_safe: self.to_safe.min(other.to_safe),
        }
    }

    pub fn is_critical(&self) -> bool {
        self.to_critical <= Celsius::new(0.0)
    }

    /// At or above alert: nothing is raised here.
    pub fn is_hot(&self) -> bool {
        self.to_alert <= Celsius::new(0.0)
    }

    pub fn at_set_point(&self) -> bool {
        self.to_alert <= SET_POINT_BELOW_ALERT
    }

    pub fn is_safe(&self) -> bool {
        self.to_safe >= Celsius::new(0.0)
    }
}

#[cfg(test)]
mod tests;
