//! `report`: what happened, from the event log; no guard needs to run. Exit codes: 0, 1 without a
//! log that can be read.

mod gather;
mod incident;
mod record;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use crate::guard::Clock;
use crate::guard::events::{History, history};

use super::{Flags, period, say};
use record::Record;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// How far to look back, such as 24h or 7d.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = period::of_years, allow_hyphen_values = true)]
    last: Duration,
    /// All of it, for programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(flags: &Flags, options: &Options) -> anyhow::Result<()> {
    let state_dir = flags.state_dir();
    let shown = state_dir.display();
    let history = history(&state_dir).with_context(|| {
        format!("the event log can't be read; run this as the guard's user, or name its directory with --state.dir (now {shown})")
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
    say(&text::page(&record))
}

/// Both forms of the report.
pub(crate) fn both(history: &History, last: Duration) -> (String, String) {
    let record = record(history, last);
    let json = serde_json::to_string_pretty(&record).unwrap_or_default();
    (text::page(&record), json)
}

fn record(history: &History, last: Duration) -> Record {
    let until = Clock::unix();
    gather::all(history, until.saturating_sub(last), until)
}
