//! The options of `restore`.

use std::time::Duration;

use clap::Args;

use crate::cli::durations;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long a GPU may take to cool down to safe.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = durations::to_wait, allow_hyphen_values = true)]
    pub(super) wait: Duration,
    /// Give back whatever the temperature.
    #[arg(long)]
    pub(super) force: bool,
}
