//! What the hook has seen, for `/metrics`. No label comes from outside: everything is counted
//! under names from this file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::web::alert::{Action, Outcome, Status};
use crate::web::auth::AuthFailure;

/// The codes that `/hook` answers with.
const CODES: [u16; 8] = [200, 400, 401, 403, 405, 413, 415, 503];

/// Seconds. The hook answers from memory: 50 ms is the goal, 2 s a body's patience.
const DURATION_BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// One alert to the largest body.
const SIZE_BOUNDS: [f64; 5] = [1024.0, 4096.0, 16384.0, 65536.0, 262_144.0];

/// A histogram, as OpenMetrics has it but for the sums: `counts[i]` is of what lies in `bounds[i]`
/// and not below, and the last one of what lies over them all.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    pub bounds: &'static [f64],
    pub counts: Vec<u64>,
    pub sum: f64,
    pub count: u64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            count: 0,
        }
    }

    fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.count += 1;
    }
}

/// The counts at one moment. Every series that can be is there from the start, at 0.
#[derive(Clone, Debug)]
pub struct HookSnapshot {
    /// Requests to `/hook`, by code.
    pub requests: BTreeMap<u16, u64>,
    /// Seconds from the head of a request to its answer.
    pub request_duration: Histogram,
    pub body_bytes: Histogram,
    pub alerts: BTreeMap<(Status, Action, Outcome), u64>,
    /// On all actuating paths.
    pub auth_failures: BTreeMap<AuthFailure, u64>,
    /// Alerts that senders cut off.
    pub truncated_alerts: u64,
    /// Since the Unix epoch, of the last delivery that was taken.
    pub last_success: Option<Duration>,
}

/// Counts as they grow.
#[derive(Debug)]
pub struct HookCounters(Mutex<HookSnapshot>);

impl Default for HookCounters {
    fn default() -> Self {
        Self(Mutex::new(HookSnapshot {
            requests: CODES.map(|code| (code, 0)).into(),
            request_duration: Histogram::new(&DURATION_BOUNDS),
            body_bytes: Histogram::new(&SIZE_BOUNDS),
            alerts: expected_alerts(),
            auth_failures: AuthFailure::ALL.map(|failure| (failure, 0)).into(),
            truncated_alerts: 0,
            last_success: None,
        }))
    }
}

impl HookCounters {
    pub fn snapshot(&self) -> HookSnapshot {
        self.lock().clone()
    }

    pub(crate) fn count_auth_failure(&self, failure: AuthFailure) {
        *self.lock().auth_failures.entry(failure).or_default() += 1;
    }

    pub(super) fn count_request(&self, code: u16, took: Duration) {
        let mut counts = self.lock();
        *counts.requests.entry(code).or_default() += 1;
        counts.request_duration.observe(took.as_secs_f64());
    }

    pub(super) fn count_body(&self, bytes: usize) {
        self.lock().body_bytes.observe(bytes as f64);
    }

    pub(super) fn count_alert(&self, status: Status, action: Action, outcome: Outcome) {
        let key = (status, action, outcome);
        *self.lock().alerts.entry(key).or_default() += 1;
    }

    pub(super) fn count_success(&self, truncated: u64, at: Duration) {
        let mut counts = self.lock();
        counts.truncated_alerts = counts.truncated_alerts.saturating_add(truncated);
        counts.last_success = Some(at);
    }

    fn lock(&self) -> MutexGuard<'_, HookSnapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The combinations that there are: a heartbeat takes no lease, and so on.
fn expected_alerts() -> BTreeMap<(Status, Action, Outcome), u64> {
    use Outcome::{
        Accepted, Ignored, NotAllowed, NotPossible, Rejected, Released, Renewed, Stale, Unmapped,
        WrongNode,
    };
    let mut alerts = BTreeMap::new();
    let mut expect = |status, action, outcomes: &[Outcome]| {
        alerts.extend(outcomes.iter().map(|&o| ((status, action, o), 0)));
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
