//! The options of `wait`.

use std::time::Duration;

use clap::Args;

use crate::cli::client::reader::Reader;
use crate::cli::durations;
use crate::config::GpuNames;

use super::below::Below;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which GPUs: `all`, or indexes, PCI addresses, UUIDs or their first digits, with commas between
    /// them.
    #[arg(long, value_name = "GPU", default_value = "all", value_parser = GpuNames::parse)]
    pub(super) gpu: GpuNames,
    /// What counts as cool: at or below `safe`, below `alert`, or below a number of °C of the core.
    #[arg(long, value_name = "BOUND", default_value = "safe", value_parser = Below::parse)]
    pub(super) below: Below,
    /// How long all of them must have been cool without a break.
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = durations::to_wait, allow_hyphen_values = true)]
    pub(super) period: Duration,
    /// When to give up. The exit code is then 75.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = durations::to_wait, allow_hyphen_values = true)]
    pub(super) timeout: Duration,
    /// Print JSON at the end.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) reader: Reader,
}
