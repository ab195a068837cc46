//! The guard's clocks. The only place that reads one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Moment;

/// Monotonic time since the guard's start, at the wall's pace and at the sampling's.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    scale: f64,
}

impl Clock {
    /// Sampling and policy run `scale` times faster than the wall (1 but for demos and tests).
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn start(scale: f64) -> Self {
        Self {
            started: Instant::now(),
            scale,
        }
    }

    /// Now, at the sampling's pace: readings, policy durations.
    pub fn now(&self) -> Moment {
        Moment::from_start(self.started.elapsed().mul_f64(self.scale))
    }

    /// Now, at the wall's pace: leases, heartbeats, HTTP.
    pub fn wall(&self) -> Moment {
        Moment::from_start(self.started.elapsed())
    }

    /// How long `duration` of the sampling's time takes on the wall.
    pub fn on_wall(&self, duration: Duration) -> Duration {
        duration.div_f64(self.scale)
    }

    /// Time since the Unix epoch, for people and Prometheus; never for arithmetic of ours.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn unix() -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }
}
