//! The trial of one knob: how often it failed, when it leaves the plan, and when it is tried again.

use std::time::Duration;

use crate::units::Moment;

use super::state::{KnobState, Write};

/// A knob leaves the plan after it refused two values, or one value three times, over at least this
/// time. One refusal is noise.
const REFUSALS: u32 = 2;
const REFUSALS_OF_ONE: u32 = 3;
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(1);
const REFUSED_ONE_FOR: Duration = Duration::from_secs(2);

/// Between two tries of a knob that is out of the plan. It is tried sooner if no other knob is left and
/// the card is hot.
const TRY_EVERY: Duration = Duration::from_secs(180);
const TRY_HUNGRY_EVERY: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what one knob was seen to do, each by itself"
)]
pub(super) struct Trial {
    pub(super) state: KnobState,
    pub(super) denied: bool,
    pub(super) refusals: u32,
    pub(super) first: Option<Moment>,
    /// The last refused value.
    pub(super) value: Option<u32>,
    pub(super) varied: bool,
    /// It failed before and is being tried again: one more failure is enough.
    pub(super) failed_as: Option<KnobState>,
    pub(super) hungry: bool,
    pub(super) failed_at: Option<Moment>,
    pub(super) against: Option<Against>,
    /// The lock was set again, and the clock wasn't seen under it since.
    pub(super) renewed: bool,
    /// A limit that failed before was taken then, and its effect isn't seen yet.
    pub(super) proving: Option<Moment>,
    /// When the lock was last set again on a hot card whose clock can't be read.
    pub(super) unseen: Option<Moment>,
}

/// Since when, and in how many readings, the card has contradicted the setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Against {
    pub(super) since: Moment,
    pub(super) reads: u32,
}

impl Trial {
    pub(super) fn taken(&mut self) {
        *self = Self {
            state: KnobState::Working,
            against: self.against,
            renewed: self.renewed,
            ..Self::default()
        };
    }

    /// It was taken after it had failed: it works once its effect is seen.
    pub(super) fn prove(&mut self, now: Moment) {
        self.refusals = 0;
        self.proving = self.proving.or(Some(now));
    }

    pub(super) fn failed(&mut self, now: Moment, write: &Write, to: KnobState) {
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

    pub(super) fn out(&mut self, now: Moment, to: KnobState) {
        *self = Self {
            state: to,
            denied: self.denied,
            failed_at: Some(now),
            ..Self::default()
        };
    }

    pub(super) fn retry(&mut self, now: Moment, hungry: bool) {
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
