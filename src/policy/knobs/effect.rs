//! Whether a setting has its effect, by what the card shows.

use std::time::Duration;

use crate::device::{ByKnob, ClockDomain, FanPolicy, Reading};
use crate::policy::claim::Claim;
use crate::policy::types::targets::{FanTarget, Targets};
use crate::units::{Ratio, Watts};

use super::state::{Outcome, Write};

/// If a clock runs above its lock for this long, and in two readings, the lock is gone. The memory clock
/// is read every five seconds, as the fans are.
const GONE_AFTER: Duration = Duration::from_secs(2);
pub(super) const SLOW_GONE_AFTER: Duration = Duration::from_secs(12);
/// Two steps of a clock: a card may round a lock up.
pub(super) const CLOCK_SLACK: u32 = 30;

/// If the draw is this far over the limit for this long, the limit isn't in force. Readings average over
/// a second, and a card takes less than that to follow.
const OVERDRAWS: Ratio = Ratio::new(1.1);
pub(super) const OVERDRAWS_FOR: Duration = Duration::from_secs(10);

/// The evidence of one tick.
pub(crate) struct Evidence<'a> {
    pub(crate) reading: &'a Reading,
    pub(crate) claim: &'a Claim,
    pub(crate) writes: &'a ByKnob<Option<Write>>,
    /// The targets of the tick before.
    pub(crate) targets: &'a Targets,
    pub(crate) in_turn: bool,
    /// The card is hot, and no other knob is left.
    pub(crate) hungry: bool,
    pub(crate) at_end: AtEnd,
}

/// Whether the card is hot though each knob is where it ends, or where it was before the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtEnd {
    No,
    Hot,
    /// At alert or over, where a card that is held well doesn't stay.
    AtAlert,
}

/// If the requested limit can't be read back, the enforced one tells the outcome. A BMC may hold that
/// lower; nothing holds it higher.
pub(super) fn shown(write: Write, reading: &Reading) -> Write {
    let unread = write.outcome == Outcome::Unknown && write.slows && reading.limit.is_err();
    let asked = Watts::from_milliwatts(write.value);
    match reading.enforced_limit {
        Ok(stored) if unread => Write {
            stored: Some(stored),
            outcome: if stored <= asked {
                Outcome::Taken
            } else {
                Outcome::Ignored
            },
            ..write
        },
        _ => write,
    }
}

/// `None`: unknown.
pub(super) fn overdraws(seen: &Evidence<'_>) -> Option<bool> {
    let limit = seen.reading.limit.ok()?;
    let ours = seen.claim.limit?;
    let draw = seen.reading.draw.ok()?;
    let over = Watts::from_f64(limit.as_f64() * OVERDRAWS.value() + 5.0);
    Some(limit < ours.original && draw > over)
}

/// The draw may be this far over a limit that the card keeps to: readings are noisy.
const KEEPS_TO: Ratio = Ratio::new(1.04);

/// `None`: unknown.
pub(super) fn keeps_to_limit(seen: &Evidence<'_>) -> Option<bool> {
    let limit = seen.reading.limit.ok()?;
    let draw = seen.reading.draw.ok()?;
    seen.claim.limit?;
    Some(draw.as_f64() <= limit.as_f64() * KEEPS_TO.value() + 1.0)
}

/// `None`: unknown.
pub(super) fn exceeds(seen: &Evidence<'_>, domain: ClockDomain) -> Option<bool> {
    let lock = seen.targets.locks[domain].filter(|_| seen.claim.locks[domain])?;
    let clock = seen.reading.clock(domain)?;
    Some(clock.megahertz() > lock.max.megahertz() + CLOCK_SLACK)
}

/// A fan at full speed may be told a little slower than that.
const FULL: Ratio = Ratio::new(0.9);

/// A fan that the guard set isn't at full speed: another program or the card set it. `None`: unknown.
pub(super) fn fans_lag(seen: &Evidence<'_>) -> Option<bool> {
    if seen.targets.fans != FanTarget::Full || !seen.claim.fans.any() {
        return None;
    }
    let fans = &seen.reading.slow.fans;
    let claimed = seen.claim.fans.iter().filter_map(|(fan, _)| fans.get(fan));
    let mut known = claimed.filter(|fan| fan.speed.is_some()).peekable();
    known.peek()?;
    let lags = known.any(|fan| {
        let slow = fan.speed.is_some_and(|speed| speed < FULL);
        slow || fan.policy == Some(FanPolicy::Automatic)
    });
    Some(lags)
}

pub(super) const fn gone_after(domain: ClockDomain) -> Duration {
    if matches!(domain, ClockDomain::Gpu) {
        GONE_AFTER
    } else {
        // The other clocks are among the slow readings.
        SLOW_GONE_AFTER
    }
}
