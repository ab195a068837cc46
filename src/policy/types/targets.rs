//! The values to set on a GPU, and the mode to tell its applications.

use crate::device::{ByClock, ClockRange};
use crate::units::Watts;

/// The targets for one GPU and its applications. `None`: the value from before the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Targets {
    pub limit: Option<Watts>,
    pub locks: ByClock<Option<ClockRange>>,
    pub fans: FanTarget,
    pub app: AppMode,
}

/// What the fans are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum FanTarget {
    /// What they did before the guard.
    #[default]
    AsBefore,
    /// What they do: the guard sets none, and leaves those that it set.
    Kept,
    /// Their highest speed.
    Full,
}

/// The mode that the applications are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AppMode {
    #[default]
    Normal,
    /// Slow down gently: the HTTP mode.
    Gradual,
    /// Also take smaller batches: the environment file. It comes late, because it costs the most.
    GradualBatch,
    Emergency,
}

impl Targets {
    /// At least one clock is to be locked.
    pub fn has_lock(&self) -> bool {
        self.locks.iter().any(|(_, lock)| lock.is_some())
    }

    /// Of each target, the value that slows the GPU more.
    #[must_use]
    pub fn colder(self, other: Self) -> Self {
        let colder = self.no_higher_than(other);
        Self {
            app: colder.app.max(AppMode::Gradual),
            ..colder
        }
    }

    /// Likewise, for a GPU that may not be throttled at all.
    #[must_use]
    pub fn no_higher_than(self, other: Self) -> Self {
        Self {
            limit: [self.limit, other.limit].into_iter().flatten().min(),
            locks: ByClock::of(|domain| slower(self.locks[domain], other.locks[domain])),
            fans: self.fans.max(other.fans),
            app: self.app.max(other.app),
        }
    }
}

/// The lock that slows the GPU more.
pub(crate) fn slower(a: Option<ClockRange>, b: Option<ClockRange>) -> Option<ClockRange> {
    [a, b].into_iter().flatten().min_by_key(|range| range.max)
}
