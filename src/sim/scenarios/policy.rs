//! The policies that `simulate` compares.

/// A policy for the cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Only the driver's own slowdown.
    None,
    FixedStep {
        latency_seconds: u64,
    },
    Ladder,
    Governor,
}

impl Policy {
    pub(crate) const NAMES: [&'static str; 4] = ["none", "fixed-step", "ladder", "governor"];

    pub(crate) const ALL: [Self; 6] = [
        Self::None,
        Self::FixedStep { latency_seconds: 0 },
        Self::FixedStep {
            latency_seconds: 15,
        },
        Self::FixedStep {
            latency_seconds: 60,
        },
        Self::Ladder,
        Self::Governor,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FixedStep { .. } => "fixed-step",
            Self::Ladder => "ladder",
            Self::Governor => "governor",
        }
    }

    pub(crate) const fn latency_seconds(self) -> u64 {
        match self {
            Self::FixedStep { latency_seconds } => latency_seconds,
            _ => 0,
        }
    }
}
