//! `check`: what an operator wants to know before trusting a node to the guard. Writes to no GPU.
//! Exit codes: 0 all is ok or only warned of, 1 something fails.

mod alertmanager;
mod apps;
mod gpu;
mod names;
mod node;
mod permission;
mod power;
mod running;
mod sandbox;
mod sensors;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::config::{Config, LoadError, Mode};
use crate::web::node::Node;

use super::paint::{BAD, GOOD, WARN, plain};
use super::{Flags, say, serve};
use running::Running;
use sandbox::Sandbox;

/// How long the driver may keep silent. Opening a GPU takes seconds on a node without persistence.
const DRIVER_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One line of the answer.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<u32>,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            gpu: None,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn warn(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(check, detail)
        }
    }

    fn fail(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            status: Status::Fail,
            ..Self::warn(check, detail, remedy)
        }
    }

    fn of_gpu(self, index: u32) -> Self {
        Self {
            gpu: Some(index),
            ..self
        }
    }

    /// A plain fact, made a warning if there is one.
    fn warned(self, warning: Option<(String, &str)>) -> Self {
        match warning {
            None => self,
            Some((warning, remedy)) => Self {
                status: Status::Warn,
                detail: format!("{}: {warning}", self.detail),
                remedy: Some(remedy.to_owned()),
                ..self
            },
        }
    }

    fn what(&self) -> String {
        match self.gpu {
            Some(gpu) => format!("gpu {gpu} {}", self.check),
            None => self.check.to_owned(),
        }
    }

    fn line(&self, width: usize) -> String {
        let (name, style) = match self.status {
            Status::Ok => ("ok", GOOD),
            Status::Warn => ("warn", WARN),
            Status::Fail => ("fail", BAD),
        };
        let (what, detail) = (self.what(), plain(&self.detail));
        let remedy = self.remedy.as_deref().map(plain);
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        format!("{style}{name:<4}{style:#}  {what:<width$}  {detail}{remedy}\n")
    }
}

/// A line each, and last what they come to: that is what stands above the prompt at 3 a.m.
fn page(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what().len()).max();
    let lines = findings
        .iter()
        .map(|finding| finding.line(width.unwrap_or(0)));
    let mut text: String = lines.collect();
    let named = |status: Status| {
        let those = findings.iter().filter(|finding| finding.status == status);
        those.map(Finding::what).collect::<Vec<_>>().join(", ")
    };
    let (fails, warns) = (named(Status::Fail), named(Status::Warn));
    let warned = match warns.as_str() {
        "" => String::new(),
        warns => format!("; {WARN}look at{WARN:#}: {warns}"),
    };
    let verdict = match fails.as_str() {
        "" => format!("{GOOD}ready{GOOD:#}"),
        fails => format!("{BAD}not ready{BAD:#}: {fails}"),
    };
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n{verdict}{warned}");
    text
}

pub(super) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let (config, mut findings) = configuration(flags);
    let names = Node::this_machine(&[]).also(&config.node_names);
    let running = Running::ask(flags, &names);
    let (config, differs) = running.with_its_mode(flags, config);
    findings.extend(differs);
    findings.extend(of_driver(flags, &config));
    findings.extend(config.sensors.iter().map(sensors::look));
    findings.extend(node::all(flags, &config));
    findings.push(names::of(&names));
    findings.extend(running.all(flags));
    findings.extend(alertmanager::all(&config, &names));
    let sandbox = writes_files(flags, &config).then(Sandbox::of_service);
    let sandbox = sandbox.flatten();
    let apps = config.apps.iter();
    findings.extend(apps.flat_map(|app| apps::all(app, sandbox.as_ref())));
    let text = if options.json {
        let json = serde_json::to_string_pretty(&findings).unwrap_or_default();
        format!("{json}\n")
    } else {
        page(&findings)
    };
    // The exit code says it, too.
    let _ = say(&text);
    let failed = findings
        .iter()
        .any(|finding| finding.status == Status::Fail);
    ExitCode::from(u8::from(failed))
}

/// By a service of the node, into which nothing simulated belongs.
fn writes_files(flags: &Flags, config: &Config) -> bool {
    let has_file = config.apps.iter().any(|app| app.env_file.is_some());
    has_file && config.mode == Mode::Enforce && !flags.simulate
}

/// With the mistakes, if there are any; the rest is then checked against the defaults.
fn configuration(flags: &Flags) -> (Config, Vec<Finding>) {
    const CHECK: &str = "configuration";
    let file = flags.config_file.as_deref();
    let file = file.map_or_else(
        || "no file: all defaults".to_owned(),
        |path| path.display().to_string(),
    );
    match serve::configuration(flags) {
        Ok(config) => {
            let detail = format!("{file}, mode {}", config.mode.name());
            (config, vec![Finding::ok(CHECK, detail)])
        }
        Err(error) => {
            let mistakes = match &error {
                LoadError::Unreadable { .. } => vec![error.to_string()],
                LoadError::Invalid { errors, .. } => {
                    errors.0.iter().map(ToString::to_string).collect()
                }
            };
            let remedy = serve::remedy(&error).map(str::to_owned);
            let remedy = remedy.unwrap_or_else(|| format!("correct it in {file}"));
            let finding = |mistake| Finding::fail(CHECK, mistake, remedy.clone());
            let findings = mistakes.into_iter().map(finding).collect();
            (Config::default(), findings)
        }
    }
}

/// On a thread of its own, because a call into a hung driver doesn't return.
fn of_driver(flags: &Flags, config: &Config) -> Vec<Finding> {
    let (report, findings) = mpsc::channel();
    let (flags, config) = (flags.clone(), config.clone());
    thread::spawn(move || {
        gpu::all(&flags, &config, &|finding| {
            // Nobody listens any more if the driver took too long.
            let _ = report.send(finding);
        });
    });
    let mut all = Vec::new();
    loop {
        match findings.recv_timeout(DRIVER_PATIENCE) {
            Ok(finding) => all.push(finding),
            Err(RecvTimeoutError::Disconnected) => return all,
            Err(RecvTimeoutError::Timeout) => {
                all.push(Finding::fail(
                    "driver",
                    format!("no answer for {} s", DRIVER_PATIENCE.as_secs()),
                    "a GPU or the driver hangs: see dmesg, reset the GPU or reboot",
                ));
                return all;
            }
        }
    }
}
