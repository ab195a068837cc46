//! Events of a throttle: begun, escalated, eased, given back.

use std::time::Duration;

use crate::events::{Cost, Outcome, Seen, Throttle, What, Why};
use crate::guard::tick::Tick;
use crate::policy::{self, Decision, State};
use crate::units::{Celsius, Moment};

use super::event::{seconds, why};

/// A throttle, from its begin until everything is given back.
#[derive(Debug)]
pub(super) struct Episode {
    since: Moment,
    recovering: Option<Moment>,
    /// Time spent giving back before heat came again.
    relapsed: Duration,
    hottest: Option<Celsius>,
}

/// The throttle that is on, if any.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    episode: Option<Episode>,
}

impl Episodes {
    pub(super) const fn is_on(&self) -> bool {
        self.episode.is_some()
    }

    /// The guard gave everything back outside of a tick.
    pub(super) fn end(&mut self) {
        self.episode = None;
    }

    pub(super) fn see(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let (now, decision) = (tick.reading.at, &tick.decision);
        let seen = Seen::of(tick);
        let ongoing = self.episode.is_some();
        let held = ongoing
            && self
                .episode
                .as_ref()
                .is_some_and(|it| it.recovering.is_none());
        match decision.transition {
            Some(policy::Transition::Throttled(level, trigger)) => {
                let throttle = Throttle::of(level, Some(trigger), why(trigger, decision), seen);
                events.push(if held {
                    What::Escalated(throttle)
                } else {
                    What::Throttled(throttle)
                });
                self.begin(now);
            }
            Some(policy::Transition::Blinded) => {
                let why = Why::NoReading;
                let level = decision.level;
                events.push(What::Blinded(Throttle::of(
                    level,
                    decision.trigger,
                    why,
                    seen,
                )));
                self.begin(now);
            }
            Some(policy::Transition::Eased) => events.push(What::Eased(seen)),
            Some(policy::Transition::Recovering) => {
                events.push(What::Recovering(seen));
                if let Some(episode) = &mut self.episode {
                    episode.recovering = Some(now);
                }
            }
            Some(policy::Transition::Recovered) => {
                let outcome = self.episode.take().map(|episode| episode.outcome(now));
                let cost = tick.receipt.as_ref().map(Cost::of).unwrap_or_default();
                let outcome = outcome.map(|outcome| Outcome { cost, ..outcome });
                events.push(What::Recovered(outcome.unwrap_or_default()));
            }
            None if !ongoing && is_throttled(decision) && !tick.claim.is_empty() => {
                let throttle = Throttle::of(decision.level, None, Why::FoundSo, seen);
                events.push(What::Throttled(throttle));
                self.begin(now);
            }
            None => {}
        }
        if let (Some(episode), Ok(core)) = (&mut self.episode, tick.reading.core) {
            episode.hottest = Some(episode.hottest.map_or(core, |hottest| hottest.max(core)));
        }
    }

    fn begin(&mut self, now: Moment) {
        let episode = self.episode.get_or_insert(Episode {
            since: now,
            recovering: None,
            relapsed: Duration::ZERO,
            hottest: None,
        });
        if let Some(recovering) = episode.recovering.take() {
            episode.relapsed += now.since(recovering);
        }
    }
}

impl Episode {
    fn outcome(&self, now: Moment) -> Outcome {
        let recovering = self.recovering.unwrap_or(now);
        Outcome {
            seconds: seconds(now.since(self.since)),
            recovery_seconds: seconds(self.relapsed + now.since(recovering)),
            hottest_celsius: self.hottest.map(Celsius::degrees),
            cost: Cost::default(),
        }
    }
}

/// Throttled, or being given back.
pub(super) const fn is_throttled(decision: &Decision) -> bool {
    !matches!(decision.state, State::Normal | State::Unguarded)
}
