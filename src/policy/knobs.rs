//! What is known of each knob of a card: whether it is there, takes what is asked, and has an effect.
//! The plan is made of those that work; one that doesn't leaves it within ticks, and is tried again
//! later.

use std::time::Duration;

use crate::device::{ByKnob, ClockRange, Facts, Knob, PowerConstraints, Reading};
use crate::units::{Megahertz, Moment, Ratio, Watts};

use super::rungs::Targets;
use super::{Claim, Settings};

/// A knob is out of the plan after refusing two values, or one value three times, within no less
/// than this: one refusal is noise.
const REFUSALS: u32 = 2;
const REFUSALS_OF_ONE: u32 = 3;
const REFUSED_FOR: Duration = Duration::from_secs(1);
const REFUSED_ONE_FOR: Duration = Duration::from_secs(2);

/// Between two tries of a knob that is out of the plan; sooner where nothing else is left and the
/// card is hot.
const TRY_EVERY: Duration = Duration::from_secs(180);
const TRY_HUNGRY_EVERY: Duration = Duration::from_secs(4);

/// Between two tries of the minimum that a card didn't store, where it is hot with nothing left.
const TRY_LOWER_EVERY: Duration = Duration::from_secs(30);

/// Between two writes of a lock that may be gone unseen.
const SET_AGAIN_EVERY: Duration = Duration::from_secs(6);

/// A clock above its lock for this long, and in two readings: the lock is gone. The memory clock is
/// read every five seconds.
const GONE_AFTER: Duration = Duration::from_secs(2);
const MEMORY_GONE_AFTER: Duration = Duration::from_secs(12);
/// Two steps of a clock; a card may round a lock up.
const CLOCK_SLACK: u32 = 30;

/// A draw this far over the limit, for this long: the limit isn't in force. Readings average over a
/// second, and a card takes less than that to obey.
const OVERDRAWS: Ratio = Ratio::new(1.1);
const OVERDRAWS_FOR: Duration = Duration::from_secs(10);

const READS: u32 = 2;

/// A setting takes a moment to show: a reading sooner than this after a write says nothing of it.
const SHOWS_AFTER: Duration = Duration::from_millis(1500);

/// More than this is no rounding, but the end of a card's range. Cards are known to round by up to
/// 5 W.
const ROUNDS_BY_MOST: Watts = Watts::from_watts(25);

/// What is known of one knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KnobState {
    Working,
    /// Not tried yet, or not since it failed last.
    #[default]
    Unproven,
    /// The card or the driver takes no value; or tells none, so that it couldn't be given back.
    Refused,
    /// It takes values, and nothing follows.
    Ineffective,
    /// The card has none, or it is switched off in the configuration.
    Absent,
}

impl KnobState {
    pub const ALL: [Self; 5] = [
        Self::Working,
        Self::Unproven,
        Self::Refused,
        Self::Ineffective,
        Self::Absent,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Unproven => "unproven",
            Self::Refused => "refused",
            Self::Ineffective => "ineffective",
            Self::Absent => "absent",
        }
    }

    /// The plan may use it.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Working | Self::Unproven)
    }
}

/// A knob's state, for the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KnobReport {
    pub state: KnobState,
    /// It is refused for lack of permission.
    pub denied: bool,
}

/// How a write went, by what follows from it for the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card stored it, as far as that can be read back.
    Taken,
    /// Accepted, and nothing changed.
    Ignored,
    Refused,
    Denied,
    /// It waits for the journal, or is only observed: nothing is known.
    Unknown,
}

/// One write of the last tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Milliwatts, or the upper end of the lock in MHz.
    pub value: u32,
    /// Of a power limit: what was read back.
    pub stored: Option<Watts>,
    /// It slows the card down; giving back is another matter.
    pub slows: bool,
    /// Another value was refused as well.
    pub varied: bool,
    pub outcome: Outcome,
}

/// What the plan may use now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Means {
    /// The range that the card really takes.
    pub power: Option<PowerConstraints>,
    pub gpu_clock: bool,
    pub memory_clock: bool,
}

