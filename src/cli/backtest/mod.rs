//! `backtest`: what heat cost the GPUs of a Prometheus that runs already, and what the guard would have
//! done. It only reads, and needs neither a GPU nor a guard. Exit codes: 0, 1 if nothing could be
//! judged, 2 for bad usage.

mod gather;
mod html;
mod options;
mod table;

use std::process::ExitCode;

use serde_json::to_string_pretty;

use crate::backtest::report::Report;

use super::flags::Flags;
use super::output::{exit_code, say};

pub(crate) use options::Options;

pub(super) fn run(flags: &Flags, options: &Options) -> ExitCode {
    exit_code(tell(flags, options))
}

fn tell(flags: &Flags, options: &Options) -> anyhow::Result<()> {
    // Before the work, not after it.
    if let Some(path) = &options.html {
        html::file(path).check()?;
    }
    let report = gather::report(flags, options)?;
    if let Some(path) = &options.html {
        html::file(path).write(&html::page(&report))?;
    }
    if options.json {
        return say(&json(&report)?);
    }
    say(&table::page(&report))
}

fn json(report: &Report) -> anyhow::Result<String> {
    let mut text = to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}
