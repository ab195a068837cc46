//! What the pulls count, for `/metrics`. No label value comes from outside: URLs are the operator's,
//! and the others are words of this program.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::alerts::outcome::{Action, Outcome};
use crate::registry::{Optional, Registry, Seconds, Words, register};

use super::error::PullError;

/// What Alertmanager says of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Active,
    /// Silenced, inhibited, or not judged yet.
    Suppressed,
    /// The alert can't be read.
    Unknown,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suppressed => "suppressed",
            Self::Unknown => "unknown",
        }
    }
}

type Url = [(&'static str, Arc<str>); 1];

/// Without [`Self::pull_from`] there is no series.
#[derive(Debug, Default)]
pub struct PullCounters {
    up: Family<Url, Gauge>,
    requests: Family<(Url, Words<1>), Counter>,
    duration: Family<Url, Seconds>,
    last_success: Family<Url, Seconds>,
    alerts: Family<Words<3>, Counter>,
    ended_leases: Optional<Counter>,
}

impl PullCounters {
    pub fn register(&self, registry: &mut Registry) {
        register(
            registry,
            "thermal_guard_alertmanager_pull_up",
            "1 if the last pull from this Alertmanager succeeded.",
            self.up.clone(),
        );
        register(
            registry,
            "thermal_guard_alertmanager_pull_requests_total",
            "Pulls from Alertmanager, by result.",
            self.requests.clone(),
        );
        register(
            registry,
            "thermal_guard_alertmanager_pull_duration_seconds",
            "How long the last pull took, in seconds.",
            self.duration.clone(),
        );
        register(
            registry,
            "thermal_guard_alertmanager_pull_last_success_timestamp_seconds",
            "When alerts were last pulled, in seconds since the Unix epoch.",
            self.last_success.clone(),
        );
        register(
            registry,
            "thermal_guard_alertmanager_pull_alerts_total",
            "Alerts in the answers to pulls, by their state in Alertmanager, the action they ask for, and the result; those of other nodes are unmapped or wrong_node.",
            self.alerts.clone(),
        );
        register(
            registry,
            "thermal_guard_alertmanager_pull_ended_leases_total",
            "Leases ended because their alert was gone from Alertmanager; they also count as resolved.",
            self.ended_leases.clone(),
        );
    }

    /// From now on these Alertmanagers are asked. Every series that can exist begins at 0.
    pub fn pull_from(&self, urls: impl Iterator<Item = String>) {
        for url in urls {
            for result in PullError::NAMES.iter().copied().chain(["ok"]) {
                let _ = self
                    .requests
                    .get_or_create(&(of(&url), [("result", result)]));
            }
        }
        for (state, action, outcome) in expected_alerts() {
            let _ = self.alerts.get_or_create(&alert(state, action, outcome));
        }
        let _ = self.ended_leases.get_or_create(&[]);
    }

    /// `at`: since the Unix epoch.
    pub fn count_request(
        &self,
        url: &str,
        error: Option<&PullError>,
        took: Duration,
        at: Duration,
    ) {
        let url = of(url);
        let result = error.map_or("ok", PullError::name);
        self.up.get_or_create(&url).set(i64::from(error.is_none()));
        self.duration.get_or_create(&url).set(took.as_secs_f64());
        if error.is_none() {
            self.last_success.get_or_create(&url).set(at.as_secs_f64());
        }
        self.requests
            .get_or_create(&(url, [("result", result)]))
            .inc();
    }

    pub fn count_alert(&self, state: State, action: Action, outcome: Outcome) {
        let labels = alert(state, action, outcome);
        self.alerts.get_or_create(&labels).inc();
    }

    pub fn count_ended(&self) {
        self.ended_leases.get_or_create(&[]).inc();
    }
}

fn of(url: &str) -> Url {
    [("url", url.into())]
}

fn alert(state: State, action: Action, outcome: Outcome) -> Words<3> {
    [
        ("state", state.name()),
        ("action", action.name()),
        ("result", outcome.name()),
    ]
}

/// The combinations that can occur.
fn expected_alerts() -> Vec<(State, Action, Outcome)> {
    use Outcome::{
        Accepted, Ignored, NotAllowed, NotPossible, Rejected, Renewed, Unmapped, WrongNode,
    };
    let mut alerts = Vec::new();
    let mut expect = |state, action, outcomes: &[Outcome]| {
        alerts.extend(outcomes.iter().map(|&outcome| (state, action, outcome)));
    };
    for action in [Action::Gradual, Action::Emergency] {
        let active = [
            Accepted,
            Renewed,
            Unmapped,
            WrongNode,
            Rejected,
            NotPossible,
        ];
        expect(State::Active, action, &active);
        expect(State::Suppressed, action, &[Ignored]);
    }
    expect(State::Active, Action::Heartbeat, &[Accepted, WrongNode]);
    expect(State::Suppressed, Action::Heartbeat, &[Ignored]);
    expect(State::Active, Action::None, &[Ignored, NotAllowed]);
    expect(State::Suppressed, Action::None, &[Ignored, NotAllowed]);
    expect(State::Unknown, Action::None, &[Rejected]);
    alerts
}
