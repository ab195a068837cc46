//! What a worker logs of its decisions.

use crate::device::{Identity, Reading};
use crate::policy::{Decision, Transition, Trips};
use crate::units::{Celsius, Watts};

use super::state::Worker;

impl Worker {
    /// Logs once if configured thresholds are too high for this card and were lowered.
    pub(super) fn say_lowered(&mut self) {
        let Some(policy) = &self.policy else {
            return;
        };
        let core = policy.trips().core;
        let lowered = core.are_lowered(&self.live.settings.trips).then_some(core);
        if lowered == self.lowered {
            return;
        }
        self.lowered = lowered;
        if let Some(Trips {
            alert,
            critical,
            safe,
        }) = lowered
        {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, %alert, %critical, %safe, "configured thresholds are too high for this card and are lowered: keep critical under the card's own slowdown, alert under critical and safe under alert");
        }
    }
}

/// Logs a transition. A guard that only `observes` logs what an enforcing guard would do.
pub(super) fn log(
    identity: &Identity,
    event: Transition,
    reading: &Reading,
    decision: &Decision,
    observes: bool,
) {
    let gpu = identity.index;
    let uuid = identity.uuid.as_str();
    let state = decision.state.name();
    let temperature = reading.core.map(Celsius::degrees).ok();
    let limit = decision.targets.limit.map(Watts::as_f64);
    if observes {
        let would = match event {
            Transition::Throttled(..) => "throttle",
            Transition::Eased => "ease the emergency",
            Transition::Recovering => "begin to give back",
            Transition::Recovered => "have given everything back",
            Transition::Blinded => "cap the GPU, because it has no trustworthy temperature",
        };
        tracing::info!(
            gpu,
            uuid,
            state,
            temperature,
            would_limit = limit,
            would,
            "observing: nothing is done, an enforcing guard would"
        );
        return;
    }
    match event {
        Transition::Throttled(level, trigger) => tracing::warn!(
            gpu,
            uuid,
            state,
            throttle = level.name(),
            trigger = trigger.name(),
            temperature,
            limit,
            "throttling"
        ),
        Transition::Eased => tracing::info!(gpu, uuid, state, temperature, limit, "emergency over"),
        Transition::Recovering => {
            tracing::info!(gpu, uuid, state, temperature, limit, "giving back");
        }
        Transition::Recovered => {
            tracing::info!(gpu, uuid, state, temperature, "thermal recovery completed");
        }
        Transition::Blinded => tracing::error!(
            gpu,
            uuid,
            state,
            limit,
            "no trustworthy temperature: capped"
        ),
    }
}
