//! The command line as its help shows it. Every flag is accepted after every command, but each
//! command's own help names only those that it heeds: twenty others would hide its own.

use clap::{Command, CommandFactory, Id};

use super::Cli;

/// Of the flags that all commands share, those that a command heeds. `None`: all but the client's.
fn heeded(command: &str) -> Option<&'static [&'static str]> {
    const CLIENT: &[&str] = &[
        "config_file",
        "url",
        "token_file",
        "ca_file",
        "simulate",
        "state_dir",
    ];
    Some(match command {
        "serve" => return None,
        "check" => &[
            "config_file",
            "web_config_file",
            "mode",
            "dry_run",
            "simulate",
            "nvml_library",
            "state_dir",
            "lock_dir",
            "url",
            "token_file",
        ],
        "status" | "throttle" | "release" | "pause" | "resume" | "detach" | "attach" => CLIENT,
        "reload" => &[
            "config_file",
            "web_config_file",
            "log_level",
            "log_format",
            "state_dir",
        ],
        "restore" => &[
            "config_file",
            "mode",
            "dry_run",
            "nvml_library",
            "state_dir",
            "lock_dir",
        ],
        "report" => &["simulate", "state_dir"],
        // Of `generate`.
        "alertmanager" => &["token_file", "ca_file"],
        "prometheus" => &["ca_file"],
        _ => &[],
    })
}

const CLIENT_ONLY: [&str; 3] = ["url", "token_file", "ca_file"];

const MORE: &str = "Flags of the other commands are accepted, too: see `thermal-guard --help`.";

/// With its commands' flags in place, ready to parse.
pub(super) fn command() -> Command {
    shaped(Cli::command())
}

/// The same for man pages: without one for the help of each command.
pub(super) fn documented() -> Command {
    shaped(Cli::command().disable_help_subcommand(true))
}

/// The same for completions, whose generators don't all leave out what is hidden.
pub(super) fn completed() -> Command {
    visible(&documented())
}

fn visible(command: &Command) -> Command {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let commands = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    // Not global any more: each command already has those that it shows.
    Command::new(command.get_name().to_owned())
        .version(env!("CARGO_PKG_VERSION"))
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args(shown.map(|arg| arg.clone().global(false)))
        .subcommands(commands.map(visible))
}

fn shaped(mut command: Command) -> Command {
    let shared: Vec<_> = command
        .get_arguments()
        .map(|arg| arg.get_id().clone())
        .collect();
    // Hands the shared flags down to the commands, where they can then be hidden.
    command.build();
    command.mut_subcommands(|command| with_heeded(command, &shared))
}

/// And its own commands, if it has some.
fn with_heeded(command: Command, shared: &[Id]) -> Command {
    let heeded = heeded(command.get_name());
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        let is_heeded = match heeded {
            Some(heeded) => heeded.contains(&id),
            None => !CLIENT_ONLY.contains(&id),
        };
        let hidden = shared.contains(arg.get_id()) && !is_heeded;
        if hidden { arg.hide(true) } else { arg }
    });
    let command = command.mut_subcommands(|command| with_heeded(command, shared));
    match command.get_after_help() {
        Some(_) => command,
        None => command.after_help(MORE),
    }
}
