//! The guard's clocks. Only this file reads the system's clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::units::Moment;

/// Monotonic time since the guard's start, at the pace of the wall clock and at the pace of
/// sampling.
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

    /// Now, at the pace of sampling: for readings and the policy's durations.
    pub fn now(&self) -> Moment {
        Moment::from_start(self.started.elapsed().mul_f64(self.scale))
    }

    /// Now, at the pace of the wall clock: for leases, heartbeats and HTTP.
    pub fn wall(&self) -> Moment {
        Moment::from_start(self.started.elapsed())
    }

    /// How long `duration` of sampling time takes on the wall clock.
    pub fn on_wall(&self, duration: Duration) -> Duration {
        duration.div_f64(self.scale)
    }

    /// Time since the machine started, sleep included. No clock step changes it.
    pub fn since_boot() -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(time).unwrap_or_default()
    }

    /// Time since the Unix epoch, for people and Prometheus. The guard never computes with it.
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
