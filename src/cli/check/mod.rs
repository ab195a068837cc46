//! `check`: pre-flight checks, before an operator trusts a node to the guard. Changes no GPU. Exit
//! codes: 0 everything is ok or only warned about, 1 something fails.

mod alertmanager;
mod apps;
mod finding;
mod gpu;
mod node;
mod notify;
mod running;
mod sensors;

use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::alerts::target::node::Node;
use crate::config::{Config, LoadError, Mode};
use clap::Args;

use super::client::reader::Reader;
use super::flags::Flags;
use super::output::say;
use super::setup;
use super::width::Width;
use apps::sandbox::Sandbox;
use finding::{Finding, Status, page};
use running::Running;

/// How long the driver may take. Opening a GPU takes seconds on a node without persistence mode.
const DRIVER_PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reader: Reader,
}

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let (config, mut findings) = configuration(flags);
    let names = Node::this_machine(&[]).also(&config.node_names);
    let running = Running::ask(flags, &options.reader, &names);
    let (config, differs) = running.with_its_mode(flags, config);
    findings.extend(differs);
    findings.extend(of_driver(flags, &config));
    findings.extend(config.sensors.iter().map(sensors::of));
    findings.extend(node::all(flags, &config));
    findings.push(node::name::of(&names));
    findings.extend(running.all(flags));
    findings.extend(alertmanager::all(&config, &names));
    findings.extend(notify::of(flags, &config, &names));
    let sandbox = writes_files(flags, &config).then(Sandbox::of_service);
    let sandbox = sandbox.flatten();
    let apps = config.apps.iter();
    findings.extend(apps.flat_map(|app| apps::all(app, sandbox.as_ref())));
    let text = if options.json {
        let json = serde_json::to_string_pretty(&findings).unwrap_or_default();
        format!("{json}\n")
    } else {
        page(&findings, Width::of_stdout())
    };
    // The exit code says it, too.
    let _ = say(&text);
    let failed = findings
        .iter()
        .any(|finding| finding.status == Status::Fail);
    ExitCode::from(u8::from(failed))
}

/// Whether a service of this node writes files of apps; a simulated guard isn't one.
fn writes_files(flags: &Flags, config: &Config) -> bool {
    let has_file = config.apps.iter().any(|app| app.env_file.is_some());
    has_file && config.mode == Mode::Enforce && !flags.simulate
}

/// The configuration and its mistakes. With mistakes, the other checks use the defaults.
fn configuration(flags: &Flags) -> (Config, Vec<Finding>) {
    const CHECK: &str = "configuration";
    let file = flags.config_file.as_deref();
    let file = file.map_or_else(
        || "no file: all defaults".to_owned(),
        |path| path.display().to_string(),
    );
    match setup::configuration(flags) {
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
            let remedy = setup::remedy(&error).map(str::to_owned);
            let remedy = remedy.unwrap_or_else(|| format!("correct it in {file}"));
            let finding = |mistake| Finding::fail(CHECK, mistake, remedy.clone());
            let findings = mistakes.into_iter().map(finding).collect();
            (Config::default(), findings)
        }
    }
}

/// Runs on a thread of its own, because a call into a hung driver doesn't return.
fn of_driver(flags: &Flags, config: &Config) -> Vec<Finding> {
    let (report, findings) = mpsc::channel();
    let (flags, config) = (flags.clone(), config.clone());
    thread::spawn(move || {
        gpu::all(&flags, &config, &|finding| {
            // An error: the receiver has given up waiting for the driver.
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
