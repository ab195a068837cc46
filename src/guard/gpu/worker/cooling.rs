//! What the worker tells the estimate of its card's cooling, and the account of what a throttle costs.

use crate::device::{Fan, Reading, SlowdownReason};
use crate::guard::state::Shared;
use crate::policy::cooling::{Hold, Seen, Turn, Work};
use crate::policy::{Decision, ExtraSensor, Level, State, Transition};
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::state::Worker;

/// An extra sensor whose name begins like this measures the air at the card.
const INLET: &str = "inlet";

/// A card that draws more than this share of its default limit works, whatever it says of itself.
const WORKS: Ratio = Ratio::new(0.4);

impl Worker {
    /// Call this on every tick. Returns the work that the throttle took on it.
    pub(super) fn watch_cooling(
        &mut self,
        now: Moment,
        reading: &Reading,
        probes: &[ExtraSensor],
        decision: &Decision,
        shared: &Shared,
    ) -> Work {
        if !self.cooling_recalled {
            self.cooling_recalled = true;
            self.cooling = shared.recall_cooling(&self.identity);
        }
        let default_limit = self.facts.power.map(|power| power.default);
        if let Some(seen) = seen(now, reading, probes, decision) {
            let limit = self.own_limit(reading);
            self.cooling.see(&Seen {
                default_limit,
                limit,
                ..seen
            });
        }
        if self.cooling.take_new() {
            shared.keep_cooling(&self.identity, &self.cooling);
        }
        let neighbours = shared.neighbours_ratio(&self.identity);
        self.cooling.compare(neighbours);
        let turn = self.turn(now, reading, decision);
        self.cooling.charge(&mut self.ledger, &turn, default_limit)
    }

    /// The limit without the guard.
    fn own_limit(&self, reading: &Reading) -> Option<Watts> {
        let ours = self.actuation.claim().limit.map(|ours| ours.original);
        ours.or(reading.limit.ok())
    }

    fn turn(&self, now: Moment, reading: &Reading, decision: &Decision) -> Turn {
        let has = |reason| reading.slowdown_reasons.is_ok_and(|it| it.contains(reason));
        let default = self.facts.power.map(|power| power.default);
        let draws = reading.draw.ok().zip(default);
        let draws = draws.is_some_and(|(draw, default)| draw.share_of(default) > WORKS);
        let used = reading.utilization.is_ok_and(|it| it > Ratio::ZERO);
        let acts = decision.firmware.acts_first;
        let to_target = acts.zip(reading.core.ok()).map(|(at, core)| at - core);
        let margin = decision.heat.map(|heat| heat.to_critical);
        let margin = [margin, to_target]
            .into_iter()
            .flatten()
            .reduce(Celsius::min);
        Turn {
            at: now,
            hold: if self.live.observes {
                Hold::Free
            } else {
                hold(decision)
            },
            busy: (used || draws) && !has(SlowdownReason::Idle),
            clock: reading.gpu_clock.ok(),
            draw: reading.draw.ok(),
            core: reading.core.ok(),
            margin,
            slows_itself: has(SlowdownReason::SoftwareThermal)
                || has(SlowdownReason::HardwareThermal)
                || has(SlowdownReason::HardwareSlowdown),
            limit: self.own_limit(reading),
        }
    }
}

/// From the throttle's begin until everything is given back, that tick included.
fn hold(decision: &Decision) -> Hold {
    let throttled = !matches!(decision.state, State::Normal | State::Unguarded);
    if throttled
        || decision.level > Level::None
        || decision.transition == Some(Transition::Recovered)
    {
        Hold::Held
    } else {
        Hold::Free
    }
}

/// `None`: a sensor is missing, or isn't fully trusted.
fn seen(
    now: Moment,
    reading: &Reading,
    probes: &[ExtraSensor],
    decision: &Decision,
) -> Option<Seen> {
    let trusted = decision.heat.filter(|_| decision.doubt.is_none())?;
    let inlet = probes.iter().find(|probe| probe.name.starts_with(INLET));
    Some(Seen {
        at: now,
        core: reading.core.ok()?,
        to_alert: trusted.to_alert,
        draw: reading.draw.ok()?,
        fans: mean_speed(&reading.slow.fans),
        air: inlet.and_then(|probe| probe.now),
        default_limit: None,
        limit: None,
    })
}

/// Of those fans that tell their speed.
fn mean_speed(fans: &[Fan]) -> Option<Ratio> {
    let speeds: Vec<f64> = fans
        .iter()
        .filter_map(|fan| fan.speed)
        .map(Ratio::value)
        .collect();
    let sum: f64 = speeds.iter().sum();
    (!speeds.is_empty()).then(|| Ratio::new(sum / speeds.len() as f64))
}
