//! Judges all knobs of one card, tick by tick.

use std::time::Duration;

use crate::device::{ByClock, ByKnob, ClockRange, Facts, Knob, PowerConstraints};
use crate::policy::types::settings::Settings;
use crate::policy::types::targets::Targets;
use crate::units::{Megahertz, Moment, Watts};

use super::effect::{
    AtEnd, CLOCK_SLACK, Evidence, OVERDRAWS_FOR, SLOW_GONE_AFTER, exceeds, fans_lag, gone_after,
    keeps_to_limit, overdraws, shown,
};
use super::state::{GRAIN, KnobReport, KnobState, Means, Outcome, Write};
use super::trial::{Against, REFUSED_FOR, Trial};

/// Between two tries of the minimum limit that a card didn't store, if it is hot and no other knob is
/// left.
const TRY_LOWER_EVERY: Duration = Duration::from_secs(30);

/// Between two writes of a lock that may be gone, on a card whose clock can't be read.
const SET_AGAIN_EVERY: Duration = Duration::from_secs(6);

const READS: u32 = 2;

/// A setting takes a moment to have an effect: an earlier reading says nothing about it.
const SHOWS_AFTER: Duration = Duration::from_millis(1500);

/// A larger difference isn't rounding, but the end of a card's range. Cards are known to round by up to
/// 5 W.
const ROUNDS_BY_MOST: Watts = Watts::from_watts(25);

/// All knobs of one card.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knobs {
    trials: ByKnob<Trial>,
    /// When the last tick was. Its writes came after its reading.
    last_tick: Option<Moment>,
    offered: Means,
    /// The limit on the card has been read: without it none could be given back.
    limit_known: bool,
    unread: Option<Against>,
    lowest: Option<Lowest>,
    /// The most by which the card was seen to round a limit up.
    rounds: Watts,
}

/// The limit that the card stored for its minimum, if that is higher.
#[derive(Clone, Copy, Debug)]
struct Lowest {
    stored: Watts,
    at: Moment,
    /// The card is asked once more.
    is_tried: bool,
}

impl Lowest {
    fn new(stored: Watts, at: Moment) -> Self {
        let is_tried = false;
        Self {
            stored,
            at,
            is_tried,
        }
    }

    fn in_force(&self, min: Watts) -> Watts {
        if self.is_tried {
            min
        } else {
            self.stored.max(min)
        }
    }
}

impl Knobs {
    pub(crate) fn new(settings: &Settings, facts: &Facts) -> Self {
        Self {
            offered: Means::all(settings, facts),
            ..Self::default()
        }
    }

    /// Other settings or other facts. The evidence stays.
    pub(crate) fn offer(&mut self, settings: &Settings, facts: &Facts) {
        self.offered = Means::all(settings, facts);
    }

    /// The card was opened again: forget the evidence.
    pub(crate) fn reopened(&mut self) {
        self.trials = ByKnob::default();
        self.lowest = None;
        self.unread = None;
        self.rounds = Watts::default();
    }

    pub(crate) fn means(&self) -> Means {
        let usable = |knob| self.trials[knob].state.is_usable();
        let power = self.offered.power.filter(|_| usable(Knob::PowerLimit));
        let trial = &self.trials[Knob::PowerLimit];
        Means {
            power_failed: power.is_some() && trial.failed_as.is_some(),
            power: power.map(|power| PowerConstraints {
                min: self.lowest.map_or(power.min, |low| low.in_force(power.min)),
                ..power
            }),
            locks: ByClock::of(|domain| self.offered.locks[domain] && usable(domain.knob())),
            fan: self.offered.fan && usable(Knob::Fan),
        }
    }

