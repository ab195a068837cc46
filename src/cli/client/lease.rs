//! Operators' commands for a running guard: `throttle`, `release`, `pause`, `resume`, `detach`,
//! `attach`. Exit codes: 0 done, 1 not done.

use std::fmt::Write as _;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use ureq::http::Method;

use strum::IntoStaticStr;

use crate::cli::client::Client;
use crate::cli::durations;
use crate::cli::flags::Flags;
use crate::cli::output::say;
use crate::cli::style::{WARN, plain};

/// Which GPUs.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Which GPUs: `all`, or indexes, PCI addresses, UUIDs or their first digits, with commas between
    /// them.
    #[arg(long, value_name = "GPU")]
    gpu: String,
}

/// A manual lease.
#[derive(Debug, Args)]
pub(crate) struct Throttle {
    #[command(flatten)]
    which: Which,
    /// How much: gradual keeps the workload running, emergency slows it as far as possible.
    #[arg(long, value_enum)]
    level: LevelFlag,
    /// How long, such as 10m.
    #[arg(long = "for", value_name = "DURATION", value_parser = period, allow_hyphen_values = true)]
    period: String,
}

#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
    /// How long, such as 30m.
    #[arg(long = "for", value_name = "DURATION", value_parser = period, allow_hyphen_values = true)]
    period: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
enum LevelFlag {
    Gradual,
    Emergency,
}

impl LevelFlag {
    const fn name(self) -> &'static str {
        self.into_str()
    }
}

pub(crate) fn throttle(flags: &Flags, wanted: &Throttle) -> anyhow::Result<()> {
    let level = wanted.level.name();
    let body = json!({ "gpu": wanted.which.gpu, "level": level, "for": wanted.period });
    let answer = Client::new(flags)?.actuate(&Method::POST, "/api/v1/leases", Some(&body))?;
    let gpus = gpus(&answer, &wanted.which);
    let notes = notes(&answer);
    let after = given_back(&answer);
    say(&format!(
        "{gpus}: held at {level} for {}{after}\n{notes}",
        wanted.period
    ))
}

/// A throttle outlives its lease by a while, also on a cool GPU.
fn given_back(answer: &Value) -> String {
    let delay = answer["gpus"][0]["given_back_after_seconds"].as_f64();
    let delay = delay.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    delay.map_or_else(String::new, |delay| {
        let delay = humantime::format_duration(delay);
        format!(", then given back after {delay} (policy.recovery_delay)")
    })
}

pub(crate) fn release(flags: &Flags, which: &Which) -> anyhow::Result<()> {
    let answer = end(flags, "leases", which)?;
    let gpus = gpus(&answer, which);
    say(&if ended(&answer) {
        format!("{gpus}: manual lease ended\n")
    } else {
        format!("{gpus}: no manual lease to end\n")
    })
}

pub(crate) fn pause(flags: &Flags, wanted: &Pause) -> anyhow::Result<()> {
    let body = json!({ "gpu": wanted.which.gpu, "for": wanted.period });
    let answer = Client::new(flags)?.actuate(&Method::POST, "/api/v1/pauses", Some(&body))?;
    let gpus = gpus(&answer, &wanted.which);
    let period = &wanted.period;
    let notes = notes(&answer);
    say(&format!(
        "{gpus}: paused for {period}; only critical acts until then\n{notes}"
    ))
}

pub(crate) fn resume(flags: &Flags, which: &Which) -> anyhow::Result<()> {
    let answer = end(flags, "pauses", which)?;
    let gpus = gpus(&answer, which);
    say(&if ended(&answer) {
        format!("{gpus}: pause ended\n")
    } else {
        format!("{gpus}: was not paused\n")
    })
}

pub(crate) fn detach(flags: &Flags) -> anyhow::Result<()> {
    Client::new(flags)?.actuate(&Method::POST, "/-/detach", None)?;
    say("detached: no GPU is held open, and none is protected until `thermal-guard attach`\n")
}

pub(crate) fn attach(flags: &Flags) -> anyhow::Result<()> {
    Client::new(flags)?.actuate(&Method::POST, "/-/attach", None)?;
    say("attached: the guard takes its GPUs again\n")
}

fn end(flags: &Flags, what: &str, which: &Which) -> anyhow::Result<Value> {
    let path = format!("/api/v1/{what}/{}", escaped(&which.gpu));
    Client::new(flags)?.actuate(&Method::DELETE, &path, None)
}

/// Whether there was anything to end on any of the GPUs.
fn ended(answer: &Value) -> bool {
    let gpus = answer["gpus"].as_array();
    gpus.is_none_or(|gpus| gpus.iter().any(|gpu| gpu["ended"] != Value::Bool(false)))
}

/// Reasons why the guard will do less than requested, one per line.
fn notes(answer: &Value) -> String {
    let mut text = String::new();
    for gpu in answer["gpus"].as_array().into_iter().flatten() {
        let notes = gpu["notes"].as_array().into_iter().flatten();
        for note in notes.filter_map(Value::as_str) {
            let index = &gpu["gpu"];
            // Writing to a String can't fail.
            let _ = writeln!(text, "{WARN}but GPU {index}: {}{WARN:#}", plain(note));
        }
    }
    text
}

/// The GPUs as the guard names them, or else as the user typed them.
fn gpus(answer: &Value, which: &Which) -> String {
    let gpus = answer["gpus"].as_array().into_iter().flatten();
    let indexes: Vec<String> = gpus
        .filter_map(|gpu| gpu["gpu"].as_u64())
        .map(|index| index.to_string())
        .collect();
    if indexes.is_empty() {
        format!("GPU {}", which.gpu)
    } else {
        format!("GPU {}", indexes.join(", "))
    }
}

/// As one segment of a path.
fn escaped(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Checked here, because a typing mistake is a usage error; sent as typed.
fn period(text: &str) -> Result<String, String> {
    durations::of_a_day(text).map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_name_stays_one_segment() {
        assert_eq!(escaped("GPU-1"), "GPU-1");
        assert_eq!(escaped("0000:65:00.0"), "0000:65:00.0");
        assert_eq!(escaped("../x?y#z"), "..%2Fx%3Fy%23z");
    }
}
