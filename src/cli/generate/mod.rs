//! `generate`: prints configuration of Alertmanager and Prometheus, and the rules, for a list of nodes.
//! The intervals fit each other, and the header lists the matching settings of the guard. Exit codes:
//! 0, 2 for invalid nodes or paths.
//!
//! For one node, it prints the files in `alerts/`; with `--fragment`, the part of them that a server which
//! runs already lacks. It writes no file and contacts no server.

mod alertmanager;
mod hostlist;
mod job;
mod node;
mod pace;
mod prometheus;
mod receiver;
mod rules;
mod targets;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::flags::Flags;
use super::output::{ReaderGone, in_full, say};

/// Bad usage, as for clap.
const EXIT_USAGE: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// alertmanager.yml: the routes from alerts to guards.
    Alertmanager(alertmanager::Options),
    /// prometheus.yml: which guards are scraped, and how often.
    Prometheus(prometheus::Options),
    /// The guards as a target file, which Prometheus reads again when it changes.
    Targets(targets::Options),
    /// The alert rules.
    Rules(rules::Options),
}

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let text = match &options.what {
        What::Alertmanager(options) => alertmanager::text(flags, options),
        What::Prometheus(options) => prometheus::text(flags, options),
        What::Targets(options) => targets::text(options),
        What::Rules(options) => rules::text(options),
    };
    match text.and_then(|text| say(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thermal-guard: {}", in_full(&error));
            ExitCode::from(EXIT_USAGE)
        }
    }
}
