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

/// Critical if the card gives nothing: the lowest maximum operating temperature of data-centre
/// cards, except for the V100's 83.
const CRITICAL_FALLBACK: Celsius = Celsius::new(85.0);

/// The HBM limit if a card has a memory sensor, but neither a limit for it nor a margin that covers
/// it: the lowest published one (V100).
const MEMORY_MAX_FALLBACK: Celsius = Celsius::new(85.0);

/// A limit outside this range is a firmware's placeholder or a wrong read.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 60.0..=110.0;

/// The local loop acts this far below alert, so that alert itself is rarely reached.
pub const SET_POINT_BELOW_ALERT: Celsius = Celsius::new(1.0);

/// Critical must be at least this far below the card's own slowdown and shutdown, or it comes too
/// late.
const BELOW_SLOWDOWN: Celsius = Celsius::new(1.0);
const BELOW_SHUTDOWN: Celsius = Celsius::new(3.0);

/// With [`TripRule::BeforeFirmware`], alert lies this far below the firmware's target. The local loop
/// then acts two degrees below it.
const BELOW_TARGET: Celsius = Celsius::new(1.0);

/// A margin offset outside this range is a wrong read: known cards have 0 to −8.
const PLAUSIBLE_OFFSET: std::ops::RangeInclusive<f64> = -40.0..=20.0;

/// The operator's thresholds for the core sensor. A threshold that is `None` comes from the card,
/// or keeps its distance from the given ones.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct TripOverrides {
    pub alert: Option<Celsius>,
    pub critical: Option<Celsius>,
    pub safe: Option<Celsius>,
    /// For the thresholds that aren't given.
    pub rule: TripRule,
}

/// How the thresholds follow from what the card tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TripRule {
    /// From its maximum operating temperature.
    #[default]
    Auto,
    /// The same, and alert under the target that its firmware holds by itself.
    BeforeFirmware,
}

impl TripOverrides {
    pub fn is_auto(&self) -> bool {
        (self.alert, self.critical, self.safe) == (None, None, None)
    }

    /// Alert if only the configuration is known: the given one, or below a given critical.
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

    /// The trips of a memory sensor whose limit the card doesn't give.
    pub(crate) fn of_unknown_memory() -> Self {
        Self::under(MEMORY_MAX_FALLBACK)
    }

    /// The given thresholds, as far as they fit under `most`, the card's highest critical. The
    /// others keep their distance from the given ones.
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

    /// With alert under the target of the firmware. Safe keeps its distance to it. Critical stays: a
    /// lower one would make an emergency of ordinary heat.
    fn before(self, target: Celsius) -> Self {
        let alert = target - BELOW_TARGET;
        Self {
            alert,
            critical: self.critical,
            safe: alert - (SAFE_BELOW_CRITICAL - ALERT_BELOW_CRITICAL),
        }
    }

    /// A given threshold doesn't fit this card.
    pub fn are_lowered(&self, by: &TripOverrides) -> bool {
        let differs = |given: Option<Celsius>, is| given.is_some_and(|given| given != is);
        differs(by.critical, self.critical)
            || differs(by.alert, self.alert)
            || differs(by.safe, self.safe)
    }
}

/// Where the core sensor's trips come from. `check` shows it to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TripOrigin {
    /// Margin 0: the card's own value for its hottest spot.
    Margin,
    /// The card's absolute maximum operating temperature.
    MaxOperating,
    /// Below the temperature at which the card slows itself down or shuts itself off.
    Slowdown,
    /// Under the firmware's own target.
    BeforeFirmware,
    /// Numbers in the configuration.
    Configured,
    /// The card gives nothing: 85 / 78 / 72.
    Fallback,
}

/// The trip points of all sensors of one card.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripTable {
    pub core: Trips,
    pub origin: TripOrigin,
    /// `None`: the card's margin (see `origin`) covers it.
    pub memory: Option<Trips>,
    /// The critical margin: 0, unless the card slows itself down before that.
    pub margin: Celsius,
    /// The card has a core sensor.
    pub(crate) has_core: bool,
}

