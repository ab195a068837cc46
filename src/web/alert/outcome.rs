//! What alerts say, ask for and come to, in words of ours: no label value comes from outside.

use crate::policy::Level;

/// An alert's own status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Firing,
    Resolved,
    /// Neither: the alert can't be read.
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
    /// Nothing, or nothing there is.
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

/// What came of an alert: the `result` of the metrics that count alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Accepted,
    Renewed,
    Released,
    /// A late message, overtaken by a newer firing.
    Stale,
    /// Nothing asked for, or nothing there to end.
    Ignored,
    /// No GPU of ours.
    Unmapped,
    WrongNode,
    /// An action that there isn't.
    NotAllowed,
    /// Can't be read, or no room for one more lease.
    Rejected,
    /// Beside accepted or renewed, never instead: nothing can be done for one of its GPUs.
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
