//! Whether a temperature can be believed. A sensor that lies is worse than one that is silent: the
//! guard would hold still while the card burns.
//!
//! Three lies can be told from the truth. A reading that stands still while the power moves is
//! *frozen*. One that falls faster than metal cools has *fallen*. And one that looks fine while
//! the card itself slows down for heat is *contradicted*: the card is believed. A rise, however
//! steep, is always believed.

use std::time::Duration;

use crate::device::{ClockEvents, Facts, Missing, Reading};
use crate::units::{Celsius, Moment, Watts};

use super::zone::Heat;

/// A reading that didn't change for this long (core, memory, margin), while the draw, averaged over
/// a few seconds, moved by [`FROZEN_MOVES`] of the default limit: that moves a die by 3 °C within
/// 5 s, and a memory stack by 2 °C within half a minute.
const FROZEN_AFTER: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(20),
];
const FROZEN_MOVES: f64 = 0.2;
const DRAW_SECONDS: f64 = 5.0;
/// Ticks until a movement of the draw is two thirds forgotten.
const FORGETS_TICKS: f64 = 60.0;

/// A die loses at most its whole rise over the sink, 20 °C, with a time constant of seconds.
const FALL_PER_SECOND: f64 = 15.0;

/// Closer to critical than this, the card's own slowdown is no contradiction.
const EXPLAINED: Celsius = Celsius::new(3.0);

/// The driver's slowdown outlasts its cause by some seconds.
const SLOWS_FOR: Duration = Duration::from_secs(5);

/// Why a reading isn't taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is none.
    Missing,
    /// It doesn't follow the power.
    Frozen,
    /// It fell faster than metal cools.
    Fallen,
    /// The card slows itself down for heat.
    Contradicted,
    /// The card's own are fine, but a sensor beside them can't be read.
    Probe,
}

impl Doubt {
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::Frozen,
        Self::Fallen,
        Self::Contradicted,
        Self::Probe,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Frozen => "frozen",
            Self::Fallen => "fallen",
            Self::Contradicted => "contradicted",
            Self::Probe => "probe",
        }
    }
}

/// What the sensors said, to compare with what they say.
#[derive(Clone, Debug)]
pub struct Witness {
    default_limit: f64,
    /// The card's fan or clock target: slowing down at it is its job, not a sign of danger.
    target: Option<Celsius>,
    /// Since when the driver has slowed the card down for heat.
    slows_since: Option<Moment>,
    last: Option<(Moment, [Result<Celsius, Missing>; 3])>,
    still: [Still; 3],
    draw: Option<f64>,
}

/// A sensor's reading standing still.
#[derive(Clone, Copy, Debug, Default)]
struct Still {
    since: Option<Moment>,
    /// Lowest and highest averaged draw meanwhile.
    range: (f64, f64),
    frozen: bool,
}

impl Witness {
    pub fn of(facts: &Facts) -> Self {
        let default_limit = facts.power.map(|power| power.default);
        Self::new(default_limit, facts.thresholds.acoustic_current)
    }

    /// The card was opened anew; what was seen of it stays.
    pub fn recalibrate(&mut self, facts: &Facts) {
        let Self {
            default_limit,
            target,
            ..
        } = Self::of(facts);
        (self.default_limit, self.target) = (default_limit, target);
    }

    fn new(default_limit: Option<Watts>, target: Option<Celsius>) -> Self {
        Self {
            default_limit: default_limit.unwrap_or_default().as_f64(),
            target,
            slows_since: None,
            last: None,
            still: [Still::default(); 3],
            draw: None,
        }
    }

    /// The heat to act on, and the doubt about it; no heat if there is none to act on.
    pub fn question(
        &mut self,
        now: Moment,
        reading: &Reading,
        heat: Result<Heat, Missing>,
    ) -> (Option<Heat>, Option<Doubt>) {
        let Ok(heat) = heat else {
            return (None, Some(Doubt::Missing));
        };
        let sensors = [reading.core, reading.memory, reading.margin];
        let fallen = self.has_fallen(now, reading);
        // A card that holds its own temperature by its clock stands still by its own doing.
        let own_doing = reading.events.is_ok_and(|events| {
            events.contains(ClockEvents::SW_THERMAL_SLOWDOWN)
                || events.contains(ClockEvents::HW_THERMAL_SLOWDOWN)
        });
        let frozen = self.is_frozen(now, sensors, reading.draw.ok().filter(|_| !own_doing));
        if !fallen {
            self.last = Some((now, sensors));
        }
        match (fallen, frozen, self.contradiction(now, reading, &heat)) {
            (_, _, Some(worse)) => (Some(worse), Some(Doubt::Contradicted)),
            (true, _, None) => (None, Some(Doubt::Fallen)),
            (_, true, None) => (None, Some(Doubt::Frozen)),
            (false, false, None) => (Some(heat), None),
        }
    }

