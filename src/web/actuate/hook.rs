//! `POST /hook`: Alertmanager's webhook becomes leases and heartbeats.
//!
//! The handler checks the delivery, changes the lease table, wakes the workers of the GPUs and answers.
//! It touches no GPU, so an answer takes milliseconds whatever the driver does. That matters: while
//! Alertmanager waits for an answer, it sends nothing newer of that group.
//!
//! The order of the checks: method, credential ([`crate::web::access::gate`]), content type, room,
//! readiness, size, content. The answer's code tells Alertmanager what to do: after 2xx the delivery is
//! done, after 5xx Alertmanager tries again at once, after any other code not before the next group
//! interval.

mod payload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::alerts::{Action, Beside, Outcome, STOPPING, Status, Trouble, Via, target};
use crate::clock::Clock;
use crate::web::app::App;
use crate::web::http::body;
use crate::web::http::refusal::Refusal;
use payload::Delivery;

/// How many alerts had each outcome.
type Counts = BTreeMap<&'static str, u64>;

/// Counts every answer on the path, refusals included.
pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = app.desk.shared.clock.wall();
    let delivers = delivers(request.method());
    let response = next.run(request).await;
    let took = app.desk.shared.clock.wall().since(began);
    let code = response.status();
    app.hook_counters.count_request(code.as_u16(), took);
    if code == StatusCode::METHOD_NOT_ALLOWED && delivers {
        log_refused(&app, code);
    }
    response
}

/// A delivery that missed the path, by a slash perhaps.
pub(crate) fn note_missed(app: &App, request: &Request) {
    let path = request.uri().path().trim_end_matches('/');
    if delivers(request.method()) && path.to_ascii_lowercase().ends_with("hook") {
        log_refused(app, StatusCode::NOT_FOUND);
    }
}

/// Requests that bring nothing are of people and scanners, and lose no alert.
fn delivers(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn log_refused(app: &App, code: StatusCode) {
    let trouble = Trouble::Refused(code.as_u16(), None);
    app.desk.log_trouble(trouble, &Beside::default());
}

pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let answer = deliver(&app, request).await;
    if let Err(refusal) = &answer {
        let trouble = Trouble::Refused(refusal.code.as_u16(), refusal.fixed_reason());
        let beside = Beside {
            answer: Some(&refusal.reason),
            ..Beside::default()
        };
        app.desk.log_trouble(trouble, &beside);
    }
    answer
}

async fn deliver(app: &App, request: Request) -> Result<Response, Refusal> {
    let (head, content) = request.into_parts();
    body::must_be_json(&head.headers)?;
    let _room = app
        .hook_room
        .try_acquire()
        .map_err(|_| Refusal::unavailable("too many deliveries at once: try again"))?;
    if app.desk.shared.is_stopping() {
        return Err(Refusal::unavailable(STOPPING));
    }
    if !app.desk.shared.driver_status().ready {
        return Err(unknown_gpus(app));
    }
    let content = body::read(&head.headers, content).await?;
    app.hook_counters.count_body(content.len());
    let delivery = Delivery::parse(&content)?;
    let truncated = delivery.truncated;
    if truncated > 0 {
        let beside = Beside {
            alerts: Some(truncated),
            ..Beside::default()
        };
        app.desk.log_trouble(Trouble::Truncated, &beside);
    }
    let counts = take(app, delivery);
    app.hook_counters.count_success(truncated, Clock::unix());
    Ok(Json(counts).into_response())
}

/// The GPUs aren't known yet: why, and what to do, if the driver reported an error.
pub(crate) fn unknown_gpus(app: &App) -> Refusal {
    let error = app.desk.shared.driver_status().error;
    Refusal::unavailable(match error {
        Some(error) => format!(
            "the GPUs aren't known yet: {error}; {remedy}",
            remedy = error.remedy()
        ),
        None => "the GPUs aren't known yet: just started".to_owned(),
    })
}

/// Applies firing alerts first, so that a delivery never opens a gap between two alerts on one GPU. If
/// an alert is there twice, the one that asks for more counts.
fn take(app: &App, delivery: Delivery) -> Counts {
    let desk = &app.desk;
    let settings = desk.settings();
    let mut counts: Counts = Outcome::ALL.map(|outcome| (outcome.name(), 0)).into();
    let mut count = |status, action, outcome: Outcome| {
        app.hook_counters.count_alert(status, action, outcome);
        *counts.entry(outcome.name()).or_default() += 1;
    };
    let mut wanted = Vec::new();
    for (status, alert) in delivery.alerts {
        let Some(alert) = alert else {
            desk.log_rejected(Outcome::Rejected, None);
            count(status, Action::None, Outcome::Rejected);
            continue;
        };
        match target::action(&alert.labels, &settings.severity_map) {
            Ok(action) => wanted.push((status, action, alert)),
            Err(outcome) => {
                desk.log_rejected(outcome, Some(&alert));
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
        let applied = if overtaken && *action != Action::None {
            Outcome::Stale.into()
        } else {
            desk.apply(&settings, Via::Hook, *status, *action, alert)
        };
        for outcome in applied.outcomes() {
            count(*status, *action, outcome);
        }
    }
    counts
}
