//! Operators' leases and pauses: the API behind `throttle`, `release`, `pause` and `resume`.

mod notes;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::device::Identity;
use crate::policy::Level;

use super::hook::unknown_gpus;
use crate::alerts::target::gpus::Gpus;
use crate::web::app::App;
use crate::web::http::body;
use crate::web::http::refusal::Refusal;
use notes::{ignored, obstacles};

/// For a longer time, change the configuration.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaseRequest {
    gpu: GpuName,
    level: LevelWord,
    r#for: PeriodText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    gpu: GpuName,
    r#for: PeriodText,
}

/// An index may come as a number.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "gpu: an index, a UUID, a PCI address or \"all\" is wanted"
)]
enum GpuName {
    Index(u32),
    Name(String),
}

/// An enum of one variant, so that serde's error is this text.
#[derive(Deserialize)]
#[serde(untagged, expecting = "level: gradual or emergency is wanted")]
enum LevelWord {
    Word(LevelName),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "for: a duration over 0 and up to 24h, such as \"10m\", is wanted"
)]
enum PeriodText {
    Text(String),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LevelName {
    Gradual,
    Emergency,
}

/// The new state of each GPU.
#[derive(Serialize)]
pub(crate) struct Answer {
    gpus: Vec<Held>,
}

#[derive(Serialize)]
struct Held {
    gpu: u32,
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_seconds: Option<u64>,
    /// How long the GPU must then be calm, until it is given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    given_back_after_seconds: Option<f64>,
    /// Whether there was one to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
    /// Why it will have less effect than was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

pub(crate) async fn grant(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    const WANTED: &str = r#"{"gpu": "0", "level": "gradual", "for": "10m"}"#;
    let wanted: LeaseRequest = json(request, WANTED).await?;
    let period = period(&wanted.r#for)?;
    let level = match wanted.level {
        LevelWord::Word(LevelName::Gradual) => Level::Gradual,
        LevelWord::Word(LevelName::Emergency) => Level::Emergency,
    };
    let gpus = named(&app, &wanted.gpu.text())?;
    let delay = app.desk.shared.live().settings.recovery_delay;
    let mut held = Vec::new();
    for gpu in &gpus {
        app.desk.shared.throttle(&gpu.uuid, level, period);
        tracing::info!(gpu = gpu.index, uuid = %gpu.uuid, throttle = level.name(), period = ?period, "manual lease");
        held.push(Held {
            level: Some(level.name()),
            given_back_after_seconds: Some(delay.as_secs_f64()),
            notes: obstacles(&app.desk.shared, gpu, period),
            ..Held::for_period(gpu, period)
        });
    }
    Ok(Json(Answer { gpus: held }))
}

pub(crate) async fn release(
    State(app): State<Arc<App>>,
    Path(gpu): Path<String>,
) -> Result<Json<Answer>, Refusal> {
    each(&app, &gpu, |gpu| {
        let released = app.desk.shared.release(&gpu.uuid);
        if released {
            tracing::info!(gpu = gpu.index, uuid = %gpu.uuid, "manual lease released");
        }
        released
    })
}

pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    const WANTED: &str = r#"{"gpu": "all", "for": "30m"}"#;
    let wanted: PauseRequest = json(request, WANTED).await?;
    let period = period(&wanted.r#for)?;
    let gpus = named(&app, &wanted.gpu.text())?;
    let until = app.desk.shared.clock.wall() + period;
    for gpu in &gpus {
        app.desk.shared.pause(&gpu.uuid, until);
        tracing::warn!(gpu = gpu.index, uuid = %gpu.uuid, period = ?period, "paused: only critical acts");
    }
    let gpus = gpus.iter().map(|gpu| Held {
        notes: ignored(&app.desk.shared, gpu).into_iter().collect(),
        ..Held::for_period(gpu, period)
    });
    Ok(Json(Answer {
        gpus: gpus.collect(),
    }))
}

pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Path(gpu): Path<String>,
) -> Result<Json<Answer>, Refusal> {
    each(&app, &gpu, |gpu| app.desk.shared.resume(&gpu.uuid))
}

fn each(app: &App, gpu: &str, end: impl Fn(&Identity) -> bool) -> Result<Json<Answer>, Refusal> {
    let gpus = named(app, gpu)?;
    let ended = gpus.iter().map(|gpu| Held {
        ended: Some(end(gpu)),
        ..Held::of(gpu)
    });
    Ok(Json(Answer {
        gpus: ended.collect(),
    }))
}

fn named(app: &App, gpu: &str) -> Result<Vec<Arc<Identity>>, Refusal> {
    if !app.desk.shared.driver_status().ready {
        return Err(unknown_gpus(app));
    }
    Gpus::of(&app.desk.shared)
        .named(gpu)
        .map_err(|unknown| Refusal::new(StatusCode::NOT_FOUND, unknown.to_string()))
}

/// `wanted`: an example of the body.
async fn json<T: DeserializeOwned>(request: Request, wanted: &str) -> Result<T, Refusal> {
    let (head, content) = request.into_parts();
    body::must_be_json(&head.headers)?;
    let content = body::read(&head.headers, content).await?;
    serde_json::from_slice(&content)
        .map_err(|error| Refusal::bad_request(format!("{error}; such as {wanted}")))
}

fn period(PeriodText::Text(text): &PeriodText) -> Result<Duration, Refusal> {
    match humantime::parse_duration(text) {
        Ok(period) if !period.is_zero() && period <= LONGEST => Ok(period),
        _ => Err(Refusal::bad_request(
            "for: a duration over 0 and up to 24h, such as \"10m\"",
        )),
    }
}

impl GpuName {
    fn text(self) -> String {
        match self {
            Self::Index(index) => index.to_string(),
            Self::Name(name) => name,
        }
    }
}

impl Held {
    fn of(gpu: &Identity) -> Self {
        Self {
            gpu: gpu.index,
            uuid: gpu.uuid.to_string(),
            level: None,
            for_seconds: None,
            given_back_after_seconds: None,
            ended: None,
            notes: Vec::new(),
        }
    }

    fn for_period(gpu: &Identity, period: Duration) -> Self {
        Self {
            for_seconds: Some(period.as_secs()),
            ..Self::of(gpu)
        }
    }
}
