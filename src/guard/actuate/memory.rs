//! The memory of each knob: what the card has made of the writes to it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::device::{ClockRange, PowerConstraints};
use crate::guard::actuate::tries::Tries;
use crate::policy::LimitClaim;
use crate::units::{Moment, Watts};

/// If a card stores a limit lower than requested, a difference up to this is its rounding. Beyond it,
/// the card clamps.
pub(super) const ROUNDS_BY: Watts = Watts::from_watts(5);

/// If one of the guard's limits is on the card again this soon after it was set or given back, the card
/// went back to it by itself. Later it may be an operator's: operators like round numbers, too.
pub(super) const FORGETS_WITHIN: Duration = Duration::from_secs(60);
/// How many limits are remembered: a governor and a recovery set some in a minute.
const SET_LATELY: usize = 16;

/// The memory of the power limit.
#[derive(Default)]
pub(super) struct LimitMemory {
    /// The range of limits that the card reports.
    pub(super) range: Option<PowerConstraints>,
    /// The last known limit on the card: read, or written since.
    pub(super) last: Option<Watts>,
    /// What the card stored for the last requested limit: it may round or clamp.
    pub(super) stored: Option<Stored>,
    /// The last write that could not be read back since. The card may have rounded it.
    pub(super) unread: Option<Unread>,
    /// By how much it was seen to round down.
    pub(super) rounds_by: Watts,
    /// The last claim whose original was given back, and when: a card may forget that, too.
    pub(super) returned: Option<(LimitClaim, Moment)>,
    /// The last original limit that the card couldn't store exactly, and what it stored instead.
    pub(super) rounded: Option<(Watts, Watts)>,
    /// The limits it stored lately, newest first.
    pub(super) set_lately: VecDeque<(Watts, Moment)>,
    /// The last written limit was read back.
    pub(super) confirmed: bool,
    /// That isn't in the journal yet.
    pub(super) confirmed_unjournaled: bool,
    /// The card accepted the last limit without setting it. Then it may do the same with a lock, which
    /// can't be read back.
    pub(super) ignores_writes: bool,
    pub(super) tries: Tries,
}

/// A write of a limit that could not be read back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread {
    pub(super) from: Watts,
    pub(super) asked: Watts,
    pub(super) at: Moment,
}

impl Unread {
    /// The card stored more than it was asked for, and less than before: the end of its range. Much later it
    /// may be an operator's limit.
    fn clamped_to(&self, limit: Watts, now: Moment) -> bool {
        let between = self.asked < limit && limit < self.from;
        between && now.since(self.at) <= FORGETS_WITHIN
    }
}

/// The memory of one clock lock, which can't be read back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LockMemory {
    /// The slowest lock that may be on the card. It must not be loosened while the card can't be read.
    pub(super) range: Option<ClockRange>,
    /// The one that is in the journal.
    pub(super) journaled: Option<ClockRange>,
    /// It is on the card for certain, and needn't be written again.
    pub(super) confirmed: bool,
    pub(super) tries: Tries,
}

/// The memory of the fans.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FanMemory {
    /// How many there are, and their highest speed in percent, if the card tells it.
    pub(super) count: usize,
    pub(super) highest: Option<u32>,
    /// All of them are at that speed, and needn't be set again.
    pub(super) confirmed: bool,
    pub(super) tries: Tries,
}

impl LimitMemory {
    /// The card stored this limit for the guard not long before `now`.
    pub(super) fn has_set_lately(&self, limit: Watts, now: Moment) -> bool {
        let lately = |at: Moment| now.since(at) <= FORGETS_WITHIN;
        let mut known = self.set_lately.iter();
        known.any(|(set, at)| *set == limit && lately(*at))
    }

    /// The card stored this limit for the guard, among the last.
    pub(super) fn has_set(&self, limit: Watts) -> bool {
        self.set_lately.iter().any(|(set, _)| *set == limit)
    }

    /// Takes the first limit that can be read after a write that couldn't be: what the card made of it.
    pub(super) fn note_shown(&mut self, limit: Watts, now: Moment) {
        let made = |it: Unread| {
            limit == it.asked || limit.is_just_under(it.asked) || it.clamped_to(limit, now)
        };
        if self.unread.take().is_some_and(made) {
            self.note_set(limit, now);
        }
    }

    /// The limit that is enforced after a write that couldn't be read back: the card may have clamped it to
    /// that.
    pub(super) fn note_enforced(&mut self, enforced: Watts, now: Moment) {
        let made = |it: Unread| enforced <= it.asked || it.clamped_to(enforced, now);
        if self.unread.is_some_and(made) {
            self.note_set(enforced, now);
        }
    }

    /// The limit couldn't be read for so long. That time isn't counted: what the card forgot in it shows
    /// afterwards.
    pub(super) fn keep_for(&mut self, unread: Duration) {
        let set = self.set_lately.iter_mut().map(|(_, at)| at);
        let returned = self.returned.iter_mut().map(|(_, at)| at);
        set.chain(returned).for_each(|at| *at = *at + unread);
    }

    /// Notes that the card stored `limit` now.
    pub(super) fn note_set(&mut self, limit: Watts, now: Moment) {
        self.set_lately.retain(|(set, _)| *set != limit);
        self.set_lately.truncate(SET_LATELY - 1);
        self.set_lately.push_front((limit, now));
    }
}

/// A requested limit, and what the card made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) asked: Watts,
    pub(super) made: Watts,
    /// How often in a row it changed nothing; and when it was last tried.
    pub(super) in_vain: u32,
    pub(super) at: Moment,
}
