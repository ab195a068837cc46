//! Slowdowns by the card itself: each is told twice, as an event and in the log.

use crate::events::{Outcome, Seen, SlowedItself, What};
use crate::guard::tick::Tick;
use crate::policy::SlowdownTurn;
use crate::units::Celsius;

use super::event::seconds;

pub(super) fn own_slowdown(tick: &Tick) -> Option<What> {
    let firmware = &tick.decision.firmware;
    let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
    match firmware.turn? {
        SlowdownTurn::Began => {
            let target = firmware.acts_first.map(Celsius::degrees);
            let temperature = tick.reading.core.ok().map(Celsius::degrees);
            tracing::warn!(gpu, %uuid, temperature, target, "the card slows itself down for heat, and the guard holds nothing: look at its cooling, or see thresholds: before_firmware");
            Some(What::SlowedItself(SlowedItself {
                target_celsius: target,
                seen: Seen::of(tick),
            }))
        }
        SlowdownTurn::Ended(slowdown) => {
            let outcome = Outcome {
                seconds: seconds(slowdown.lasts),
                recovery_seconds: 0.0,
                hottest_celsius: slowdown.hottest.map(Celsius::degrees),
                ..Outcome::default()
            };
            let (lasted, hottest) = (outcome.seconds, outcome.hottest_celsius);
            tracing::info!(gpu, %uuid, seconds = lasted, hottest, "the card no longer slows itself down");
            Some(What::SlowedItselfEnded(outcome))
        }
    }
}
