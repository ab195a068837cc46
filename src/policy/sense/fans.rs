//! Fans that don't do what a hot card needs: they stand still, or stay slow. Nothing is throttled
//! for them, and no fan is set: people are told.
//!
//! A fan's speed is the one that the firmware intends, so a blocked fan has a good one. But a
//! firmware that doesn't raise it on a hot card shows. A speed alone means nothing: cards hold 54 %
//! at 81 °C for an hour, and 30 % up to 63 °C, because that is their curve.

use std::time::Duration;

use crate::device::{Facts, Fan, MOST_FANS, Reading};
use crate::units::{Celsius, Moment, Ratio};

use super::trips::{Trips, plausible};

/// What is wrong with a fan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanFault {
    /// It is told to turn, and its sensor counts no revolution.
    Stopped,
    /// It is told to stand still, on a hot card.
    Off,
    /// It stays slow on a card that is past its own target and doesn't get cooler.
    Stuck,
    /// It stays very slow on a card that the guard has to hold.
    Low,
}

impl FanFault {
    pub const ALL: [Self; 4] = [Self::Stopped, Self::Off, Self::Stuck, Self::Low];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Off => "off",
            Self::Stuck => "stuck",
            Self::Low => "low",
        }
    }
}

/// The suspect fans of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SuspectFans([Option<FanFault>; MOST_FANS]);

impl SuspectFans {
    pub fn of(&self, fan: usize) -> Option<FanFault> {
        self.0.get(fan).copied().flatten()
    }

    /// Each fan, with its fault.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Option<FanFault>)> + '_ {
        self.0.iter().copied().enumerate()
    }

    pub fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    #[must_use]
    pub fn with(mut self, fan: usize, fault: FanFault) -> Self {
        if let Some(place) = self.0.get_mut(fan) {
            *place = Some(fault);
        }
        self
    }
}

/// A fan under this speed has room, so it should rise on a card past its own target. Recorded cards
/// that rest at their target have up to 69 %.
const HAS_ROOM: Ratio = Ratio::new(0.7);
/// A card whose power has to be taken needs more than this from its fans. Recorded cards that rest
/// at their target have 53 % or more.
const VERY_SLOW: Ratio = Ratio::new(0.4);
/// The highest temperature at which a recorded card's fans stood still is 59 °C.
const TURNS_FROM: Celsius = Celsius::new(70.0);
/// Cards swing around their own target by a degree.
const PAST_TARGET: Celsius = Celsius::new(2.0);
/// A card that names no target should have its fans well up this far under its maximum.
const UNDER_MAX: Celsius = Celsius::new(5.0);
/// The guard holds a card at its set point within this distance to alert: the set point is 1 °C
/// under it, and the temperature swings by a degree or two.
const HELD_WITHIN: Celsius = Celsius::new(3.0);

/// Rounding moves a speed by less than this.
const RISES: Ratio = Ratio::new(0.005);

/// A fault must last this long. Fans are read every 5 s, or at most every 10, so these are three
/// readings, and a single odd one is none; a fan needs a few seconds to speed up.
const LASTS: Duration = Duration::from_secs(12);
/// A suspect fan must be without its fault for this long: a single odd reading, and the time after
/// which the fault shows again, are shorter.
const FINE_FOR: Duration = Duration::from_secs(45);

/// Watches the fans of one card.
#[derive(Clone, Debug, Default)]
pub(crate) struct FanWatch {
    /// The last trusted core temperatures: one odd reading is no heat and no cooling.
    cores: [Option<Celsius>; 3],
    fans: [OneFan; MOST_FANS],
}

#[derive(Clone, Copy, Debug, Default)]
struct OneFan {
    run: Option<Run>,
    /// The fault that is told.
    told: Option<FanFault>,
    /// When it was last there for long enough.
    seen: Option<Moment>,
}

/// A fault that lasts.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Moment,
    last: Moment,
    fastest: Ratio,
    coolest: Option<Celsius>,
}

/// The card that the fans are on.
#[derive(Clone, Copy, Debug)]
struct Around {
    /// `None`: unknown, or not trusted.
    core: Option<Celsius>,
    /// From here on, a fan that has room should rise.
    past: Option<Celsius>,
    held: bool,
}

/// One look at a fan.
enum Look {
    Fine,
    Faulty(FanFault),
    /// Not everything that the look needs could be read.
    Unknown,
}