impl Means {
    /// All that is configured and offered.
    pub fn all(settings: &Settings, facts: &Facts) -> Self {
        Self {
            power: facts.power.filter(|_| settings.power_limit),
            gpu_clock: settings.gpu_clock && facts.gpu_clock_max.is_some(),
            memory_clock: settings.memory_clock && facts.memory_clocks.len() > 1,
        }
    }
}

/// What the evidence of one tick is drawn from.
pub(super) struct Evidence<'a> {
    pub(super) reading: &'a Reading,
    pub(super) claim: &'a Claim,
    pub(super) writes: &'a ByKnob<Option<Write>>,
    /// What was wanted on the card on the tick before.
    pub(super) targets: &'a Targets,
    pub(super) in_turn: bool,
    /// Hot, with nothing else left to take.
    pub(super) hungry: bool,
}

/// All knobs of one card.
#[derive(Clone, Debug, Default)]
pub(super) struct Knobs {
    trials: ByKnob<Trial>,
    /// The last tick, after whose reading its writes were made.
    looked: Option<Moment>,
    offered: Means,
    /// The limit that is on the card has been read: without it none could be given back.
    limit_known: bool,
    unread: Option<Against>,
    lowest: Option<Lowest>,
    /// The most that it was seen to round a limit by.
    rounds: Watts,
}

#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what one knob was seen to do, each by itself"
)]
struct Trial {
    state: KnobState,
    denied: bool,
    refusals: u32,
    first: Option<Moment>,
    /// The value refused last.
    value: Option<u32>,
    varied: bool,
    /// It failed before, and is tried again: the next failure is enough.
    failed_as: Option<KnobState>,
    hungry: bool,
    failed_at: Option<Moment>,
    against: Option<Against>,
    /// The lock was set again, and its clock not seen under it since.
    renewed: bool,
    /// Since when it hasn't been set again on a hot card whose clock can't be read.
    unseen: Option<Moment>,
}

/// What the card stored when it was asked for its minimum, where that is more.
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

    fn stands(&self, min: Watts) -> Watts {
        if self.is_tried {
            min
        } else {
            self.stored.max(min)
        }
    }
}

/// Since when, and in how many readings, the card has gone against the setting.
#[derive(Clone, Copy, Debug)]
struct Against {
    since: Moment,
    reads: u32,
}

impl Knobs {
    pub(super) fn new(settings: &Settings, facts: &Facts) -> Self {
        Self {
            offered: Means::all(settings, facts),
            ..Self::default()
        }
    }

    /// Other settings or other facts; what was learned stays.
    pub(super) fn offer(&mut self, settings: &Settings, facts: &Facts) {
        self.offered = Means::all(settings, facts);
    }

    /// The card was opened anew: nothing is known of it.
    pub(super) fn reopened(&mut self) {
        self.trials = ByKnob::default();
        self.lowest = None;
        self.unread = None;
        self.rounds = Watts::default();
    }

    pub(super) fn means(&self) -> Means {
        let usable = |knob| self.trials[knob].state.is_usable();
        let power = self.offered.power.filter(|_| usable(Knob::PowerLimit));
        Means {
            power: power.map(|power| PowerConstraints {
                min: self.lowest.map_or(power.min, |low| low.stands(power.min)),
                ..power
            }),
            gpu_clock: self.offered.gpu_clock && usable(Knob::GpuClock),
            memory_clock: self.offered.memory_clock && usable(Knob::MemoryClock),
        }
    }

