//! What is wrong with a chain, and where to look: for people.

use crate::policy::ask::chain::{Chain, ChainState};
use crate::units::Moment;

const UNKNOWN: &str = "no heartbeat has come since the start";

const STALE: &str = "heartbeats arrive, but with no newer evaluation. Look at Prometheus, and whether alertmanager.heartbeat_timeout is shorter than its resend delay (auto learns it)";

/// Alertmanager drops an alert that Prometheus sends no more.
const DROPPED: &str = "no heartbeat arrives: Alertmanager has dropped it, for it got no newer one from Prometheus. Look at Prometheus, and at its connection to Alertmanager";

const SILENT: &str = "no heartbeat arrives. Look at Alertmanager's log and its route for this node, the token and the network";

/// With pull, Alertmanager needs neither a route to this node nor a token.
const NOT_LISTED: &str = "no pull brings a heartbeat. `thermal-guard check` asks Alertmanager and says what is missing: an answer (look at Alertmanager and the network), or the heartbeat in it (look at Prometheus, and at alertmanager.filter)";

impl ChainState {
    /// As far as the state alone tells it. [`Chain::fault`] knows more.
    pub const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Standalone | Self::Ok => None,
            Self::Unknown => Some(UNKNOWN),
            Self::Stale => Some(STALE),
            Self::Down => Some(SILENT),
        }
    }
}

impl Chain {
    pub fn fault(&self, now: Moment) -> Option<&'static str> {
        match self.state(now) {
            ChainState::Down if self.is_dropped() => Some(DROPPED),
            ChainState::Down if self.pulls => Some(NOT_LISTED),
            state => state.fault(),
        }
    }

    /// Alertmanager worked on after Prometheus had gone: it said so, or it repeated the last heartbeat
    /// for longer than a healthy pair does.
    fn is_dropped(&self) -> bool {
        let repeated = self.last.zip(self.evaluation.advanced());
        let repeated = repeated.is_some_and(|(last, at)| last.since(at) > self.timeout() / 2);
        self.resolved || repeated
    }
}
