//! `POST /hook`: Alertmanager's webhook becomes leases and heartbeats.
//!
//! The handler checks, writes the lease table, wakes whom it concerns and answers; no GPU is
//! touched here, so an answer takes milliseconds whatever the driver does. That matters: while
//! Alertmanager waits for one answer, nothing newer of that group is sent.
//!
//! The order of the checks: method, credential ([`super::auth`]), type, room, readiness, size,
//! content. The answer's code tells Alertmanager what to do: 2xx is delivered, 5xx is tried again
//! at once, everything else not before the next group interval.

pub mod counters;
mod payload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::guard::Clock;

use super::alert::{self, Action, Outcome, Status, Via};
use super::refusal::Refusal;
use super::trouble::{Beside, Trouble};
use super::{Web, body};

use payload::Delivery;

pub use counters::{Histogram, HookCounters, HookSnapshot};

/// Requests in hand at a time. Alertmanager has one per group under way.
pub(super) const ROOM: usize = 16;

/// How many alerts came to what.
type Counts = BTreeMap<&'static str, u64>;

/// Counts every answer on the path, refusals included.
pub(super) async fn count(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let began = web.shared.clock.wall();
    let response = next.run(request).await;
    let took = web.shared.clock.wall().since(began);
    let code = response.status().as_u16();
    web.hook_counters.count_request(code, took);
    response
}

pub(super) async fn handler(
    State(web): State<Arc<Web>>,
    request: Request,
) -> Result<Response, Refusal> {
    let answer = deliver(&web, request).await;
    if let Err(refusal) = &answer {
        let trouble = Trouble::Refused(refusal.code.as_u16(), refusal.always());
        let beside = Beside {
            answer: Some(&refusal.reason),
            ..Beside::default()
        };
        let now = web.shared.clock.wall();
        web.troubles.tell(now, trouble, &beside);
    }
    answer
}

async fn deliver(web: &Web, request: Request) -> Result<Response, Refusal> {
    let (head, content) = request.into_parts();
    body::must_be_json(&head.headers)?;
    let _room = web
        .hook_room
        .try_acquire()
        .map_err(|_| Refusal::unavailable("too many deliveries at once: try again"))?;
    if web.shared.is_stopping() {
        return Err(Refusal::unavailable("shutting down"));
    }
    if !web.shared.driver_status().ready {
        return Err(unknown_gpus(web));
    }
    let content = body::read(&head.headers, content).await?;
    web.hook_counters.count_body(content.len());
    let delivery = Delivery::parse(&content)?;
    let truncated = delivery.truncated;
    if truncated > 0 {
        let beside = Beside {
            alerts: Some(truncated),
            ..Beside::default()
        };
        let now = web.shared.clock.wall();
        web.troubles.tell(now, Trouble::Truncated, &beside);
    }
    let counts = take(web, delivery);
    web.hook_counters.count_success(truncated, Clock::unix());
    Ok(Json(counts).into_response())
}

/// The GPUs weren't found yet: why, and what to do, if the driver said so.
pub(super) fn unknown_gpus(web: &Web) -> Refusal {
    let error = web.shared.driver_status().error.clone();
    Refusal::unavailable(match error {
        Some(error) => format!(
            "the GPUs aren't known yet: {error}; {remedy}",
            remedy = error.remedy()
        ),
        None => "the GPUs aren't known yet: just started".to_owned(),
    })
}

/// All firing ones first: a delivery never opens a gap between two alerts on one GPU. Of the same
/// alert twice, the one that asks for more counts.
fn take(web: &Web, delivery: Delivery) -> Counts {
    let settings = web.settings();
    let mut counts: Counts = Outcome::ALL.map(|outcome| (outcome.name(), 0)).into();
    let mut count = |status, action, outcome: Outcome| {
        web.hook_counters.count_alert(status, action, outcome);
        *counts.entry(outcome.name()).or_default() += 1;
    };
    let mut wanted = Vec::new();
    for (status, alert) in delivery.alerts {
        let Some(alert) = alert else {
            alert::tell_rejected(web, Outcome::Rejected, None);
            count(status, Action::None, Outcome::Rejected);
            continue;
        };
        match alert::action(&alert.labels, &settings) {
            Ok(action) => wanted.push((status, action, alert)),
            Err(outcome) => {
                alert::tell_rejected(web, outcome, Some(&alert));
                count(status, Action::None, outcome);
            }
        }
    }
    wanted.sort_by_key(|(status, action, _)| (*status, action.level()));
    let firing: BTreeSet<u64> = wanted
        .iter()
        .filter(|(status, ..)| *status == Status::Firing)
        .map(|(.., alert)| alert.fingerprint)
        .collect();
    for (status, action, alert) in &wanted {
        let overtaken = *status == Status::Resolved && firing.contains(&alert.fingerprint);
        let obeyed = if overtaken && *action != Action::None {
            Outcome::Stale.into()
        } else {
            alert::obey(web, &settings, Via::Hook, *status, *action, alert)
        };
        for outcome in obeyed.outcomes() {
            count(*status, *action, outcome);
        }
    }
    counts
}