    pub(super) fn reports(&self) -> ByKnob<KnobReport> {
        ByKnob::of(|knob| {
            let trial = &self.trials[knob];
            // Where it is tried again at once, it hasn't worked yet; what failed long ago on a card
            // that is cool is unproven.
            let tried = trial.failed_as.filter(|_| trial.hungry);
            let state = if self.is_offered(knob) {
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

    fn is_offered(&self, knob: Knob) -> bool {
        match knob {
            Knob::PowerLimit => self.offered.power.is_some(),
            Knob::GpuClock => self.offered.gpu_clock,
            Knob::MemoryClock => self.offered.memory_clock,
        }
    }

    /// Takes in a tick's evidence. Returns the locks that are gone and must be set again.
    pub(super) fn look(&mut self, now: Moment, seen: &Evidence<'_>) -> ByKnob<bool> {
        for (knob, write) in seen.writes.iter() {
            if let Some(write) = write {
                self.note(now, knob, &shown(*write, seen.reading));
            }
        }
        let renew = ByKnob::of(|knob| {
            self.goes_against(now, knob, seen) || self.may_be_gone(now, knob, seen)
        });
        for (_, trial) in self.trials.iter_mut() {
            trial.retry(now, seen.hungry);
        }
        // What held it up may be over.
        if let Some(lowest) = &mut self.lowest {
            lowest.is_tried |= seen.hungry && now.since(lowest.at) >= TRY_LOWER_EVERY;
        }
        self.read_limit(now, seen);
        self.looked = Some(now);
        renew
    }

    /// A limit that could never be read, as asked for or as in force, isn't written either.
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

    fn note(&mut self, now: Moment, knob: Knob, write: &Write) {
        let asked = Watts::from_milliwatts(write.value);
        let over = write.stored.map(|stored| stored.saturating_sub(asked));
        let trial = &mut self.trials[knob];
        match write.outcome {
            Outcome::Unknown => {}
            Outcome::Taken => {
                trial.taken();
                if let Some(over) = over.filter(|over| *over <= ROUNDS_BY_MOST) {
                    self.rounds = self.rounds.max(over);
                }
                // More than what was asked is the end of the limit only where less can't be asked.
                let least = self.offered.power.is_some_and(|power| asked <= power.min);
                if least && write.slows && over > Some(GRAIN) {
                    self.lowest = write.stored.map(|stored| Lowest::new(stored, now));
                }
            }
            // A refused raise takes nothing from the plan.
            _ if !write.slows => {}
            // Rounded to what it was.
            Outcome::Ignored if over.is_some_and(|over| over <= self.rounds) => {}
            // The end that it had before.
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

    /// Whether the card goes against the knob's setting, so that it must be set again.
    fn goes_against(&mut self, now: Moment, knob: Knob, seen: &Evidence<'_>) -> bool {
        let (goes, long) = match knob {
            Knob::PowerLimit => (overdraws(seen), OVERDRAWS_FOR),
            Knob::GpuClock => {
                let clock = seen.reading.gpu_clock.ok();
                let lock = seen.targets.gpu_clock.filter(|_| seen.claim.gpu_clock);
                (exceeds(clock, lock), GONE_AFTER)
            }
            Knob::MemoryClock => {
                let clock = seen.reading.slow.memory_clock;
                let lock = seen
                    .targets
                    .memory_clock
                    .filter(|_| seen.claim.memory_clock);
                (exceeds(clock, lock), MEMORY_GONE_AFTER)
            }
        };
        let just = |at: Moment| now.since(at) < SHOWS_AFTER;
        let written = seen.writes[knob].is_some() && self.looked.is_none_or(just);
        let trial = &mut self.trials[knob];
        match goes {
            Some(true) if !written => {}
            // Another lock doesn't excuse a clock that was over the one before.
            Some(true) if knob != Knob::PowerLimit => return false,
            obeys => {
                trial.against = None;
                trial.renewed &= obeys != Some(false);
                return false;
            }
        }
        // Set again and gone against once more, it needs no second look, and half the time.
        let (before, reads, long) = if trial.renewed {
            (self.looked, 1, long / 2)
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

    /// Where nothing shows whether a lock is still there, and the card is hot with nothing else left,
    /// it is set again.
    fn may_be_gone(&mut self, now: Moment, knob: Knob, seen: &Evidence<'_>) -> bool {
        let (claimed, clock) = match knob {
            Knob::PowerLimit => return false,
            Knob::GpuClock => (seen.claim.gpu_clock, seen.reading.gpu_clock.ok()),
            Knob::MemoryClock => (seen.claim.memory_clock, seen.reading.slow.memory_clock),
        };
        let trial = &mut self.trials[knob];
        if !claimed || clock.is_some() || !seen.hungry || !trial.state.is_usable() {
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

    /// Another lock than the one that was refused last: a driver may refuse just that one.
    pub(super) fn vary(&self, targets: &mut Targets) {
        let refused = |knob: Knob| {
            let trial = &self.trials[knob];
            trial.value.filter(|_| trial.refusals > 0 && !trial.varied)
        };
        for (knob, lock) in [
            (Knob::GpuClock, &mut targets.gpu_clock),
            (Knob::MemoryClock, &mut targets.memory_clock),
        ] {
            if let Some(range) = lock
                && refused(knob) == Some(range.max.megahertz())
            {
                let lower = range.max.megahertz().saturating_sub(2 * CLOCK_SLACK);
                let max = Megahertz::new(lower).max(range.min);
                *range = ClockRange { max, ..*range };
            }
        }
    }
}

/// Two limits closer than this are one: drivers round, some to watts and some by a milliwatt.
pub const GRAIN: Watts = Watts::from_watts(1);

impl Trial {
    fn taken(&mut self) {
        *self = Self {
            state: KnobState::Working,
            against: self.against,
            renewed: self.renewed,
            ..Self::default()
        };
    }

    fn failed(&mut self, now: Moment, write: &Write, to: KnobState) {
        let value = write.value;
        if !self.state.is_usable() {
            self.failed_at = Some(now);
            return;
        }
        let first = *self.first.get_or_insert(now);
        self.varied |= write.varied || self.value.is_some_and(|before| before != value);
        self.value = Some(value);
        self.refusals += 1;
        let long = now.since(first);
        let two = self.varied && self.refusals >= REFUSALS && long >= REFUSED_FOR;
        let one = self.refusals >= REFUSALS_OF_ONE && long >= REFUSED_ONE_FOR;
        if self.failed_as.is_some() || two || one {
            self.out(now, to);
        }
    }

    fn out(&mut self, now: Moment, to: KnobState) {
        *self = Self {
            state: to,
            denied: self.denied,
            failed_at: Some(now),
            ..Self::default()
        };
    }

    fn retry(&mut self, now: Moment, hungry: bool) {
        self.hungry &= hungry;
        let after = if hungry { TRY_HUNGRY_EVERY } else { TRY_EVERY };
        let due = self.failed_at.is_some_and(|at| now.since(at) >= after);
        if !self.state.is_usable() && due {
            *self = Self {
                failed_as: Some(self.state),
                hungry,
                denied: self.denied,
                ..Self::default()
            };
        }
    }
}

/// Where the limit asked for can't be read back, the one in force tells what came of it. A BMC may
/// hold that lower; nothing holds it higher.
fn shown(write: Write, reading: &Reading) -> Write {
    let unread = write.outcome == Outcome::Unknown && write.slows && reading.limit.is_err();
    let asked = Watts::from_milliwatts(write.value);
    match reading.enforced_limit {
        Ok(stored) if unread => Write {
            stored: Some(stored),
            outcome: if stored <= asked {
                Outcome::Taken
            } else {
                Outcome::Ignored
            },
            ..write
        },
        _ => write,
    }
}

/// `None`: it can't be told.
fn overdraws(seen: &Evidence<'_>) -> Option<bool> {
    let limit = seen.reading.limit.ok()?;
    let ours = seen.claim.limit?;
    let draw = seen.reading.draw.ok()?;
    let over = Watts::from_f64(limit.as_f64() * OVERDRAWS.value() + 5.0);
    Some(limit < ours.original && draw > over)
}

fn exceeds(clock: Option<Megahertz>, lock: Option<ClockRange>) -> Option<bool> {
    let (clock, lock) = clock.zip(lock)?;
    Some(clock.megahertz() > lock.max.megahertz() + CLOCK_SLACK)
}

#[cfg(test)]
mod tests;
