//! Trip points: where they come from, and how far each sensor is from them.
//!
//! Every sensor has three: *alert* (start throttling under it), *critical* (emergency) and *safe*
//! (cool enough to give back). The control variable is the smallest distance over all sensors,
//! because on many cards the memory, not the core, gets hot first.

use crate::device::{Facts, Reading};
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

/// Nearer than this to where the card slows itself down, or shuts itself off, critical would come too
/// late.
const BELOW_SLOWDOWN: Celsius = Celsius::new(1.0);
const BELOW_SHUTDOWN: Celsius = Celsius::new(3.0);

/// T.Limit offsets outside are a misread, not a limit: known cards have 0 to −8.
const PLAUSIBLE_OFFSET: std::ops::RangeInclusive<f64> = -40.0..=20.0;

/// Operator's numbers for the core sensor; what is `None` comes from the device, or keeps its distance
/// from what was given.
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

    /// Alert where only the configuration is known: given, or under a given critical.
    pub fn alert_told(&self) -> Option<Celsius> {
        let under = |critical| critical - ALERT_BELOW_CRITICAL;
        self.alert.or(self.critical.map(under))
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

    /// Of memory whose limit the card doesn't tell.
    pub(crate) fn of_unknown_memory() -> Self {
        Self::under(MEMORY_MAX_FALLBACK)
    }

    /// What was given, as far as it can stand under `most`, the card's highest critical; what
    /// wasn't keeps its distance from what was.
    fn configured(by: &TripOverrides, card: Celsius, most: Celsius) -> Self {
        let critical = by.critical.unwrap_or(card).min(most);
        let under = |upper: Celsius, given: Option<Celsius>, distance: Celsius| {
            given
                .filter(|given| *given < upper)
                .unwrap_or(upper - distance)
        };
        let alert = under(critical, by.alert, ALERT_BELOW_CRITICAL);
        let safe = under(alert, by.safe, SAFE_BELOW_CRITICAL - ALERT_BELOW_CRITICAL);
        Self {
            alert,
            critical,
            safe,
        }
    }

    /// Something that was given can't stand on this card.
    pub fn are_lowered(&self, by: &TripOverrides) -> bool {
        let differs = |given: Option<Celsius>, is| given.is_some_and(|given| given != is);
        differs(by.critical, self.critical)
            || differs(by.alert, self.alert)
            || differs(by.safe, self.safe)
    }
}

/// Where the core sensor's trips come from; `check` tells it to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripOrigin {
    /// T.Limit margin 0, the card's own account of its hottest spot.
    Margin,
    /// The card's absolute maximum operating temperature.
    MaxOperating,
    /// Under the temperature at which the card slows itself down or shuts itself off.
    Slowdown,
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
    /// The margin at which it is critical: 0, unless the card slows itself down before.
    pub margin: Celsius,
    /// The card shows its core.
    pub(crate) has_core: bool,
}

impl TripTable {
    /// `margin` and `memory` tell whether the card offers those sensors at all.
    pub fn resolve(by: &TripOverrides, facts: &Facts, margin: bool, memory: bool) -> Self {
        let told = |limit: Option<Celsius>| limit.filter(|limit| plausible(*limit));
        let thresholds = &facts.thresholds;
        let (critical, origin) = match told(thresholds.gpu_max) {
            Some(max) => (max, TripOrigin::MaxOperating),
            None => (CRITICAL_FALLBACK, TripOrigin::Fallback),
        };
        let most = [
            told(thresholds.slowdown).map(|slowdown| slowdown - BELOW_SLOWDOWN),
            told(thresholds.shutdown).map(|shutdown| shutdown - BELOW_SHUTDOWN),
        ];
        let most = most.into_iter().flatten().reduce(Celsius::min);
        let lowered = most.is_some_and(|most| most < critical);
        let card = most.map_or(critical, |most| critical.min(most));
        let origin = match (by.is_auto(), margin) {
            (false, _) => TripOrigin::Configured,
            (true, true) => TripOrigin::Margin,
            (true, false) if lowered => TripOrigin::Slowdown,
            (true, false) => origin,
        };
        let highest = most.unwrap_or(Celsius::new(f64::INFINITY));
        let memory_max = told(thresholds.mem_max).or((!margin).then_some(MEMORY_MAX_FALLBACK));
        Self {
            core: Trips::configured(by, card, highest),
            origin,
            memory: memory_max.filter(|_| memory).map(Trips::under),
            margin: critical_margin(facts),
            has_core: true,
        }
    }

    /// The core temperatures at which the trips lie now. With margins they move with the card's
    /// own estimate, so they are derived from this reading and steer nothing.
    pub fn in_force(&self, reading: &Reading) -> Option<Trips> {
        match self.origin {
            TripOrigin::Margin => {
                let zero = reading.core.ok()? + reading.margin.ok()?;
                Some(Trips::under(zero - self.margin))
            }
            _ => Some(self.core),
        }
    }

    pub(super) fn of_margin(&self, margin: Celsius) -> Heat {
        let left = margin - self.margin;
        Heat {
            to_alert: left - ALERT_BELOW_CRITICAL,
            to_critical: left,
            to_safe: left - SAFE_BELOW_CRITICAL,
        }
    }
}

/// Margin 0, or what lies as far before the card's own slowdown and shutdown as critical does
/// elsewhere.
fn critical_margin(facts: &Facts) -> Celsius {
    let offset = |offset: Option<Celsius>| {
        offset.filter(|offset| PLAUSIBLE_OFFSET.contains(&offset.degrees()))
    };
    let slowdown = offset(facts.tlimit.slowdown).map(|it| it + BELOW_SLOWDOWN);
    let shutdown = offset(facts.tlimit.shutdown).map(|it| it + BELOW_SHUTDOWN);
    let zero = Celsius::new(0.0);
    [slowdown, shutdown]
        .into_iter()
        .flatten()
        .fold(zero, Celsius::max)
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
    /// At alert, by trips that lie as they do by default.
    pub(super) const AT_ALERT: Self = Self {
        to_alert: Celsius::new(0.0),
        to_critical: ALERT_BELOW_CRITICAL,
        to_safe: Celsius::new(ALERT_BELOW_CRITICAL.degrees() - SAFE_BELOW_CRITICAL.degrees()),
    };

    pub(super) fn of(trips: &Trips, temperature: Celsius) -> Self {
        Self {
            to_alert: trips.alert - temperature,
            to_critical: trips.critical - temperature,
            to_safe: trips.safe - temperature,
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
