//! `report`: reads the event log and reports what happened; needs no running guard. Exit codes: 0, or 1
//! without a readable log.

mod format;
mod gather;
mod incident;
mod record;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::clock::Clock;
use crate::events::{History, history};

use super::durations;
use super::flags::Flags;
use super::output::say;
use super::when::Zone;
use super::width::Width;
use record::Record;
use text::Look;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How far to look back, such as 24h or 7d.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = durations::of_years, allow_hyphen_values = true)]
    last: Duration,
    /// Tell times in UTC instead of local time.
    #[arg(long)]
    utc: bool,
    /// Print JSON, with all details. Its times are in UTC.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, options: &Options) -> anyhow::Result<()> {
    let state_dir = flags.state_dir();
    let shown = state_dir.display();
    let history = history(&state_dir).with_context(|| {
        format!("the event log can't be read; run this as root (or the service's user), or name its directory with --state.dir (now {shown})")
    })?;
    if !history.found {
        bail!(
            "no event log in {shown}: no guard has run with that directory; --state.dir names another, --simulate that of a simulated guard"
        );
    }
    let record = record(&history, options.last);
    if options.json {
        let json = serde_json::to_string_pretty(&record)?;
        return say(&format!("{json}\n"));
    }
    let zone = if options.utc {
        Zone::UTC
    } else {
        Zone::local()
    };
    let width = Width::of_stdout();
    say(&text::page(&record, &Look { width, zone }))
}

/// Both forms of the report.
pub(crate) fn both(history: &History, last: Duration) -> (String, String) {
    let record = record(history, last);
    let json = serde_json::to_string_pretty(&record).unwrap_or_default();
    (text::page(&record, &Look::PLAIN), json)
}

fn record(history: &History, last: Duration) -> Record {
    let until = Clock::unix();
    gather::all(history, until.saturating_sub(last), until)
}
