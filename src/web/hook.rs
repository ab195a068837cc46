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
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::device::Uuid;
use crate::guard::Clock;
use crate::policy::lease::{Ended, Granted, Holder};
use crate::policy::{Lease, Level};

use super::gpus::Gpus;
use super::refusal::Refusal;
use super::{Settings, Web, body};

use counters::{Action, Outcome, Status};
use payload::{Alert, Delivery};

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
        return Err(Refusal::unavailable(
            "the GPUs aren't known yet: no NVIDIA driver, or just started",
        ));
    }
    let content = body::read(&head.headers, content).await?;
    web.hook_counters.count_body(content.len());
    let delivery = Delivery::parse(&content)?;
    let truncated = delivery.truncated;
    let counts = take(&web, delivery);
    web.hook_counters.count_success(truncated, Clock::unix());
    Ok(Json(counts).into_response())
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
    for alert in delivery.alerts {
        match alert {
            Err(status) => count(status, Action::None, Outcome::Rejected),
            Ok(alert) => match target::action(&alert.labels, &settings) {
                Ok(action) => wanted.push((alert, action)),
                Err(outcome) => count(alert.status, Action::None, outcome),
            },
        }
    }
    wanted.sort_by_key(|(alert, action)| (alert.status, level(*action)));
    let firing: BTreeSet<u64> = wanted
        .iter()
        .filter(|(alert, _)| alert.status == Status::Firing)
        .map(|(alert, _)| alert.fingerprint)
        .collect();
    for (alert, action) in &wanted {
        let overtaken = alert.status == Status::Resolved && firing.contains(&alert.fingerprint);
        let outcome = if overtaken && *action != Action::None {
            Outcome::Stale
        } else {
            obey(web, &settings, alert, *action)
        };
        count(alert.status, *action, outcome);
    }
    counts
}

fn obey(web: &Web, settings: &Settings, alert: &Alert, action: Action) -> Outcome {
    match level(action) {
        Level::None if action == Action::Heartbeat => heartbeat(web, settings, alert),
        Level::None => Outcome::Ignored,
        level => match target::gpus(&alert.labels, Gpus::of(&web.shared), &settings.node) {
            Err(outcome) => outcome,
            Ok(gpus) if alert.status == Status::Firing => {
                let outcomes = gpus
                    .iter()
                    .map(|gpu| fire(web, settings, alert, gpu, level));
                // Once accepted, accepted; the order of the names is that of the merit.
                outcomes.min().unwrap_or(Outcome::Unmapped)
            }
            Ok(gpus) => {
                let outcomes = gpus.iter().map(|gpu| resolve(web, alert, gpu));
                outcomes.min().unwrap_or(Outcome::Unmapped)
            }
        },
    }
}

/// The worker is woken by what is new; a renewal can wait for its tick.
fn fire(web: &Web, settings: &Settings, alert: &Alert, gpu: &Uuid, level: Level) -> Outcome {
    let now = web.shared.clock.wall();
    let lease = Lease {
        level,
        since: now,
        expires: now + settings.lease,
        starts_at: alert.starts_at,
    };
    let holder = Holder::Alert(alert.fingerprint);
    let (granted, before) = {
        let mut leases = web.shared.leases();
        leases.expire(now);
        let before = leases.of(gpu).find(|(held, _)| *held == holder);
        let before = before.map(|(_, lease)| lease.level);
        (leases.grant(now, gpu, holder, lease), before)
    };
    match granted {
        Granted::Refused => return Outcome::Rejected,
        Granted::Renewed if before == Some(level) => {}
        Granted::New | Granted::Renewed => web.shared.wake(gpu),
    }
    if granted == Granted::New {
        let name = alert.labels.get("alertname");
        web.shared
            .name_alert(alert.fingerprint, name.map_or("", String::as_str));
        tracing::info!(gpu = web.shared.index(gpu), uuid = %gpu, level = level.name(), alert = %hex(alert), "an alert took a lease");
        Outcome::Accepted
    } else {
        Outcome::Renewed
    }
}

fn resolve(web: &Web, alert: &Alert, gpu: &Uuid) -> Outcome {
    let holder = Holder::Alert(alert.fingerprint);
    let ended = web.shared.leases().resolve(gpu, holder, alert.starts_at);
    match ended {
        Ended::Released => {
            tracing::info!(gpu = web.shared.index(gpu), uuid = %gpu, alert = %hex(alert), "resolved: the alert's lease ended");
            web.shared.wake(gpu);
            Outcome::Released
        }
        Ended::Stale => Outcome::Stale,
        Ended::Unknown => Outcome::Ignored,
    }
}

/// One that names no node speaks for the chain to all of them.
fn heartbeat(web: &Web, settings: &Settings, alert: &Alert) -> Outcome {
    if let Err(outcome) = target::not_anothers(settings.node.judge(&alert.labels)) {
        return outcome;
    }
    let now = web.shared.clock.wall();
    let mut chain = web.shared.chain();
    match alert.status {
        Status::Firing => chain.heartbeat(now, alert.eval_ts),
        Status::Resolved | Status::Unknown => chain.heartbeat_resolved(),
    }
    Outcome::Accepted
}

const fn level(action: Action) -> Level {
    match action {
        Action::Gradual => Level::Gradual,
        Action::Emergency => Level::Emergency,
        Action::Heartbeat | Action::None => Level::None,
    }
}

/// As Alertmanager prints it, to be looked up there.
fn hex(alert: &Alert) -> String {
    format!("{:016x}", alert.fingerprint)
}