    /// From the last reading that was believed; the longer ago, the more it may have cooled.
    fn has_fallen(&self, now: Moment, reading: &Reading) -> bool {
        let (Some((at, [Ok(before), ..])), Ok(core)) = (self.last, reading.core) else {
            return false;
        };
        let seconds = now.since(at).as_secs_f64().max(1.0);
        (before - core).degrees() > FALL_PER_SECOND * seconds
    }

    fn is_frozen(
        &mut self,
        now: Moment,
        sensors: [Result<Celsius, Missing>; 3],
        draw: Option<Watts>,
    ) -> bool {
        let Some(draw) = draw.map(Watts::as_f64) else {
            self.still = [Still::default(); 3];
            return false;
        };
        let step = self.last.map_or(0.0, |(at, _)| now.since(at).as_secs_f64());
        let average = self.draw.map_or(draw, |was| {
            was + (draw - was) * (step / DRAW_SECONDS).min(1.0)
        });
        self.draw = Some(average);
        let before = self.last.map(|(_, before)| before);
        let moves = FROZEN_MOVES * self.default_limit;
        let mut frozen = false;
        for (index, still) in self.still.iter_mut().enumerate() {
            let same =
                sensors[index].is_ok() && before.is_some_and(|it| it[index] == sensors[index]);
            frozen |= still.lasts(now, same, average, FROZEN_AFTER[index], moves);
        }
        frozen
    }

    /// What the card's own slowdown says, if it is worse than what the sensors say: hardware
    /// slowdown is critical, the driver's own, if it lasts, is at alert.
    fn contradiction(&mut self, now: Moment, reading: &Reading, heat: &Heat) -> Option<Heat> {
        let events = reading.events.ok()?;
        let zero = Celsius::new(0.0);
        if !events.contains(ClockEvents::SW_THERMAL_SLOWDOWN) || self.is_at_target(reading) {
            self.slows_since = None;
        }
        let fine = heat.to_critical > EXPLAINED;
        if events.contains(ClockEvents::HW_THERMAL_SLOWDOWN) && fine {
            let to_alert = heat.to_alert.min(zero);
            return Some(Heat {
                to_critical: zero,
                to_alert,
                ..*heat
            });
        }
        if !events.contains(ClockEvents::SW_THERMAL_SLOWDOWN) || self.is_at_target(reading) {
            return None;
        }
        let since = *self.slows_since.get_or_insert(now);
        let lasts = now.since(since) >= SLOWS_FOR;
        (lasts && fine && heat.to_alert > zero).then_some(Heat {
            to_alert: zero,
            ..*heat
        })
    }

    /// A card at its own target temperature slows down to stay there: that is its job.
    fn is_at_target(&self, reading: &Reading) -> bool {
        let near = |(target, core): (Celsius, Celsius)| core + Celsius::new(1.0) >= target;
        self.target.zip(reading.core.ok()).is_some_and(near)
    }
}

impl Still {
    /// Whether it has stood still for `long`, while the draw moved by `moves`.
    fn lasts(&mut self, now: Moment, same: bool, draw: f64, long: Duration, moves: f64) -> bool {
        let Some(since) = self.since.filter(|_| same) else {
            *self = Self {
                since: Some(now),
                range: (draw, draw),
                frozen: false,
            };
            return false;
        };
        // What moved long ago says nothing: a governor moves the draw by as much over minutes,
        // just to keep the reading where it is.
        let fades = |end: f64| end + (draw - end) / FORGETS_TICKS;
        self.range = (fades(self.range.0).min(draw), fades(self.range.1).max(draw));
        // Once found out, it is until it moves again.
        self.frozen |= self.range.1 - self.range.0 > moves && now.since(since) >= long;
        self.frozen
    }
}

#[cfg(test)]
mod tests;
