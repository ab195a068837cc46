//! The guards as a target file of `file_sd_configs`: nodes come and go without a restart of Prometheus.

use std::fmt::Write as _;

use clap::Args;

use super::node::Nodes;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    nodes: Nodes,
}

pub(crate) fn text(options: &Options) -> anyhow::Result<String> {
    let fleet = options.nodes.fleet()?;
    let mut text = String::from(
        "\
# The guards that Prometheus scrapes, as `thermal-guard generate targets` prints
# them, for the job of `thermal-guard generate prometheus --fragment
# --file-sd=PATH`. Prometheus takes up a change by itself.
- targets:
",
    );
    for node in &fleet.nodes {
        writeln!(text, "    - \"{node}\"")?;
    }
    Ok(text)
}