    pub(crate) fn reports(&self) -> ByKnob<KnobReport> {
        ByKnob::of(|knob| {
            let trial = &self.trials[knob];
            // If it is tried again at once, it hasn't worked yet. A knob that failed long ago on a card
            // that is cool now is unproven.
            let tried = trial.failed_as.filter(|_| trial.hungry);
            let state = if self.offered.has(knob) {
                tried.unwrap_or(trial.state)
            } else {
                KnobState::Absent
            };
            KnobReport {
                state,
                denied: trial.denied && state == KnobState::Refused,
            }
        })
    }

    /// Adds the evidence of a tick. Returns the knobs whose settings are gone and must be set again.
    pub(crate) fn add_evidence(&mut self, now: Moment, seen: &Evidence<'_>) -> ByKnob<bool> {
        for (knob, write) in seen.writes.iter() {
            if let Some(write) = write {
                self.add_write(now, knob, &shown(*write, seen.reading));
            }
        }
        self.prove_limit(now, seen);
        let renew = ByKnob::of(|knob| {
            self.goes_against(now, knob, seen) || self.may_be_gone(now, knob, seen)
        });
        for (_, trial) in self.trials.iter_mut() {
            trial.retry(now, seen.hungry);
        }
        // The reason may be over.
        if let Some(lowest) = &mut self.lowest {
            lowest.is_tried |= seen.hungry && now.since(lowest.at) >= TRY_LOWER_EVERY;
        }
        self.read_limit(now, seen);
        self.last_tick = Some(now);
        renew
    }

    /// If neither the requested nor the enforced limit could ever be read, none is written.
    fn read_limit(&mut self, now: Moment, seen: &Evidence<'_>) {
        let reading = seen.reading;
        let reads = reading.limit.is_ok() || reading.enforced_limit.is_ok();
        self.limit_known |= reads || seen.claim.limit.is_some();
        if self.limit_known {
            self.unread = None;
            return;
        }
        let unread = self.unread.get_or_insert(Against {
            since: now,
            reads: 0,
        });
        unread.reads += u32::from(seen.in_turn);
        let lasts = unread.reads >= READS && now.since(unread.since) >= REFUSED_FOR;
        if lasts && self.trials[Knob::PowerLimit].state.is_usable() {
            self.trials[Knob::PowerLimit].out(now, KnobState::Refused);
        }
    }

    /// A card that takes a limit again must also keep to it, before the clock is let go.
    fn prove_limit(&mut self, now: Moment, seen: &Evidence<'_>) {
        let trial = &mut self.trials[Knob::PowerLimit];
        let Some(since) = trial.proving else {
            return;
        };
        let shows = now.since(since) >= SHOWS_AFTER;
        match keeps_to_limit(seen) {
            // Nothing can show it.
            None => trial.taken(),
            Some(true) if shows => trial.taken(),
            Some(false) if now.since(since) >= OVERDRAWS_FOR => {
                trial.out(now, KnobState::Ineffective);
            }
            Some(_) => {}
        }
    }

    fn add_write(&mut self, now: Moment, knob: Knob, write: &Write) {
        let asked = Watts::from_milliwatts(write.value);
        let over = write.stored.map(|stored| stored.saturating_sub(asked));
        let trial = &mut self.trials[knob];
        match write.outcome {
            Outcome::Unknown => {}
            Outcome::Taken => {
                let again = knob == Knob::PowerLimit && trial.failed_as.is_some();
                if again && write.slows && !trial.hungry {
                    trial.prove(now);
                } else {
                    trial.taken();
                }
                if let Some(over) = over.filter(|over| *over <= ROUNDS_BY_MOST) {
                    self.rounds = self.rounds.max(over);
                }
                // A higher limit than requested is the end of the range only at the card's minimum.
                let least = self.offered.power.is_some_and(|power| asked <= power.min);
                if least && write.slows && over > Some(GRAIN) {
                    self.lowest = write.stored.map(|stored| Lowest::new(stored, now));
                }
            }
            // A refused raise doesn't change the plan.
            _ if !write.slows => {}
            // The card rounded it to the limit before.
            Outcome::Ignored if over.is_some_and(|over| over <= self.rounds) => {}
            // The known end of the range.
            Outcome::Ignored
                if write.stored.is_some() && self.lowest.map(|it| it.stored) == write.stored =>
            {
                self.lowest = write.stored.map(|stored| Lowest::new(stored, now));
            }
            Outcome::Ignored => trial.failed(now, write, KnobState::Ineffective),
            Outcome::Refused => trial.failed(now, write, KnobState::Refused),
            Outcome::Denied => {
                trial.denied = true;
                trial.failed(now, write, KnobState::Refused);
            }
        }
    }

