//! One tick of one GPU: what was read, decided and done. Log line, metrics, status API and tests
//! are views of this one value, so they can't disagree.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{ByKnob, Facts, Identity, Reading};
use crate::policy::{Claim, Decision, Probe, Trips, Write};
use crate::units::Moment;

use super::tally::Tally;

/// What the views see of a GPU.
#[derive(Clone, Debug)]
pub struct Tick {
    pub identity: Arc<Identity>,
    pub facts: Arc<Facts>,
    /// On the wall's clock, to tell how old it is.
    pub at: Moment,
    /// Since the Unix epoch, of the last reading that succeeded.
    pub last_success: Option<Duration>,
    pub poll_duration: Duration,
    /// The card answers.
    pub up: bool,
    pub reading: Reading,
    /// What the sensors beside the card's own said.
    pub probes: Vec<Probe>,
    pub decision: Decision,
    /// The core temperatures at which the trips lie, on cards that have one.
    pub trips: Option<Trips>,
    pub claim: Claim,
    pub permission: Permission,
    /// What came of this tick's writes.
    pub writes: ByKnob<Option<Write>>,
    /// Since when something of ours has been on the card, since the Unix epoch; before this guard,
    /// if it followed a dead one.
    pub held_since: Option<Duration>,
    /// Leases and gradual are ignored until then (on the wall's clock).
    pub paused_until: Option<Moment>,
    /// Since the Unix epoch, when the state last changed.
    pub changed: Duration,
    pub tally: Tally,
}

/// Whether the guard may write to the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nothing was written yet: proven by the first action only.
    Unproven,
    Granted,
    /// An exporter only, until somebody grants it.
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
