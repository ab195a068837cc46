//! The card's own slowdown for heat, compared with its sensors. If they contradict each other, the
//! slowdown counts.

use std::time::Duration;

use crate::device::{Facts, Reading, SlowdownReason, SlowdownReasons};
use crate::policy::sense::trips::Heat;
use crate::units::{Celsius, Moment};

/// If the card is closer to critical than this, its slowdown is no contradiction.
const EXPLAINED: Celsius = Celsius::new(3.0);

/// The driver's slowdown must last this long, because it outlasts its cause by some seconds.
const SLOWS_FOR: Duration = Duration::from_secs(5);

const ZERO: Celsius = Celsius::new(0.0);

#[derive(Clone, Debug)]
pub(crate) struct Slowdown {
    /// The card's own target temperature. A slowdown there is normal, not a sign of danger.
    target: Option<Celsius>,
    /// Since when the driver has slowed the card down for heat.
    since: Option<Moment>,
}

impl Slowdown {
    pub(crate) fn of(facts: &Facts) -> Self {
        Self {
            target: facts.thresholds.acoustic_current,
            since: None,
        }
    }

    pub(crate) fn recalibrate(&mut self, facts: &Facts) {
        self.target = facts.thresholds.acoustic_current;
    }

    /// The heat that the slowdown means, if it is worse than `heat`. The hardware's slowdown means
    /// critical. The driver's, if it lasts, means alert.
    pub(crate) fn contradicts(
        &mut self,
        now: Moment,
        reading: &Reading,
        heat: Option<Heat>,
    ) -> Option<Heat> {
        let reasons = reading.slowdown_reasons.ok()?;
        let by_driver = reasons.contains(SlowdownReason::SoftwareThermal);
        let soft = by_driver && !self.is_at_target(reading);
        if !soft {
            self.since = None;
        }
        let fine = heat.is_none_or(|heat| heat.to_critical > EXPLAINED);
        let seen = heat.unwrap_or(Heat::AT_ALERT);
        if reasons.contains(SlowdownReason::HardwareThermal) && fine {
            return Some(Heat {
                to_critical: ZERO,
                to_alert: seen.to_alert.min(ZERO),
                ..seen
            });
        }
        if !soft {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let lasts = now.since(since) >= SLOWS_FOR;
        let under = heat.is_none_or(|heat| heat.to_alert > ZERO);
        (lasts && fine && under).then_some(Heat {
            to_alert: ZERO,
            ..seen
        })
    }

    /// A card at its own target temperature slows down to stay there, which is normal.
    fn is_at_target(&self, reading: &Reading) -> bool {
        let near = |(target, core): (Celsius, Celsius)| core + Celsius::new(1.0) >= target;
        self.target.zip(reading.core.ok()).is_some_and(near)
    }
}

/// The card holds its own temperature by its clock, so a steady reading is normal.
pub(crate) fn holds_itself(reading: &Reading) -> bool {
    let reasons = reading.slowdown_reasons;
    reasons.is_ok_and(SlowdownReasons::is_thermal)
}