    /// Whether the card contradicts the knob's setting, so that it must be set again.
    fn goes_against(&mut self, now: Moment, knob: Knob, seen: &Evidence<'_>) -> bool {
        let (goes, long) = match (knob, knob.clock()) {
            (_, Some(domain)) => (exceeds(seen, domain), gone_after(domain)),
            (Knob::Fan, None) => (fans_lag(seen), SLOW_GONE_AFTER),
            (_, None) => (overdraws(seen), OVERDRAWS_FOR),
        };
        let just = |at: Moment| now.since(at) < SHOWS_AFTER;
        let written = seen.writes[knob].is_some() && self.last_tick.is_none_or(just);
        let trial = &mut self.trials[knob];
        match goes {
            Some(true) if !written => {}
            // A clock that was above the lock before isn't excused by a new lock.
            Some(true) if knob != Knob::PowerLimit => return false,
            obeys => {
                trial.against = None;
                trial.renewed &= obeys != Some(false);
                return false;
            }
        }
        // If it was set again and the card contradicts it once more, one reading and half the time are
        // enough.
        let (before, reads, long) = if trial.renewed {
            (self.last_tick, 1, long / 2)
        } else {
            (None, READS, long)
        };
        let against = trial.against.get_or_insert(Against {
            since: before.unwrap_or(now),
            reads: 0,
        });
        against.reads += u32::from(seen.in_turn);
        if against.reads < reads || now.since(against.since) < long || !trial.state.is_usable() {
            return false;
        }
        trial.against = None;
        if knob == Knob::PowerLimit || trial.renewed {
            trial.out(now, KnobState::Ineffective);
            return false;
        }
        trial.renewed = true;
        true
    }

    /// If nothing shows whether a lock is still there, and the card is hot with no other knob left, the
    /// lock is set again. A clock under the lock shows it, but not on a card that is over alert all the same.
    fn may_be_gone(&mut self, now: Moment, knob: Knob, seen: &Evidence<'_>) -> bool {
        let Some(domain) = knob.clock() else {
            return false;
        };
        let claimed = seen.claim.locks[domain];
        let shown = match seen.at_end {
            AtEnd::No => true,
            AtEnd::Hot => seen.reading.clock(domain).is_some(),
            AtEnd::AtAlert => false,
        };
        let trial = &mut self.trials[knob];
        if !claimed || shown || !trial.state.is_usable() {
            trial.unseen = None;
            return false;
        }
        let since = *trial.unseen.get_or_insert(now);
        let due = now.since(since) >= SET_AGAIN_EVERY;
        if due {
            trial.unseen = Some(now);
        }
        due
    }

    /// Changes a lock that was refused last: a driver may refuse just that value.
    pub(crate) fn vary(&self, targets: &mut Targets) {
        let refused = |knob: Knob| {
            let trial = &self.trials[knob];
            trial.value.filter(|_| trial.refusals > 0 && !trial.varied)
        };
        for (domain, lock) in targets.locks.iter_mut() {
            if let Some(range) = lock
                && refused(domain.knob()) == Some(range.max.megahertz())
            {
                let lower = range.max.megahertz().saturating_sub(2 * CLOCK_SLACK);
                let max = Megahertz::new(lower).max(range.min);
                *range = ClockRange { max, ..*range };
            }
        }
    }
}