impl TripTable {
    /// `margin` and `memory`: the card offers those sensors.
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
        let core = Trips::configured(by, card, highest);
        let target = told_target(facts).filter(|_| by.rule == TripRule::BeforeFirmware);
        let before = target.and_then(|target| match origin {
            // No core temperature says what the margin allows; it goes on guarding critical.
            TripOrigin::Margin => {
                let above = Trips::under(target - BELOW_TARGET + ALERT_BELOW_CRITICAL);
                Some(above).filter(|above| above.critical < highest)
            }
            _ => Some(core.before(target)).filter(|before| before.alert < core.alert),
        });
        Self {
            core: before.unwrap_or(core),
            origin: before.map_or(origin, |_| TripOrigin::BeforeFirmware),
            memory: memory_max.filter(|_| memory).map(Trips::under),
            margin: critical_margin(facts),
            has_core: true,
        }
    }

    /// The trips as core temperatures, for display. With margins they move with the card's own
    /// estimate, so they come from this reading, and no decision uses them.
    pub fn in_force(&self, reading: &Reading) -> Option<Trips> {
        match self.origin {
            TripOrigin::Margin => {
                let zero = reading.core.ok()? + reading.margin.ok()?;
                Some(Trips::under(zero - self.margin))
            }
            _ => Some(self.core),
        }
    }

    pub(crate) fn of_margin(&self, margin: Celsius) -> Heat {
        let left = margin - self.margin;
        Heat {
            to_alert: left - ALERT_BELOW_CRITICAL,
            to_critical: left,
            to_safe: left - SAFE_BELOW_CRITICAL,
        }
    }
}

/// The critical margin: 0, or as far before the card's own slowdown and shutdown as critical is
/// with absolute thresholds.
fn critical_margin(facts: &Facts) -> Celsius {
    let offset = |offset: Option<Celsius>| {
        offset.filter(|offset| PLAUSIBLE_OFFSET.contains(&offset.degrees()))
    };
    let slowdown = offset(facts.margin_offsets.slowdown).map(|it| it + BELOW_SLOWDOWN);
    let shutdown = offset(facts.margin_offsets.shutdown).map(|it| it + BELOW_SHUTDOWN);
    let zero = Celsius::new(0.0);
    [slowdown, shutdown]
        .into_iter()
        .flatten()
        .fold(zero, Celsius::max)
}

/// The temperature that the firmware holds by itself, with its fans and clocks, if the card names one.
pub fn told_target(facts: &Facts) -> Option<Celsius> {
    let target = facts.thresholds.acoustic_current;
    target.filter(|target| plausible(*target))
}

pub(super) fn plausible(limit: Celsius) -> bool {
    PLAUSIBLE.contains(&limit.degrees())
}

/// The smallest distances to the trips over all sensors. Negative: above the trip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heat {
    pub to_alert: Celsius,
    pub to_critical: Celsius,
    pub to_safe: Celsius,
}

impl Heat {
    /// At alert, with the default distances between the trips.
    pub(crate) const AT_ALERT: Self = Self {
        to_alert: Celsius::new(0.0),
        to_critical: ALERT_BELOW_CRITICAL,
        to_safe: Celsius::new(ALERT_BELOW_CRITICAL.degrees() - SAFE_BELOW_CRITICAL.degrees()),
    };

    pub(crate) fn of(trips: &Trips, temperature: Celsius) -> Self {
        Self {
            to_alert: trips.alert - temperature,
            to_critical: trips.critical - temperature,
            to_safe: trips.safe - temperature,
        }
    }

    pub(crate) fn worse(self, other: Self) -> Self {
        Self {
            to_alert: self.to_alert.min(other.to_alert),
            to_critical: self.to_critical.min(other.to_critical),
            to_safe: self.to_safe.min(other.to_safe),
        }
    }

    pub fn is_critical(&self) -> bool {
        self.to_critical <= Celsius::new(0.0)
    }

    /// At or above alert: nothing is raised.
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
