//! `generate`: ready configuration of Alertmanager and Prometheus, and the rules, for a list of
//! nodes, with intervals that fit each other and the guard settings that go with them. Exit codes: 0,
//! 2 for nodes or paths that can't be.
//!
//! What it prints for one node is what stands in `alerts/`. It writes no file and asks no server.

mod alertmanager;
mod node;
mod pace;
mod prometheus;
mod receiver;
mod rules;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Flags, say};

/// Bad usage, as clap's.
const EXIT_USAGE: u8 = 2;

/// Two flags of all commands mean another machine here.
const ALERTMANAGER_FILES: &str = "\
--token-file and --ca-file are paths on the Alertmanager host: of the hook token [default:
/etc/alertmanager/thermal-guard.token], with {host} in it where each node has a token of its own;
and of the certificate authority, which means https.";

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// alertmanager.yml: the routes from alerts to guards.
    #[command(after_help = ALERTMANAGER_FILES)]
    Alertmanager(alertmanager::Options),
    /// prometheus.yml: which guards are scraped, and how often.
    #[command(after_help = "--ca-file, a path on the Prometheus host, means https.")]
    Prometheus(prometheus::Options),
    /// The alert rules.
    Rules(rules::Options),
}

pub(super) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let text = match &options.what {
        What::Alertmanager(options) => alertmanager::text(flags, options),
        What::Prometheus(options) => prometheus::text(flags, options),
        What::Rules(options) => rules::text(options),
    };
    match text.and_then(|text| say(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thermal-guard: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}
