//! prometheus.yml: the guards to scrape, and how often.

use std::fmt::Write as _;

use clap::Args;

use super::node::{Fleet, Node, Nodes};
use super::receiver::quoted;
use crate::cli::Flags;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    nodes: Nodes,

    /// Where Alertmanager is, port 9093 if none is said; repeatable, or separated by commas.
    #[arg(
        long = "alertmanager",
        value_name = "HOST[:PORT]",
        value_delimiter = ',',
        default_value = "127.0.0.1:9093",
        value_parser = alertmanager
    )]
    alertmanagers: Vec<Node>,
}

fn alertmanager(text: &str) -> anyhow::Result<Node> {
    Node::parse(text, 9093)
}

pub(super) fn text(flags: &Flags, options: &Options) -> anyhow::Result<String> {
    let fleet = options.nodes.fleet()?;
    let tls = match flags.ca_file.as_deref() {
        Some(ca) => format!(
            "    scheme: https\n    tls_config: {{ca_file: {}}}\n",
            quoted("--ca-file", ca)?
        ),
        None => String::new(),
    };
    let (head, global) = (head(&fleet), global(&fleet));
    let alertmanagers = targets(&options.alertmanagers);
    let guards = targets(&fleet.nodes);
    Ok(format!(
        "\
{head}{global}
rule_files:
  - thermal-guard.rules.yml

alerting:
  alertmanagers:
    # An Alertmanager nearby answers in milliseconds. The default of 10s would keep the next alert
    # waiting behind a dead one for that long.
    - timeout: 2s
      static_configs:
        - targets:{alertmanagers}
scrape_configs:
  - job_name: thermal-guard       # the rules ask for up{{job=\"thermal-guard\"}}
{tls}    static_configs:
      - targets:{guards}"
    ))
}

fn head(fleet: &Fleet) -> String {
    let pace = &fleet.pace;
    format!(
        "\
# Prometheus for thermal-guard, as `thermal-guard generate prometheus` prints it.
#
# Start it with --rules.alert.resend-delay={resend}s. Prometheus drops an alert that Alertmanager didn't
# take and tries again only after this delay; with the default of 1m one restart of Alertmanager
# means a minute without alerts. It also decides how soon a dead Prometheus shows: Alertmanager
# takes an alert for resolved after four times this delay, by default 4 minutes.
#
{settings}",
        resend = pace.resend,
        settings = pace.guard_settings(),
    )
}

fn global(fleet: &Fleet) -> String {
    let pace = &fleet.pace;
    format!(
        "\
global:
  # Heat to Alertmanager is at worst one scrape plus one evaluation: {latency} s. With the defaults of 1m
  # it is 2 minutes, in which a GPU under a failed fan gains tens of degrees.
  scrape_interval: {scrape}s
  scrape_timeout: 1s      # a scrape never touches the driver; slower than this is a fault
  evaluation_interval: {evaluation}s
",
        latency = pace.latency(),
        scrape = pace.scrape,
        evaluation = pace.evaluation,
    )
}

/// One in its line, more below it.
fn targets(nodes: &[Node]) -> String {
    if let [node] = nodes {
        return format!(" [\"{node}\"]\n");
    }
    let mut text = String::from("\n");
    for node in nodes {
        // Writing to a String doesn't fail.
        let _ = writeln!(text, "          - \"{node}\"");
    }
    text
}
