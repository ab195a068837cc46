//! One tick of one GPU: reading, decision and outcomes. Log, metrics, status API and tests are views of
//! this one value, so they can't disagree.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Facts, Identity, Reading};
use crate::guard::counters::Counters;
use crate::guard::outcomes::Outcomes;
use crate::policy::cooling::{Health, Receipt};
use crate::policy::{Claim, Decision, ExtraSensor, Trips};
use crate::units::Moment;

/// One tick of one GPU.
#[derive(Clone, Debug)]
pub struct Tick {
    pub identity: Arc<Identity>,
    pub facts: Arc<Facts>,
    /// When it was, on the wall's clock.
    pub at: Moment,
    /// When a reading last succeeded, since the Unix epoch.
    pub last_success: Option<Duration>,
    pub poll_duration: Duration,
    /// The card answers.
    pub up: bool,
    pub reading: Reading,
    /// The readings of the extra sensors.
    pub probes: Vec<ExtraSensor>,
    pub decision: Decision,
    /// The trips in force, as core temperatures, on cards that have a core sensor.
    pub trips: Option<Trips>,
    pub claim: Claim,
    pub permission: Permission,
    /// What happened during this tick.
    pub outcomes: Outcomes,
    /// Since when the guard has held something on the card, since the Unix epoch. This may be before
    /// this process started, if it took over from a dead guard.
    pub held_since: Option<Duration>,
    /// Until when leases and gradual are ignored, on the wall's clock.
    pub paused_until: Option<Moment>,
    /// When the state last changed, since the Unix epoch.
    pub changed: Duration,
    /// How well the card is cooled.
    pub cooling: Health,
    /// What the present throttle has cost so far, or the last one.
    pub receipt: Option<Receipt>,
    /// All outcomes since the guard started, this tick's included.
    pub counters: Counters,
}

/// Whether the guard may write to the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nothing was written yet: only the first action can prove it.
    Unproven,
    Granted,
    /// The guard only exports, until it is granted.
    Denied,
    /// `mode: observe`.
    Observe,
}

impl Permission {
    pub const ALL: [Self; 4] = [Self::Unproven, Self::Granted, Self::Denied, Self::Observe];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Observe => "observe",
        }
    }
}
