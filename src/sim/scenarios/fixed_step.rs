//! The article's script, as intended: one step down at a fixed temperature, everything back later.
//! Its flaws without effect on the comparison (it watches one GPU, repeats the same write every two
//! seconds, assumes 250 W for every card) are left out. The thresholds and the step are its own for
//! every card.

use std::time::Duration;

use crate::device::{Cadence, Gpu};
use crate::sim::scenarios::meter::Batch;
use crate::units::{Celsius, Moment, Watts};

const ALERT: Celsius = Celsius::new(78.0);
const SAFE: Celsius = Celsius::new(72.0);

/// 120 W, or the nearest limit that the card accepts.
const CAP: Watts = Watts::from_watts(120);

/// The seconds between two reads: while all is well, and while throttled.
const WATCH_SECONDS: u64 = 2;
const RECOVERY_SECONDS: u64 = 5;

/// The GPU must be at or below safe, and still so after this long.
const RECOVERY_DELAY: Duration = Duration::from_secs(30);

/// The script on one card.
pub(crate) struct FixedStep {
    gpu: Box<dyn Gpu>,
    /// The limit when the script started.
    start: Watts,
    /// The time between the temperature and the action.
    latency: Duration,
    phase: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    Watching,
    /// The alert is on its way.
    Alerting(Moment),
    Throttled,
    /// At or below safe since then.
    Cooling(Moment),
}

impl FixedStep {
    pub(crate) fn new(mut gpu: Box<dyn Gpu>, latency: Duration) -> Self {
        Self {
            start: gpu.power_limit().unwrap_or_default(),
            gpu,
            latency,
            phase: Phase::Watching,
        }
    }

    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self.phase, Phase::Throttled | Phase::Cooling(_))
    }

    pub(crate) fn batch(&self) -> Batch {
        if self.is_throttled() {
            Batch::One
        } else {
            Batch::Normal
        }
    }

    /// A second of the script's life.
    pub(crate) fn tick(&mut self, now: Moment) {
        let every = |seconds: u64| now.since_start().as_secs().is_multiple_of(seconds);
        let phase = self.phase;
        self.phase = match phase {
            Phase::Watching if every(WATCH_SECONDS) && self.core(now) >= Some(ALERT) => {
                self.alerted(now, now)
            }
            Phase::Alerting(since) => self.alerted(now, since),
            Phase::Throttled if every(RECOVERY_SECONDS) && self.is_safe(now) => Phase::Cooling(now),
            Phase::Cooling(since) if now.since(since) < RECOVERY_DELAY => Phase::Cooling(since),
            Phase::Cooling(_) if self.is_safe(now) => {
                self.set(self.start);
                Phase::Watching
            }
            Phase::Cooling(_) => Phase::Throttled,
            phase => phase,
        };
    }

    fn alerted(&mut self, now: Moment, since: Moment) -> Phase {
        if now.since(since) < self.latency {
            return Phase::Alerting(since);
        }
        let power = self.gpu.facts().power;
        self.set(power.map_or(CAP, |power| power.clamp(CAP)));
        Phase::Throttled
    }

    fn core(&mut self, now: Moment) -> Option<Celsius> {
        self.gpu.read(now, Cadence::Fast).core.ok()
    }

    fn is_safe(&mut self, now: Moment) -> bool {
        self.core(now).is_some_and(|core| core <= SAFE)
    }

    fn set(&mut self, limit: Watts) {
        // Like the script, this doesn't check whether the write worked.
        let _ = self.gpu.set_power_limit(limit);
    }
}
