//! The trial of a limit that failed before. Meanwhile the clock governs, so the trial must not loosen it:
//! it asks for less than the card draws. Once the card takes the limit and keeps to it, the limit governs
//! on from the draw that the clock allowed.

use crate::device::ByClock;
use crate::policy::state::{Level, State};
use crate::policy::types::decision::Decision;
use crate::policy::types::observation::Observation;
use crate::policy::types::targets::{AppMode, Targets};
use crate::units::{Ratio, Watts};

use super::policy::Policy;

/// So far under the draw that a card that keeps to the limit is told from one that ignores it. A trial
/// that succeeds lasts for two or three seconds.
const UNDER_DRAW: Ratio = Ratio::new(0.9);

/// Where the limit takes over: no higher than the draw at the clock that held the card.
const TAKES_OVER_AT: Ratio = Ratio::new(0.98);

/// Two watts under the limit on the card, so that the write changes something: drivers round to one.
const CHANGES: Watts = Watts::from_watts(2);

impl Policy {
    /// The limit failed before and is tried again, while the clock governs.
    pub(super) fn tries_limit(&self) -> bool {
        self.means.power_failed && self.regulator.is_by_clock()
    }

    /// Adds the limit to try. It changes during a trial only if the card needs a lower one.
    pub(super) fn try_limit(
        &mut self,
        draw: Option<Watts>,
        seen: &Observation<'_>,
        decision: &mut Decision,
    ) {
        let held = decision.level > Level::None && !self.regulator.is_released();
        if !self.tries_limit() || !held {
            self.limit_trial = None;
            return;
        }
        let nothing_left = decision.state != State::Gradual || self.regulator.is_exhausted();
        if self.limit_trial.is_none() || nothing_left {
            let draw = if nothing_left {
                Some(Watts::default())
            } else {
                draw
            };
            self.limit_trial = self.limit_to_try(draw, seen);
            self.untried_draw = draw;
        }
        decision.targets.limit = self.limit_trial;
    }

    /// The limit works again. It takes the place of the clock, unless that wasn't enough by itself.
    pub(super) fn after_trial(&self) -> Targets {
        let last = self.last.targets;
        let locks = last.locks.iter().filter(|(_, lock)| lock.is_some());
        let clock_alone = last.app <= AppMode::Gradual && locks.count() <= 1;
        let Some(tried) = self.limit_trial.filter(|_| clock_alone) else {
            return last;
        };
        let drawn = self.untried_draw.map(|draw| draw.scaled(TAKES_OVER_AT));
        Targets {
            limit: Some(drawn.map_or(tried, |drawn| drawn.max(tried))),
            locks: ByClock::default(),
            ..last
        }
    }

    /// `None`: no limit under the one on the card can be set.
    fn limit_to_try(&self, draw: Option<Watts>, seen: &Observation<'_>) -> Option<Watts> {
        let range = self.means.power?;
        let now = seen.reading.limit_on_card().unwrap_or(range.default);
        let most = now.saturating_sub(CHANGES);
        let drawn = draw.map_or(most, |draw| draw.scaled(UNDER_DRAW));
        let limit = range.clamp(drawn.min(most));
        (limit < now).then_some(limit)
    }
}
