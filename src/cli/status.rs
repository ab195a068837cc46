//! `status`
use clap::Args;

use super::Flags;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON.
    #[arg(long)]
    json: bool,
}
pub(super) fn run(_flags: &Flags, _options: &Options) -> anyhow::Result<()> {
    anyhow::bail!("x")
}
