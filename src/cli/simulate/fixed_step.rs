//! The article's script, as it was meant: one step down at a fixed temperature, everything back
//! later. Its flaws that only embarrass (one GPU watched, the same write every two seconds, 250 W
//! for every card) are left out; the thresholds and the step are its own, whatever the card's.

use std::time::Duration;

use crate::device::{Cadence, Gpu};
use crate::units::{Celsius, Moment, Watts};

use super::scene::Batch;

const ALERT: Celsius = Celsius::new(78.0);
const SAFE: Celsius = Celsius::new(72.0);

/// 120 W, or what the card takes.
const CAP: Watts = Watts::from_watts(120);

/// Between two looks while all is well, and while throttled.
const WATCH_SECONDS: u64 = 2;
const RECOVERY_SECONDS: u64 = 5;

/// At or below safe, and still so after this long.
const RECOVERY_DELAY: Duration = Duration::from_secs(30);

/// The script on one card.
pub(super) struct FixedStep {
    gpu: Box<dyn Gpu>,
    /// What was set when it started.
    start: Watts,
    /// Between the temperature and the act.
    latency: Duration,
    phase: Phase,
}

#[derive(Clone, Copy)]
enum Phase {
    Watching,
    /// The alert is on its way.
    Alerting(Moment),
    Throttled,
    /// At or below safe since.
    Cooling(Moment),
}

impl FixedStep {
    pub(super) fn new(mut gpu: Box<dyn Gpu>, latency: Duration) -> Self {
        Self {
            start: gpu.power_limit().unwrap_or_default(),
            gpu,
            latency,
            phase: Phase::Watching,
        }
    }

    pub(super) fn is_throttled(&self) -> bool {
        matches!(self.phase, Phase::Throttled | Phase::Cooling(_))
    }

    pub(super) fn batch(&self) -> Batch {
        if self.is_throttled() {
            Batch::One
        } else {
            Batch::Normal
        }
    }

    /// A second of the script's life.
    pub(super) fn tick(&mut self, now: Moment) {
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
        // As the script: nobody looks whether it worked.
        let _ = self.gpu.set_power_limit(limit);
    }
}
