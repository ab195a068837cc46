//! The commands and their own flags, as clap parses them.

use clap::{Parser, Subcommand};

use super::flags::Flags;
use super::{
    backtest, check, client, completions, generate, man, replay, report, restore, simulate, status,
    validate, wait,
};

/// In two lines: one would be too long for a terminal.
const THROTTLE_USAGE: &str = "\
thermal-guard throttle [OPTIONS] --gpu <GPU> --level <LEVEL>
           --for <DURATION>";

/// Prometheus exporter and alert-webhook actuator that keeps NVIDIA GPUs under their temperature
/// limits without killing what runs on them.
#[derive(Debug, Parser)]
#[command(
    name = "thermal-guard",
    version = env!("THERMAL_GUARD_VERSION"),
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub(super) flags: Flags,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the guard: exporter, hook, control loop and status page.
    Serve,
    /// Check driver, sensors, thresholds, limits, permission and apps. Changes no GPU.
    Check(check::Options),
    /// Check a configuration file by itself. Needs no GPU and no guard.
    Validate(validate::Options),
    /// Show the GPUs of a running guard.
    Status(status::Options),
    /// Wait until GPUs are cool, such as before a job. Needs no running guard, and changes nothing.
    Wait(wait::Options),
    /// Throttle a GPU for some time.
    #[command(override_usage = THROTTLE_USAGE)]
    Throttle(client::lease::Throttle),
    /// End an operator's throttle.
    Release(client::lease::Which),
    /// Stop throttling a GPU for some time; only the critical temperature still acts.
    Pause(client::lease::Pause),
    /// End a pause.
    Resume(client::lease::Which),
    /// Release every GPU and close the driver, for a GPU reset or a driver upgrade.
    Detach,
    /// Open the driver and guard the GPUs again, after `detach`.
    Attach,
    /// Check the configuration, then make the running guard read it again.
    Reload(client::reload::Options),
    /// Restore the power limits, clocks and apps that a dead guard left throttled.
    Restore(restore::Options),
    /// Report throttles with their reasons and durations, recoveries and failures. Needs no running guard.
    Report(report::Options),
    /// Tell what heat cost the GPUs of a Prometheus, and what the guard would have done. Only reads.
    #[command(after_help = "Here --ca-file is for the certificate of the Prometheus server.")]
    Backtest(backtest::Options),
    /// Compare policies on a thermal model in virtual time: work done and temperature reached.
    Simulate(simulate::Options),
    /// Run recordings of real cards through the policy in virtual time: doubts, forecasts, decisions.
    Replay(replay::Options),
    /// Print configuration of Alertmanager and Prometheus for a list of nodes.
    Generate(generate::Options),
    /// Print a shell's completion script.
    #[command(hide = true)]
    Completions(completions::Completions),
    /// Write the man pages into a directory.
    #[command(hide = true)]
    Man(man::Man),
}
