//! What the pulls have seen, for `/metrics`. No label comes from outside: URLs are the operator's,
//! everything else is counted under names of ours.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::web::alert::{Action, Outcome};

use super::client::PullError;

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

/// One Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub url: String,
    /// The last pull came to something. `None`: there was none yet.
    pub up: Option<bool>,
    /// By result: `ok`, or what went wrong.
    pub requests: BTreeMap<&'static str, u64>,
    /// Of the last pull.
    pub took: Option<Duration>,
    /// Since the Unix epoch.
    pub last_success: Option<Duration>,
}

/// The counts at one moment. Without members nothing is pulled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSnapshot {
    pub members: Vec<Member>,
    pub alerts: BTreeMap<(State, Action, Outcome), u64>,
    /// Leases of alerts that were gone.
    pub ended_leases: u64,
}

/// Counts as they grow.
#[derive(Debug, Default)]
pub struct PullCounters(Mutex<PullSnapshot>);

impl PullCounters {
    pub fn snapshot(&self) -> PullSnapshot {
        self.lock().clone()
    }

    /// From now on these are pulled from; every series that can be is there at 0.
    pub(super) fn enlist(&self, urls: impl Iterator<Item = String>) {
        let results = || PullError::NAMES.iter().copied().chain(["ok"]);
        let member = |url| Member {
            url,
            up: None,
            requests: results().map(|result| (result, 0)).collect(),
            took: None,
            last_success: None,
        };
        *self.lock() = PullSnapshot {
            members: urls.map(member).collect(),
            alerts: expected_alerts(),
            ended_leases: 0,
        };
    }

    pub(super) fn count_request(
        &self,
        member: usize,
        error: Option<&PullError>,
        took: Duration,
        at: Duration,
    ) {
        let mut counts = self.lock();
        let Some(member) = counts.members.get_mut(member) else {
            return;
        };
        let result = error.map_or("ok", PullError::name);
        *member.requests.entry(result).or_default() += 1;
        member.up = Some(error.is_none());
        member.took = Some(took);
        if error.is_none() {
            member.last_success = Some(at);
        }
    }

    pub(super) fn count_alert(&self, state: State, action: Action, outcome: Outcome) {
        *self
            .lock()
            .alerts
            .entry((state, action, outcome))
            .or_default() += 1;
    }

    pub(super) fn count_ended(&self) {
        self.lock().ended_leases += 1;
    }

    fn lock(&self) -> MutexGuard<'_, PullSnapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The combinations that there are.
fn expected_alerts() -> BTreeMap<(State, Action, Outcome), u64> {
    use Outcome::{
        Accepted, Ignored, NotAllowed, NotPossible, Rejected, Renewed, Unmapped, WrongNode,
    };
    let mut alerts = BTreeMap::new();
    let mut expect = |state, action, outcomes: &[Outcome]| {
        alerts.extend(outcomes.iter().map(|&o| ((state, action, o), 0)));
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
