//! Watches one card, and knows its true state: the temperatures of the thermal model, the limit and the
//! lock on the card, and what the test did to it. It doesn't ask the guard.

use std::time::Duration;

use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant;
use thermal_guard::sim::plant::{Inputs, State};
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Megahertz, Ratio, Watts};

/// Alert lies this far under each sensor's own limit.
const ALERT_MARGIN: f64 = 7.0;

/// A card that rests with this margin at its minimum limit is a degree under alert: no guard may let
/// it over critical.
const HELD_MARGIN: f64 = 8.0;

/// Long enough for any sink.
const TO_REST: Duration = Duration::from_secs(1500);

/// A guard is expected to hold the card only if the best possible action leaves this margin.
const SPARE: f64 = 1.0;

/// Of the highest clock: an emergency's lock.
const EMERGENCY_CLOCK: Ratio = Ratio::new(0.5);

/// The truth about the card at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Seconds of the card's own time.
    pub(crate) at: f64,
    pub(crate) state: State,
    pub(crate) conditions: Conditions,
    pub(crate) limit: Watts,
    /// Upper end.
    pub(crate) lock: Option<Megahertz>,
}

/// The limit from before the guard, which it must give back.
#[derive(Clone, Copy, Debug)]
struct Originals {
    newest: Watts,
    /// The test set `newest` while the guard may have been writing. Then the guard may have read the card
    /// before, and this one may be given back as well.
    crossed: Option<Watts>,
}

impl Originals {
    fn highest(self) -> Watts {
        self.crossed
            .map_or(self.newest, |before| before.max(self.newest))
    }
}

pub(crate) struct Observer {
    profile: &'static Profile,
    /// Seconds that the guard has to react to the true state.
    reaction: f64,
    /// Sensors round, and are noisy: only beyond this is a card hot, or critical, in any reading.
    sensor_error: f64,
    originals: Originals,
    last: Option<Look>,
    hot_since: Option<f64>,
    critical_since: Option<f64>,
    /// From when on the guard can see the card and write to it.
    guarded_from: Option<f64>,
    /// Until when the sensors lie.
    lied_until: f64,
    /// At its minimum limit it comes to rest under alert, here.
    room_is_feasible: bool,
    /// And did so in each room since it became hot.
    feasible: bool,
    /// The card as it would be with all taken from it that can be, since it became hot.
    best: Option<State>,
}

impl Observer {
    pub(crate) fn new(
        profile: &'static Profile,
        original: Watts,
        reaction: f64,
        sensor_error: f64,
    ) -> Self {
        Self {
            profile,
            reaction,
            sensor_error,
            originals: Originals {
                newest: original,
                crossed: None,
            },
            last: None,
            hot_since: None,
            critical_since: None,
            guarded_from: None,
            lied_until: f64::NEG_INFINITY,
            room_is_feasible: true,
            feasible: true,
            best: None,
        }
    }

    /// Somebody else sets the limit. `crossing`: while the guard may be writing.
    pub(crate) fn foreign(&mut self, limit: Watts, crossing: bool) {
        self.originals = Originals {
            newest: limit,
            crossed: crossing.then_some(self.originals.highest()),
        };
        self.start_over();
    }

    /// The driver forgot all settings.
    pub(crate) fn forgotten(&mut self) {
        self.originals = Originals {
            newest: self.profile.default_limit,
            crossed: None,
        };
        self.start_over();
    }

    /// From when on the guard can see and write; `None`: it can't.
    pub(crate) fn guarded(&mut self, from: Option<f64>) {
        if from != self.guarded_from {
            self.best = None;
        }
        self.guarded_from = from;
    }

    pub(crate) fn lied_to(&mut self, until: f64) {
        self.lied_until = until;
    }

    /// The next values on the card don't come from the guard.
    fn start_over(&mut self) {
        self.last = None;
        self.critical_since = None;
    }

    /// The rules that this look breaks.
    pub(crate) fn look(&mut self, look: &Look) -> Vec<String> {
        self.follow(look);
        let broken = [
            self.over_the_original(look),
            self.raised_while_hot(look),
            self.spared_at_critical(look),
            self.needlessly_over_critical(look),
        ];
        self.last = Some(*look);
        let name = self.profile.key;
        let tell = |broken| format!("{name} at {:.1} s: {broken}: {look:?}", look.at);
        broken.into_iter().flatten().map(tell).collect()
    }

