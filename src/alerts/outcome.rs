//! The words for an alert's status, action and outcome. Metrics use them as label values, so none
//! comes from outside.

use crate::policy::Level;

/// How an alert came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Hook,
    /// Without a filter, a pull lists the alerts of all nodes: those of others need no log line.
    Pull,
}

/// An alert's own status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Firing,
    Resolved,
    /// The alert can't be read.
    Unknown,
}

impl Status {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Unknown => "unknown",
        }
    }
}

/// What an alert asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Gradual,
    Emergency,
    Heartbeat,
    /// Nothing, or an action that doesn't exist.
    None,
}

impl Action {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gradual => "gradual",
            Self::Emergency => "emergency",
            Self::Heartbeat => "heartbeat",
            Self::None => "none",
        }
    }

    pub(crate) const fn level(self) -> Level {
        match self {
            Self::Gradual => Level::Gradual,
            Self::Emergency => Level::Emergency,
            Self::Heartbeat | Self::None => Level::None,
        }
    }
}

/// What the guard did with an alert: the `result` label of the metrics that count alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Accepted,
    Renewed,
    Released,
    /// Late: a newer message of the same alert already fired.
    Stale,
    /// The alert asks for nothing, or there is no lease to end.
    Ignored,
    /// It names no GPU under guard here.
    Unmapped,
    WrongNode,
    /// Its action doesn't exist.
    NotAllowed,
    /// It can't be read, or there is no room for its lease.
    Rejected,
    /// Counted in addition to accepted or renewed: nothing can be done for one of its GPUs.
    NotPossible,
}

impl Outcome {
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::Renewed,
        Self::Released,
        Self::Stale,
        Self::Ignored,
        Self::Unmapped,
        Self::WrongNode,
        Self::NotAllowed,
        Self::Rejected,
        Self::NotPossible,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Renewed => "renewed",
            Self::Released => "released",
            Self::Stale => "stale",
            Self::Ignored => "ignored",
            Self::Unmapped => "unmapped",
            Self::WrongNode => "wrong_node",
            Self::NotAllowed => "not_allowed",
            Self::Rejected => "rejected",
            Self::NotPossible => "not_possible",
        }
    }
}

/// What the guard did with one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) outcome: Outcome,
    /// A lease was taken or renewed, and nothing can be done for one of its GPUs.
    pub(crate) not_possible: bool,
}

impl From<Outcome> for Applied {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            not_possible: false,
        }
    }
}

impl Applied {
    /// Every outcome to count.
    pub(crate) fn outcomes(self) -> impl Iterator<Item = Outcome> {
        let not_possible = self.not_possible.then_some(Outcome::NotPossible);
        [self.outcome].into_iter().chain(not_possible)
    }
}
