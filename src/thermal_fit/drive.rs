//! What heats the slower masses.

use super::series::Point;

/// What the slower masses are heated by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drive {
    Power,
    /// The power over the fan's share: resistance goes with fan^−1, as measured on six cards.
    ByFan,
}

/// Slower fans don't hold much, and may not turn at all.
pub(super) const SLOWEST_FAN: f64 = 0.2;

impl Drive {
    pub(super) fn watts(self, point: &Point) -> f64 {
        match self {
            Self::Power => point.watts,
            Self::ByFan => point.watts / point.fan.unwrap_or(1.0).max(SLOWEST_FAN),
        }
    }
}