    /// Whether everything was given back. If so, that limit is the original from now on.
    pub(crate) fn is_given_back(&mut self) -> bool {
        let Some(look) = self.last else { return false };
        let Originals { newest, crossed } = self.originals;
        let original = look.limit == newest || Some(look.limit) == crossed;
        let given_back = original && look.lock.is_none();
        if given_back {
            self.originals = Originals {
                newest: look.limit,
                crossed: None,
            };
        }
        given_back
    }

    pub(crate) fn wants(&self) -> String {
        format!(
            "{}: {:?}, has {:?}",
            self.profile.key, self.originals, self.last
        )
    }

    fn margin(&self, look: &Look) -> f64 {
        look.state.margin(self.profile).degrees()
    }

    fn follow(&mut self, look: &Look) {
        let margin = self.margin(look);
        let before = self.last.map(|last| last.at);
        // A long gap: unknown things happened in it.
        let gap = before.is_some_and(|before| look.at - before > self.reaction);
        let since = |since: Option<f64>, holds: bool| {
            holds.then(|| since.filter(|_| !gap).unwrap_or(look.at))
        };
        self.hot_since = since(self.hot_since, margin <= ALERT_MARGIN - self.sensor_error);
        self.critical_since = since(self.critical_since, margin <= -self.sensor_error);
        let same_room = |last: Look| last.conditions == look.conditions;
        if !self.last.is_some_and(same_room) {
            self.room_is_feasible = self.resting_margin(look.conditions) > HELD_MARGIN;
        }
        self.feasible = self.room_is_feasible && (self.feasible || self.hot_since.is_none());
        self.follow_the_best(look, gap);
    }

    fn follow_the_best(&mut self, look: &Look, gap: bool) {
        let since = self.guarded_from.zip(self.hot_since);
        let due = since.is_some_and(|(guarded, hot)| look.at >= guarded.max(hot) + self.reaction);
        self.best = match (self.best, self.last) {
            (Some(mut best), Some(last)) if due && !gap => {
                let inputs = self.taken_all(last.conditions, Some(self.emergency_clock()));
                let time = Duration::from_secs_f64((look.at - last.at).max(0.0));
                plant::advance(self.profile, &mut best, &inputs, time);
                Some(best)
            }
            _ => due.then_some(look.state),
        };
    }

    /// At the minimum limit.
    fn taken_all(&self, conditions: Conditions, gpu_clock_lock: Option<Megahertz>) -> Inputs {
        Inputs {
            load: conditions.load,
            inlet: conditions.inlet,
            airflow_resistance: conditions.airflow_resistance,
            hbm_resistance: conditions.hbm_resistance,
            limit: self.profile.min_limit,
            gpu_clock_lock,
        }
    }

    fn resting_margin(&self, conditions: Conditions) -> f64 {
        let mut state = State::idle_at(self.profile, conditions.inlet);
        let inputs = self.taken_all(conditions, None);
        plant::advance(self.profile, &mut state, &inputs, TO_REST);
        state.margin(self.profile).degrees()
    }

    fn emergency_clock(&self) -> Megahertz {
        self.profile.gpu_clock_max.scaled(EMERGENCY_CLOCK)
    }

    fn over_the_original(&self, look: &Look) -> Option<&'static str> {
        (look.limit > self.originals.highest()).then_some("over the original")
    }

    fn raised_while_hot(&self, look: &Look) -> Option<&'static str> {
        let last = self.last?;
        let loosened = |was: Megahertz| look.lock.is_none_or(|is| is > was);
        let raised = look.limit > last.limit || last.lock.is_some_and(loosened);
        let since = self.hot_since?.max(self.lied_until);
        let seen_hot = last.at >= since + self.reaction;
        (raised && seen_hot).then_some("raised while hot")
    }

    fn spared_at_critical(&self, look: &Look) -> Option<&'static str> {
        let since = self.critical_since?.max(self.guarded_from?);
        let locked = look.lock.is_some_and(|lock| lock <= self.emergency_clock());
        let spared = look.limit > self.profile.min_limit || !locked;
        (spared && look.at >= since + self.reaction).then_some("spared at critical")
    }

    fn needlessly_over_critical(&self, look: &Look) -> Option<&'static str> {
        let best = self.best?.margin(self.profile).degrees();
        let over = self.margin(look) < 0.0;
        (over && self.feasible && best > SPARE).then_some("over critical without need")
    }
}

#[cfg(test)]
mod controls;
