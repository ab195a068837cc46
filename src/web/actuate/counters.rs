//! What the hook counts, for `/metrics`. No label value comes from outside: each is a word of this
//! program.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::alerts::{Action, Outcome, Status};
use crate::registry::{Optional, Registry, Seconds, Words, register};
use crate::web::access::actuators::AuthFailure;

/// The codes that `/hook` answers with.
const CODES: [u16; 8] = [200, 400, 401, 403, 405, 413, 415, 503];

/// Seconds. The hook answers from memory: the goal is 50 ms, and a body may take 2 s to arrive.
const DURATION_BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// From one alert to the largest body.
const SIZE_BOUNDS: [f64; 5] = [1024.0, 4096.0, 16384.0, 65536.0, 262_144.0];

/// Every series that can exist exists from the start, at 0: `increase()` doesn't see the first
/// event of a series that comes with it.
#[derive(Debug)]
pub struct HookCounters {
    requests: Family<[(&'static str, u16); 1], Counter>,
    request_duration: Histogram,
    body_bytes: Histogram,
    alerts: Family<Words<3>, Counter>,
    auth_failures: Family<Words<1>, Counter>,
    truncated_alerts: Counter,
    last_success: Optional<Seconds>,
}

impl Default for HookCounters {
    fn default() -> Self {
        let counters = Self {
            requests: Family::default(),
            request_duration: Histogram::new(DURATION_BOUNDS),
            body_bytes: Histogram::new(SIZE_BOUNDS),
            alerts: Family::default(),
            auth_failures: Family::default(),
            truncated_alerts: Counter::default(),
            last_success: Family::default(),
        };
        for code in CODES {
            let _ = counters.requests.get_or_create(&[("code", code)]);
        }
        for failure in AuthFailure::ALL {
            let _ = counters.auth_failures.get_or_create(&reason(failure));
        }
        for (status, action, outcome) in expected_alerts() {
            let _ = counters
                .alerts
                .get_or_create(&alert(status, action, outcome));
        }
        counters
    }
}

impl HookCounters {
    pub fn register(&self, registry: &mut Registry) {
        register(
            registry,
            "thermal_guard_hook_requests_total",
            "Requests to the hook, by HTTP status code.",
            self.requests.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_alerts_total",
            "Alerts received, by their status, the action they ask for, and the result.",
            self.alerts.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_auth_failures_total",
            "Requests to change something that were refused for their credential, by reason.",
            self.auth_failures.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_truncated_alerts_total",
            "Alerts that Alertmanager left out of its messages.",
            self.truncated_alerts.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_request_duration_seconds",
            "Time from the head of a request to the hook to its answer, in seconds.",
            self.request_duration.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_body_bytes",
            "Size of the messages that the hook read, in bytes.",
            self.body_bytes.clone(),
        );
        register(
            registry,
            "thermal_guard_hook_last_success_timestamp_seconds",
            "When the hook last accepted a message, in seconds since the Unix epoch.",
            self.last_success.clone(),
        );
    }

    /// On all paths that need a credential.
    pub fn count_auth_failure(&self, failure: AuthFailure) {
        self.auth_failures.get_or_create(&reason(failure)).inc();
    }

    pub fn count_request(&self, code: u16, took: Duration) {
        self.requests.get_or_create(&[("code", code)]).inc();
        self.request_duration.observe(took.as_secs_f64());
    }

    pub fn count_body(&self, bytes: usize) {
        self.body_bytes.observe(bytes as f64);
    }

    pub fn count_alert(&self, status: Status, action: Action, outcome: Outcome) {
        let labels = alert(status, action, outcome);
        self.alerts.get_or_create(&labels).inc();
    }

    /// `truncated`: alerts that the sender left out. `at`: since the Unix epoch.
    pub fn count_success(&self, truncated: u64, at: Duration) {
        self.truncated_alerts.inc_by(truncated);
        self.last_success.get_or_create(&[]).set(at.as_secs_f64());
    }
}

fn reason(failure: AuthFailure) -> Words<1> {
    [("reason", failure.name())]
}

fn alert(status: Status, action: Action, outcome: Outcome) -> Words<3> {
    [
        ("status", status.name()),
        ("action", action.name()),
        ("result", outcome.name()),
    ]
}

/// The combinations that can occur: a heartbeat takes no lease, and so on.
fn expected_alerts() -> Vec<(Status, Action, Outcome)> {
    use Outcome::{
        Accepted, Ignored, NotAllowed, NotPossible, Rejected, Released, Renewed, Stale, Unmapped,
        WrongNode,
    };
    let mut alerts = Vec::new();
    let mut expect = |status, action, outcomes: &[Outcome]| {
        alerts.extend(outcomes.iter().map(|&outcome| (status, action, outcome)));
    };
    for action in [Action::Gradual, Action::Emergency] {
        let firing = [
            Accepted,
            Renewed,
            Unmapped,
            WrongNode,
            Rejected,
            NotPossible,
        ];
        expect(Status::Firing, action, &firing);
        let resolved = [Released, Stale, Ignored, Unmapped, WrongNode, Rejected];
        expect(Status::Resolved, action, &resolved);
    }
    for status in [Status::Firing, Status::Resolved] {
        expect(status, Action::Heartbeat, &[Accepted, Stale, WrongNode]);
        expect(status, Action::None, &[Ignored, NotAllowed, Rejected]);
    }
    expect(Status::Unknown, Action::None, &[Rejected]);
    alerts
}
