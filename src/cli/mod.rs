//! The command line: one file or folder per command. Exit codes are part of the interface: see each
//! command.

mod backtest;
mod check;
mod client;
mod command;
mod completions;
mod default_config;
mod durations;
mod flags;
mod generate;
mod help;
mod log;
mod man;
mod manager;
mod output;
mod own_file;
mod progress;
mod replay;
pub(super) mod report;
mod restore;
mod serve;
mod setup;
mod simulate;
mod status;
mod style;
mod systemctl;
mod table;
mod validate;
mod wait;
mod when;
mod width;

use std::process::ExitCode;

use clap::FromArgMatches;

use command::Command;
use output::exit_code;

pub use command::Cli;

/// The command line of this process. Usage errors end it with 2.
pub fn parse() -> Cli {
    let mut matches = help::command().get_matches();
    // What the derived command line has matched, the derived type takes.
    Cli::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

/// Runs one command and tells the shell how it went.
pub fn run(cli: &Cli) -> ExitCode {
    let flags = &default_config::with_its_file(&cli.flags, &cli.command);
    match &cli.command {
        Command::Serve => serve::run(flags),
        Command::Check(options) => check::run(flags, options),
        Command::Validate(options) => validate::run(flags, options),
        Command::Status(options) => exit_code(status::run(flags, options)),
        Command::Wait(options) => wait::run(flags, options),
        Command::Throttle(wanted) => exit_code(client::lease::throttle(flags, wanted)),
        Command::Release(which) => exit_code(client::lease::release(flags, which)),
        Command::Pause(wanted) => exit_code(client::lease::pause(flags, wanted)),
        Command::Resume(which) => exit_code(client::lease::resume(flags, which)),
        Command::Detach => exit_code(client::lease::detach(flags)),
        Command::Attach => exit_code(client::lease::attach(flags)),
        Command::Reload(options) => client::reload::run(flags, options),
        Command::Restore(options) => restore::run(flags, options),
        Command::Report(options) => exit_code(report::run(flags, options)),
        Command::Backtest(options) => backtest::run(flags, options),
        Command::Simulate(options) => simulate::run(options),
        Command::Replay(options) => replay::run(options),
        Command::Generate(options) => generate::run(flags, options),
        Command::Completions(wanted) => {
            exit_code(completions::completions(wanted, help::completed()))
        }
        Command::Man(wanted) => exit_code(man::man(wanted, help::documented())),
    }
}
