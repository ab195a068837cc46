//! The command line as its help shows it. Every command accepts every flag, but its own help lists only
//! the flags that it uses: twenty others would hide them. Below them stand examples and exit statuses.

pub(super) mod page;

use clap::{Command, CommandFactory, Id};

use super::command::Cli;
use super::width::Width;

/// Lines of help that are longer aren't read.
const READABLE: usize = 100;

/// Where there is no terminal.
const USUAL: usize = 80;

/// The shared flags that a command uses. `None`: all but the flags for clients.
fn used(command: &str) -> Option<&'static [&'static str]> {
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
            "ca_file",
        ],
        "status" | "throttle" | "release" | "pause" | "resume" | "detach" | "attach" => CLIENT,
        "wait" => &[
            "config_file",
            "url",
            "token_file",
            "ca_file",
            "simulate",
            "nvml_library",
            "state_dir",
            "lock_dir",
        ],
        "validate" => &["config_file", "web_config_file"],
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
        "backtest" | "prometheus" => &["ca_file"],
        _ => &[],
    })
}

/// A shared flag that is a path on another machine for a command of `generate`.
fn means_elsewhere(command: &str, flag: &str) -> Option<&'static str> {
    Some(match (command, flag) {
        ("alertmanager", "token_file") => {
            "Path on the Alertmanager host of the hook token, with {host} in it where each node has one of its own [default: /etc/alertmanager/thermal-guard.token]"
        }
        ("alertmanager", "ca_file") => {
            "Path on the Alertmanager host of the guards' certificate authority (PEM), which means https"
        }
        ("prometheus", "ca_file") => {
            "Path on the Prometheus host of the guards' certificate authority (PEM), which means https"
        }
        _ => return None,
    })
}

const CLIENT_ONLY: [&str; 3] = ["url", "token_file", "ca_file"];

/// With its commands' flags in place, ready to parse.
pub(crate) fn command() -> Command {
    let width = Width::of_stdout().columns_or(USUAL).min(READABLE);
    with_examples(shaped(Cli::command().term_width(width)), "")
}

/// `name`: of the command, as it is typed behind the program's name.
fn with_examples(command: Command, name: &str) -> Command {
    let notes = command.get_after_help().map(ToString::to_string);
    let parts: Vec<String> = notes.into_iter().chain(page::below_help(name)).collect();
    let command = if parts.is_empty() {
        command
    } else {
        command.after_help(parts.join("\n\n"))
    };
    command.mut_subcommands(|below| {
        let name = format!("{name} {}", below.get_name());
        with_examples(below, name.trim_start())
    })
}

/// The same for man pages: without one for the help of each command.
pub(crate) fn documented() -> Command {
    shaped(Cli::command().disable_help_subcommand(true))
}

/// The same for completions, because not all generators leave out hidden entries.
pub(crate) fn completed() -> Command {
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
    command.mut_subcommands(|command| with_own_flags(command, &shared))
}

/// And its own commands, if it has some.
fn with_own_flags(command: Command, shared: &[Id]) -> Command {
    let name = command.get_name().to_owned();
    let used = used(&name);
    let command = command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        let elsewhere = means_elsewhere(&name, id);
        let is_used = match used {
            Some(used) => used.contains(&id),
            None => !CLIENT_ONLY.contains(&id),
        };
        // Each command has the version's, too; the main help shows it once.
        let hidden = shared.contains(arg.get_id()) && !is_used || id == "version";
        let arg = match elsewhere {
            Some(help) => arg.help(help),
            None => arg,
        };
        if hidden { arg.hide(true) } else { arg }
    });
    command.mut_subcommands(|command| with_own_flags(command, shared))
}
