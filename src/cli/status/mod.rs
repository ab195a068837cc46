//! `status`: the operator's board, from a running guard. Exit codes: 0, 1 unreachable.

mod board;

use std::io::IsTerminal;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::clock::Clock;

use super::client::Client;
use super::client::reader::Reader;
use super::flags::Flags;
use super::output::say;
use super::style::DIM;
use super::when::Zone;
use super::width::Width;
use board::Board;

const REFRESH: Duration = Duration::from_secs(2);

/// Home, then clear the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Again every 2 s, until interrupted.
    #[arg(long)]
    watch: bool,
    /// The guard's own document, as JSON; with --watch, one a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reader: Reader,
}

pub(crate) fn run(flags: &Flags, options: &Options) -> anyhow::Result<()> {
    let client = Client::new(flags)?.reading_as(&options.reader);
    let mut text = look(&client, options)?;
    if !options.watch {
        return say(&text);
    }
    let clear = std::io::stdout().is_terminal() && !options.json;
    loop {
        if clear {
            // Past `say`, which would take this out with the colours where those aren't wanted.
            print!("{CLEAR}");
            say(&format!("{DIM}{}{DIM:#}\n", head(&client)))?;
        }
        say(&text)?;
        thread::sleep(REFRESH);
        // A guard that restarts is worth waiting for.
        text = look(&client, options).unwrap_or_else(|error| format!("{error:#}\n"));
    }
}

/// Where and when this was read, and how to leave.
fn head(client: &Client) -> String {
    let zone = Zone::local();
    let (url, time) = (client.url(), zone.time_of_day(Clock::unix()));
    format!(
        "{url}  {time}  every {} s; Ctrl-C ends it",
        REFRESH.as_secs()
    )
}

fn look(client: &Client, options: &Options) -> anyhow::Result<String> {
    let status = client.read("/api/v1/status")?;
    Ok(match (options.json, options.watch) {
        (true, true) => format!("{status}\n"),
        (true, false) => format!("{status:#}\n"),
        (false, _) => board(status)?.to_string(),
    })
}

fn board(status: Value) -> anyhow::Result<Board> {
    let status = serde_json::from_value(status);
    let status = status.context("the guard's status document has an unknown form: use the thermal-guard of the guard's own version")?;
    let width = Width::of_stdout();
    Ok(Board { status, width })
}
