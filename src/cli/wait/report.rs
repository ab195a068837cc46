//! What a wait is for and what came of it: a sentence, and JSON.

use std::time::Duration;

use serde::Serialize;

use crate::cli::style::plain;
use crate::units::Celsius;

use super::below::Below;
use super::options::Options;
use super::source::GpuHeat;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Cool,
    TimedOut,
}

pub(super) struct Report {
    /// Timed out, until it is known better.
    pub(super) verdict: Verdict,
    below: Below,
    period: Duration,
    timeout: Duration,
    asked: String,
    waited: Duration,
    /// How long all of them have been cool. `None`: they aren't.
    cool_for: Option<Duration>,
    gpus: Vec<GpuHeat>,
}

impl Report {
    pub(super) const fn begin(options: &Options, asked: String) -> Self {
        Self {
            verdict: Verdict::TimedOut,
            below: options.below,
            period: options.period,
            timeout: options.timeout,
            asked,
            waited: Duration::ZERO,
            cool_for: None,
            gpus: Vec::new(),
        }
    }

    pub(super) fn update(
        &mut self,
        waited: Duration,
        cool_for: Option<Duration>,
        gpus: Vec<GpuHeat>,
    ) {
        self.waited = waited;
        self.cool_for = cool_for;
        self.gpus = gpus;
    }

    /// It has a verdict.
    pub(super) fn is_over(&mut self) -> bool {
        if self.cool_for.is_some_and(|lasts| lasts >= self.period) {
            self.verdict = Verdict::Cool;
            return true;
        }
        self.waited >= self.timeout
    }

    /// Ends between two looks.
    pub(super) fn timed_out(self, waited: Duration) -> Self {
        Self { waited, ..self }
    }

    /// `waiting until GPU 0 and 1 have been at or below safe for 30s, …`
    pub(super) fn purpose(&self, gpus: &[GpuHeat]) -> String {
        let names: Vec<_> = gpus.iter().map(name).collect();
        format!(
            "waiting until {} stayed {} for {}, at most {}; asking {}",
            names.join(", "),
            self.below.described(),
            words(self.period),
            words(self.timeout),
            self.asked
        )
    }

    /// `12s: GPU 0 at 78.0 °C, 6.0 °C above safe`.
    pub(super) fn so_far(&self) -> String {
        let waited = words(self.waited);
        if let Some(lasts) = self.cool_for {
            let (lasts, period) = (words(lasts), words(self.period));
            return format!("{waited}: cool for {lasts} of {period}");
        }
        let hot = self.gpus.iter().filter(|gpu| !self.is_cool(gpu));
        let hot: Vec<_> = hot.map(|gpu| self.described(gpu)).collect();
        format!("{waited}: {}", hot.join("; "))
    }

    /// Why it ended.
    pub(super) fn sentence(&self) -> String {
        let waited = words(self.waited);
        let all = |those: &mut dyn Iterator<Item = &GpuHeat>| {
            let texts: Vec<_> = those.map(|gpu| self.described(gpu)).collect();
            texts.join("; ")
        };
        let hot = all(&mut self.gpus.iter().filter(|gpu| !self.is_cool(gpu)));
        match (self.verdict, self.cool_for) {
            (Verdict::Cool, _) => format!("cool after {waited}: {}", all(&mut self.gpus.iter())),
            (Verdict::TimedOut, Some(lasts)) => format!(
                "timed out after {waited}: cool for {} only, not for {}",
                words(lasts),
                words(self.period)
            ),
            (Verdict::TimedOut, None) => format!("timed out after {waited}: {hot}"),
        }
    }

    fn is_cool(&self, gpu: &GpuHeat) -> bool {
        gpu.left
            .as_ref()
            .is_ok_and(|left| self.below.is_kept(*left))
    }

    /// `GPU 0 at 78.0 °C, 6.0 °C above safe`.
    fn described(&self, gpu: &GpuHeat) -> String {
        let (name, below) = (name(gpu), self.below);
        let at = gpu
            .core
            .map_or_else(String::new, |core| format!(" at {core}"));
        match &gpu.left {
            Err(why) => format!("{name}{at}: {}", plain(why)),
            Ok(left) if left.degrees() < 0.0 => {
                format!(
                    "{name}{at}, {} above {below}",
                    Celsius::new(-left.degrees())
                )
            }
            Ok(left) => format!("{name}{at}, {left} under {below}"),
        }
    }

    pub(super) fn json(&self) -> String {
        let gpus = self.gpus.iter().map(|gpu| GpuJson {
            gpu: gpu.index,
            uuid: Some(gpu.uuid.as_str()).filter(|uuid| !uuid.is_empty()),
            cool: self.is_cool(gpu),
            temperature_celsius: gpu.core.map(Celsius::degrees),
            left_celsius: gpu.left.as_ref().ok().map(|left| left.degrees()),
            why: gpu.left.as_ref().err().map(String::as_str),
        });
        let document = Json {
            result: self.verdict,
            asked: &self.asked,
            below: self.below.to_string(),
            for_seconds: self.period.as_secs_f64(),
            timeout_seconds: self.timeout.as_secs_f64(),
            waited_seconds: self.waited.as_secs_f64(),
            cool_for_seconds: self.cool_for.map(|lasts| lasts.as_secs_f64()),
            gpus: gpus.collect(),
        };
        let json = serde_json::to_string_pretty(&document).unwrap_or_default();
        format!("{json}\n")
    }
}

fn name(gpu: &GpuHeat) -> String {
    match gpu.index {
        Some(index) => format!("GPU {index}"),
        None if gpu.uuid.is_empty() => "a missing GPU".to_owned(),
        None => plain(&gpu.uuid),
    }
}

/// In whole seconds.
fn words(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

#[derive(Serialize)]
struct Json<'a> {
    result: Verdict,
    asked: &'a str,
    below: String,
    for_seconds: f64,
    timeout_seconds: f64,
    waited_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cool_for_seconds: Option<f64>,
    gpus: Vec<GpuJson<'a>>,
}

#[derive(Serialize)]
struct GpuJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<&'a str>,
    cool: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}
