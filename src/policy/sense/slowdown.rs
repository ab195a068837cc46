//! The card's own slowdown for heat, against what its sensors say. The card is believed.

use std::time::Duration;

use crate::device::{ClockEvents, Facts, Reading};
use crate::units::{Celsius, Moment};

use super::super::zone::Heat;

/// Closer to critical than this, the card's own slowdown is no contradiction.
const EXPLAINED: Celsius = Celsius::new(3.0);

/// The driver's slowdown outlasts its cause by some seconds.
const SLOWS_FOR: Duration = Duration::from_secs(5);

const ZERO: Celsius = Celsius::new(0.0);

#[derive(Clone, Debug)]
pub(super) struct Slowdown {
    /// The card's fan or clock target: slowing down at it is its job, not a sign of danger.
    target: Option<Celsius>,
    /// Since when the driver has slowed the card down for heat.
    since: Option<Moment>,
}

impl Slowdown {
    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            target: facts.thresholds.acoustic_current,
            since: None,
        }
    }

    pub(super) fn recalibrate(&mut self, facts: &Facts) {
        self.target = facts.thresholds.acoustic_current;
    }

    /// The heat that the slowdown stands for, if that is worse than `heat`: the hardware's is
    /// critical, the driver's own, if it lasts, is at alert.
    pub(super) fn contradicts(
        &mut self,
        now: Moment,
        reading: &Reading,
        heat: Option<Heat>,
    ) -> Option<Heat> {
        let events = reading.events.ok()?;
        let soft = events.contains(ClockEvents::SW_THERMAL_SLOWDOWN) && !self.is_at_target(reading);
        if !soft {
            self.since = None;
        }
        let fine = heat.is_none_or(|heat| heat.to_critical > EXPLAINED);
        let seen = heat.unwrap_or(Heat::AT_ALERT);
        if events.contains(ClockEvents::HW_THERMAL_SLOWDOWN) && fine {
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

    /// A card at its own target temperature slows down to stay there: that is its job.
    fn is_at_target(&self, reading: &Reading) -> bool {
        let near = |(target, core): (Celsius, Celsius)| core + Celsius::new(1.0) >= target;
        self.target.zip(reading.core.ok()).is_some_and(near)
    }
}

/// A card that holds its own temperature by its clock stands still by its own doing.
pub(super) fn holds_itself(reading: &Reading) -> bool {
    reading.events.is_ok_and(|events| {
        events.contains(ClockEvents::SW_THERMAL_SLOWDOWN)
            || events.contains(ClockEvents::HW_THERMAL_SLOWDOWN)
    })
}