impl FanWatch {
    /// The suspect fans. `core`: if it is trusted. `trips`: of the core, while the guard throttles
    /// the card for its temperature.
    pub(crate) fn watch(
        &mut self,
        now: Moment,
        reading: &Reading,
        facts: &Facts,
        core: Option<Celsius>,
        trips: Option<Trips>,
    ) -> SuspectFans {
        let core = self.steady(core);
        let held = |trips: Trips| core.is_some_and(|core| core + HELD_WITHIN >= trips.alert);
        let around = Around {
            core,
            past: past(reading, facts),
            held: trips.is_some_and(held),
        };
        let mut suspect = SuspectFans::default();
        for (place, watched) in self.fans.iter_mut().enumerate() {
            let Some(fan) = reading.slow.fans.get(place) else {
                *watched = OneFan::default();
                continue;
            };
            suspect.0[place] = watched.watch(now, fan, &around);
        }
        suspect
    }

    /// A fan shows a fault, which hasn't lasted long enough to be one.
    pub(crate) fn is_wary(&self) -> bool {
        self.fans.iter().any(|fan| fan.run.is_some())
    }

    /// The middle one of the last three temperatures, or the lowest of fewer.
    fn steady(&mut self, core: Option<Celsius>) -> Option<Celsius> {
        let newest = core?;
        let [_, second, third] = self.cores;
        self.cores = [second, third, Some(newest)];
        Some(match self.cores {
            [Some(a), Some(b), Some(c)] => a.min(b).max(a.max(b).min(c)),
            [_, Some(b), _] => b.min(newest),
            _ => newest,
        })
    }
}

/// Where the card is past its own target or, if it names none, close to its maximum operating
/// temperature.
fn past(reading: &Reading, facts: &Facts) -> Option<Celsius> {
    let told = |limit: Option<Celsius>| limit.filter(|limit| plausible(*limit));
    let target = told(facts.thresholds.acoustic_current).map(|target| target + PAST_TARGET);
    let by_margin = || Some(reading.core.ok()? + reading.margin.ok()?);
    let max = || told(facts.thresholds.gpu_max).or_else(by_margin);
    target.or_else(|| max().map(|max| max - UNDER_MAX))
}

impl OneFan {
    fn watch(&mut self, now: Moment, fan: &Fan, around: &Around) -> Option<FanFault> {
        match look(fan, around) {
            Look::Unknown => return self.told,
            Look::Fine => self.run = None,
            Look::Faulty(fault) => {
                let run = self.run.get_or_insert(Run::new(now, fan, around));
                if run.is_over(now, fault, fan, around) {
                    *run = Run::new(now, fan, around);
                }
                run.last = now;
                if now.since(run.since) >= LASTS {
                    self.seen = Some(now);
                    self.told = self.told.or(Some(fault));
                }
            }
        }
        if self.seen.is_none_or(|seen| now.since(seen) >= FINE_FOR) {
            self.told = None;
        }
        self.told
    }
}

impl Run {
    fn new(since: Moment, fan: &Fan, around: &Around) -> Self {
        Self {
            since,
            last: since,
            fastest: fan.speed.unwrap_or(Ratio::ZERO),
            coolest: around.core,
        }
    }

    /// The fan rises, the card gets cooler, or there was nothing to see for too long.
    fn is_over(&self, now: Moment, fault: FanFault, fan: &Fan, around: &Around) -> bool {
        if now.since(self.last) >= LASTS {
            return true;
        }
        let rises = fan.speed.is_some_and(|it| it > self.fastest + RISES);
        let cools = around
            .core
            .zip(self.coolest)
            .is_some_and(|(core, coolest)| core < coolest);
        match fault {
            FanFault::Stopped | FanFault::Off => false,
            FanFault::Stuck => rises || cools,
            FanFault::Low => rises,
        }
    }
}

fn look(fan: &Fan, around: &Around) -> Look {
    let Some(speed) = fan.speed else {
        return Look::Unknown;
    };
    if fan.rpm == Some(0) && speed > Ratio::ZERO {
        return Look::Faulty(FanFault::Stopped);
    }
    let Some(core) = around.core else {
        return Look::Unknown;
    };
    let is_past = around.past.is_some_and(|past| core >= past);
    let fault = if speed <= Ratio::ZERO && core >= TURNS_FROM {
        FanFault::Off
    } else if speed < HAS_ROOM && is_past {
        FanFault::Stuck
    } else if speed < VERY_SLOW && around.held {
        FanFault::Low
    } else {
        return Look::Fine;
    };
    Look::Faulty(fault)
}

#[cfg(test)]
mod tests;
