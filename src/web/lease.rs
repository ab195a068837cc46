//! An operator's own leases and pauses: what `throttle`, `release`, `pause` and `resume` call.

mod notes;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::device::Identity;
use crate::policy::lease::{Ended, Holder};
use crate::policy::{Lease, Level};

use super::gpus::Gpus;
use super::hook::unknown_gpus;
use super::refusal::Refusal;
use super::{Web, body};

use notes::{ignored, obstacles};

/// Longer than that is a configuration.
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

/// Of one kind, so that what is wrong with it is said in these words.
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

/// What now is, per GPU.
#[derive(Serialize)]
pub(super) struct Answer {
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
    /// Whether there was one to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
    /// Why less will come of it than was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

pub(super) async fn grant(
    State(web): State<Arc<Web>>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    const WANTED: &str = r#"{"gpu": "0", "level": "gradual", "for": "10m"}"#;
    let wanted: LeaseRequest = json(request, WANTED).await?;
    let period = period(&wanted.r#for)?;
    let level = match wanted.level {
        LevelWord::Word(LevelName::Gradual) => Level::Gradual,
        LevelWord::Word(LevelName::Emergency) => Level::Emergency,
    };
    let gpus = named(&web, &wanted.gpu.text())?;
    let mut held = Vec::new();
    for gpu in &gpus {
        let now = web.shared.clock.wall();
        let lease = Lease {
            level,
            since: now,
            expires: now + period,
            starts_at: Duration::ZERO,
        };
        // Never refused: an operator's lease has room of its own.
        web.shared
            .leases()
            .grant(now, &gpu.uuid, Holder::Manual, lease);
        web.shared.wake(&gpu.uuid);
        tracing::info!(gpu = gpu.index, uuid = %gpu.uuid, throttle = level.name(), period = ?period, "manual lease");
        held.push(Held {
            level: Some(level.name()),
            notes: obstacles(&web.shared, gpu, period),
            ..Held::for_period(gpu, period)
        });
    }
    web.shared.remember();
    Ok(Json(Answer { gpus: held }))
}

pub(super) async fn release(
    State(web): State<Arc<Web>>,
    Path(gpu): Path<String>,
) -> Result<Json<Answer>, Refusal> {
    each(&web, &gpu, |gpu| {
        let mut leases = web.shared.leases();
        let ended = leases.resolve(&gpu.uuid, Holder::Manual, Duration::MAX);
        drop(leases);
        web.shared.remember();
        web.shared.wake(&gpu.uuid);
        let released = ended == Ended::Released;
        if released {
            tracing::info!(gpu = gpu.index, uuid = %gpu.uuid, "manual lease released");
        }
        released
    })
}

pub(super) async fn pause(
    State(web): State<Arc<Web>>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    const WANTED: &str = r#"{"gpu": "all", "for": "30m"}"#;
    let wanted: PauseRequest = json(request, WANTED).await?;
    let period = period(&wanted.r#for)?;
    let gpus = named(&web, &wanted.gpu.text())?;
    let until = web.shared.clock.wall() + period;
    for gpu in &gpus {
        web.shared.pause(&gpu.uuid, until);
        tracing::warn!(gpu = gpu.index, uuid = %gpu.uuid, period = ?period, "paused: only critical acts");
    }
    let gpus = gpus.iter().map(|gpu| Held {
        notes: ignored(&web.shared, gpu).into_iter().collect(),
        ..Held::for_period(gpu, period)
    });
    Ok(Json(Answer {
        gpus: gpus.collect(),
    }))
}

pub(super) async fn resume(
    State(web): State<Arc<Web>>,
    Path(gpu): Path<String>,
) -> Result<Json<Answer>, Refusal> {
    each(&web, &gpu, |gpu| web.shared.resume(&gpu.uuid))
}

fn each(web: &Web, gpu: &str, end: impl Fn(&Identity) -> bool) -> Result<Json<Answer>, Refusal> {
    let gpus = named(web, gpu)?;
    let ended = gpus.iter().map(|gpu| Held {
        ended: Some(end(gpu)),
        ..Held::of(gpu)
    });
    Ok(Json(Answer {
        gpus: ended.collect(),
    }))
}

fn named(web: &Web, gpu: &str) -> Result<Vec<Arc<Identity>>, Refusal> {
    if !web.shared.driver_status().ready {
        return Err(unknown_gpus(web));
    }
    Gpus::of(&web.shared).named(gpu)
}

/// `wanted`: what it should look like.
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
