//! The command line. One file per command; flags in the manner of the Prometheus family, accepted
//! after any subcommand. Exit codes are part of the interface: see each command.

mod assets;
mod check;
mod client;
mod generate;
mod help;
mod lease;
mod log;
mod manager;
mod paint;
mod period;
mod reload;
pub(crate) mod report;
mod restore;
mod serve;
mod showcase;
mod simulate;
mod status;
mod usual;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::web::auth::token_file::FILE_NAME;

/// Bad configuration, as in sysexits.h.
const EXIT_CONFIG: u8 = 78;

/// Prometheus exporter and alert-webhook actuator that keeps NVIDIA GPUs under their temperature
/// limits without killing what runs on them.
#[derive(Debug, Parser)]
#[command(name = "thermal-guard", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the guard: exporter, hook, control loop and status page.
    Serve,
    /// Pre-flight: driver, sensors, thresholds, power limits, permission, apps. Writes to no GPU.
    Check(check::Options),
    /// The board of a running guard.
    Status(status::Options),
    /// Hold a GPU at a level for a while.
    Throttle(lease::Throttle),
    /// End what `throttle` began.
    Release(lease::Which),
    /// Ignore leases and gradual on a GPU for a while; critical still acts.
    Pause(lease::Pause),
    /// End what `pause` began.
    Resume(lease::Which),
    /// Let go of every GPU, for a reset or a driver upgrade.
    Detach,
    /// Take the GPUs again.
    Attach,
    /// Have the running guard read its configuration again, if that has no mistake.
    Reload(reload::Options),
    /// Give back what a dead guard left behind.
    Restore(restore::Options),
    /// What happened: throttles, why, how long, recoveries, failures. Needs no running guard.
    Report(report::Options),
    /// Policies against the thermal model, in virtual time: what each keeps of the work, how hot it gets.
    Simulate(simulate::Options),
    /// Ready configuration of Alertmanager and Prometheus for a list of nodes.
    Generate(generate::Options),
    /// A completion script for a shell, on standard output.
    #[command(hide = true)]
    Completions(assets::Completions),
    /// The man pages, into a directory.
    #[command(hide = true)]
    Man(assets::Man),
}

/// Headings of the flags in the help.
const WEB: &str = "Serving";
const LOG: &str = "Log";
const CLIENT: &str = "Where the running guard is";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Configuration and state")]
struct Flags {
    /// Configuration file (YAML). Without one, `serve` has every setting at its default; the commands
    /// about a running guard, `check` and `restore` take /etc/thermal-guard/thermal-guard.yml, if it is there.
    #[arg(long = "config.file", global = true, value_name = "PATH")]
    config_file: Option<PathBuf>,

