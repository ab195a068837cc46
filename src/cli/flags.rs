//! The flags, in the manner of the Prometheus family. Every command accepts all of them; see `help` for
//! those that a command's own help lists.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::guard::actuate::journal::JournalDirs;
use crate::sim::demo;

/// Headings of the flags in the help.
const WEB: &str = "Serving";
const LOG: &str = "Log";
const CLIENT: &str = "Connection to the running guard";

/// Where a guard of this node answers, if nobody says otherwise.
pub(super) const USUAL_URL: &str = "http://127.0.0.1:10835";

/// The port in it, behind a host.
pub(super) const USUAL_PORT: &str = ":10835";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Configuration and state")]
pub(super) struct Flags {
    /// Configuration file (YAML). Without it, `serve` uses the defaults; the other commands that take one read
    /// /etc/thermal-guard/thermal-guard.yml, if it exists.
    #[arg(long = "config.file", global = true, value_name = "PATH")]
    pub(super) config_file: Option<PathBuf>,

    /// Address to listen on; repeatable. `:10835` means every interface.
    #[arg(
        long = "web.listen-address",
        global = true,
        help_heading = WEB,
        value_name = "ADDRESS",
        default_value = ":10835"
    )]
    pub(super) listen_address: Vec<String>,

    /// Accept requests that change something on this address only; repeatable.
    #[arg(
        long = "web.actuate.listen-address",
        global = true,
        help_heading = WEB,
        value_name = "ADDRESS"
    )]
    pub(super) actuate_listen_address: Vec<String>,

    /// Web configuration in exporter-toolkit's format: TLS, client certificates, basic auth.
    #[arg(long = "web.config.file", global = true, help_heading = WEB, value_name = "PATH")]
    pub(super) web_config_file: Option<PathBuf>,

    /// Path under which to expose the metrics.
    #[arg(
        long = "web.telemetry-path",
        global = true,
        help_heading = WEB,
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path
    )]
    pub(super) telemetry_path: String,

    /// Minimum log level.
    #[arg(long = "log.level", global = true, help_heading = LOG, value_enum, default_value = "info")]
    pub(super) log_level: LogLevel,

    /// Format of the log lines.
    #[arg(
        long = "log.format",
        global = true,
        help_heading = LOG,
        value_enum,
        default_value = "logfmt"
    )]
    pub(super) log_format: LogFormat,

    /// Act on decisions (enforce), or only compute and export them (observe). Overrides the configuration.
    #[arg(long = "mode", global = true, value_enum, overrides_with = "mode")]
    pub(super) mode: Option<ModeFlag>,

    /// Same as --mode=observe.
    #[arg(long = "dry-run", global = true)]
    pub(super) dry_run: bool,

    /// Use simulated GPUs: the whole service on a machine without a GPU.
    #[arg(long = "simulate", global = true)]
    pub(super) simulate: bool,

    /// One more name that alerts use for this node: in a pod, the node's name by the downward API.
    #[arg(
        long = "node.name",
        global = true,
        value_name = "NAME",
        env = "THERMAL_GUARD_NODE_NAME"
    )]
    pub(super) node_name: Option<String>,

    /// NVML library to load instead of libnvidia-ml.so.1.
    #[arg(
        long = "nvml.library",
        global = true,
        value_name = "PATH",
        env = "THERMAL_GUARD_NVML_LIBRARY"
    )]
    pub(super) nvml_library: Option<PathBuf>,

    /// Directory of the journal, the hook token and the event log [default: /var/lib/thermal-guard; with
    /// --simulate: a private directory in the temporary one].
    #[arg(long = "state.dir", global = true, value_name = "PATH")]
    pub(super) state_dir: Option<PathBuf>,

    /// Directory with a lock for each GPU, so that no two guards control the same one.
    #[arg(
        long = "lock.dir",
        global = true,
        value_name = "PATH",
        default_value = "/run/thermal-guard"
    )]
    pub(super) lock_dir: PathBuf,

    /// URL of the running guard, or its HOST or HOST:PORT.
    #[arg(
        long = "url",
        global = true,
        help_heading = CLIENT,
        value_name = "URL",
        default_value = USUAL_URL
    )]
    pub(super) url: String,

    /// File with the token for commands that change something [default: the configured file, or
    /// <state.dir>/hook-token].
    #[arg(long = "token-file", global = true, help_heading = CLIENT, value_name = "PATH")]
    pub(super) token_file: Option<PathBuf>,

    /// File with the certificate authority (PEM) of the running guard's certificate.
    #[arg(long = "ca-file", global = true, help_heading = CLIENT, value_name = "PATH")]
    pub(super) ca_file: Option<PathBuf>,

    /// Run sampling and policy durations this many times faster than the wall clock.
    #[arg(
        long = "debug.time-scale",
        global = true,
        hide = true,
        default_value = "1",
        value_parser = time_scale
    )]
    pub(super) time_scale: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Logfmt,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeFlag {
    Enforce,
    Observe,
}

impl Flags {
    pub(super) fn state_dir(&self) -> PathBuf {
        match (&self.state_dir, self.simulate) {
            (Some(dir), _) => dir.clone(),
            (None, false) => PathBuf::from("/var/lib/thermal-guard"),
            (None, true) => demo::state_dir(),
        }
    }

    pub(super) fn journal_dirs(&self) -> JournalDirs {
        JournalDirs::new(&self.state_dir(), Some(&self.lock_dir))
    }
}

/// Any path that isn't another thing's.
fn telemetry_path(text: &str) -> Result<String, String> {
    let taken = ["/-/", "/api/", "/assets/", "/hook"]
        .iter()
        .any(|path| text.starts_with(path));
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    if !text.starts_with('/') || text == "/" || taken || !plain {
        return Err(
            "a path such as /metrics, and none that the guard itself answers on".to_owned(),
        );
    }
    Ok(text.to_owned())
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.1..=1000.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.1 to 1000".to_owned()),
    }
}