    /// Address to listen on; repeatable. `:10835` is every interface.
    #[arg(
        long = "web.listen-address",
        global = true,
        help_heading = WEB,
        value_name = "ADDRESS",
        default_value = ":10835"
    )]
    listen_address: Vec<String>,

    /// Everything that actuates answers only here.
    #[arg(
        long = "web.actuate.listen-address",
        global = true,
        help_heading = WEB,
        value_name = "ADDRESS"
    )]
    actuate_listen_address: Vec<String>,

    /// TLS, client certificates and basic auth, in exporter-toolkit's format.
    #[arg(long = "web.config.file", global = true, help_heading = WEB, value_name = "PATH")]
    web_config_file: Option<PathBuf>,

    /// Path of the metrics.
    #[arg(
        long = "web.telemetry-path",
        global = true,
        help_heading = WEB,
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path
    )]
    telemetry_path: String,

    /// Least severity that is logged.
    #[arg(long = "log.level", global = true, help_heading = LOG, value_enum, default_value = "info")]
    log_level: LogLevel,

    /// Form of the log lines.
    #[arg(
        long = "log.format",
        global = true,
        help_heading = LOG,
        value_enum,
        default_value = "logfmt"
    )]
    log_format: LogFormat,

    /// Act on decisions, or only compute and export them. Overrides the configuration.
    #[arg(long = "mode", global = true, value_enum)]
    mode: Option<ModeFlag>,

    /// The same as --mode=observe.
    #[arg(long = "dry-run", global = true, conflicts_with = "mode")]
    dry_run: bool,

    /// Simulated GPUs in process: the whole service on a machine without a GPU.
    #[arg(long = "simulate", global = true)]
    simulate: bool,

    /// NVML library to load instead of libnvidia-ml.so.1.
    #[arg(
        long = "nvml.library",
        global = true,
        value_name = "PATH",
        env = "THERMAL_GUARD_NVML_LIBRARY"
    )]
    nvml_library: Option<PathBuf>,

    /// Journal, hook token and event log [default: /var/lib/thermal-guard; simulated: a private
    /// directory under the temporary one].
    #[arg(long = "state.dir", global = true, value_name = "PATH")]
    state_dir: Option<PathBuf>,

    /// One lock per GPU: two guards never hold the same.
    #[arg(
        long = "lock.dir",
        global = true,
        value_name = "PATH",
        default_value = "/run/thermal-guard"
    )]
    lock_dir: PathBuf,

    /// The running guard, for the commands that talk to one.
    #[arg(
        long = "url",
        global = true,
        help_heading = CLIENT,
        value_name = "URL",
        default_value = "http://127.0.0.1:10835"
    )]
    url: String,

    /// Token for the commands that actuate [default: the configured one, or <state.dir>/hook-token].
    #[arg(long = "token-file", global = true, help_heading = CLIENT, value_name = "PATH")]
    token_file: Option<PathBuf>,

    /// Certificate authority of the running guard's certificate.
    #[arg(long = "ca-file", global = true, help_heading = CLIENT, value_name = "PATH")]
    ca_file: Option<PathBuf>,

    /// Sampling and policy durations run this many times faster than the wall clock.
    #[arg(
        long = "debug.time-scale",
        global = true,
        hide = true,
        default_value = "1",
        value_parser = time_scale
    )]
    time_scale: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Logfmt,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModeFlag {
    Enforce,
    Observe,
}

impl Flags {
    fn state_dir(&self) -> PathBuf {
        match (&self.state_dir, self.simulate) {
            (Some(dir), _) => dir.clone(),
            (None, false) => PathBuf::from("/var/lib/thermal-guard"),
            (None, true) => showcase::state_dir(),
        }
    }

    /// The flag's, the configuration's, or the one that the guard made itself.
    fn token_file(&self) -> PathBuf {
        let configured = || serve::configuration(self).ok()?.hook.bearer_token_file;
        let file = self.token_file.clone().or_else(configured);
        file.unwrap_or_else(|| self.state_dir().join(FILE_NAME))
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

/// The command line of this process. Usage errors end it with 2.
pub fn parse() -> Cli {
    let mut matches = help::command().get_matches();
    // What the derived command line has matched, the derived type takes.
    Cli::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit())
}

/// Runs one command and tells the shell how it went.
pub fn run(cli: &Cli) -> ExitCode {
    let flags = &usual::with_its_file(&cli.flags, &cli.command);
    match &cli.command {
        Command::Serve => serve::run(flags),
        Command::Check(options) => check::run(flags, options),
        Command::Status(options) => exit(status::run(flags, options)),
        Command::Throttle(wanted) => exit(lease::throttle(flags, wanted)),
        Command::Release(which) => exit(lease::release(flags, which)),
        Command::Pause(wanted) => exit(lease::pause(flags, wanted)),
        Command::Resume(which) => exit(lease::resume(flags, which)),
        Command::Detach => exit(lease::detach(flags)),
        Command::Attach => exit(lease::attach(flags)),
        Command::Reload(options) => reload::run(flags, options),
        Command::Restore(options) => restore::run(flags, options),
        Command::Report(options) => exit(report::run(flags, options)),
        Command::Simulate(options) => simulate::run(options),
        Command::Generate(options) => generate::run(flags, options),
        Command::Completions(wanted) => exit(assets::completions(wanted)),
        Command::Man(wanted) => exit(assets::man(wanted)),
    }
}

fn exit(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain(&format!("thermal-guard: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints, in colour where that is a terminal. Fails if nobody reads any more (`| head`).
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
