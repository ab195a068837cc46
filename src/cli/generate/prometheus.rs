//! prometheus.yml: the guards to scrape, and how often.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;

use super::job::{JOB, Job};
use super::node::{Fleet, Node, Nodes};
use super::receiver::{quoted, refuse};
use crate::cli::flags::Flags;

#[derive(Debug, Args)]
pub(crate) struct Options {
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

    /// Name of the scrape job; the rules need the same.
    #[arg(long, value_name = "NAME", default_value = JOB)]
    job: Job,

    /// Take the targets from this file on the Prometheus host, which `generate targets` prints.
    #[arg(long, value_name = "PATH")]
    file_sd: Option<PathBuf>,

    /// Only the scrape job, with intervals of its own, as a further scrape configuration file of a
    /// Prometheus that runs already.
    #[arg(long, conflicts_with = "alertmanagers")]
    fragment: bool,
}

fn alertmanager(text: &str) -> anyhow::Result<Node> {
    Node::parse(text, 9093)
}

const NO_TOKEN: &str =
    "Prometheus reads metrics without the hook's token; it is for `generate alertmanager`";

/// Prometheus refuses its whole configuration because of another name.
fn read_by_prometheus(path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().and_then(OsStr::to_str);
    ensure!(
        matches!(ending, Some("yml" | "yaml" | "json")),
        "--file-sd={}: Prometheus wants a name that ends with .yml, .yaml or .json",
        path.display()
    );
    Ok(())
}

pub(crate) fn text(flags: &Flags, options: &Options) -> anyhow::Result<String> {
    refuse("--token-file", flags.token_file.as_deref(), NO_TOKEN)?;
    let fleet = match &options.file_sd {
        None => options.nodes.fleet()?,
        Some(path) => {
            read_by_prometheus(path)?;
            options.nodes.fleet_by_number()?
        }
    };
    let job = job(flags, options, &fleet)?;
    if options.fragment {
        return Ok(fragment_head(&fleet) + "scrape_configs:\n" + &job);
    }
    let (head, global) = (head(&fleet), global(&fleet));
    let alertmanagers = targets(&options.alertmanagers);
    Ok(format!(
        "\
{head}{global}
rule_files:
  - thermal-guard.rules.yml

alerting:
  alertmanagers:
    # An Alertmanager nearby answers in milliseconds. The default of 10s would
    # keep the next alert waiting behind a dead one for that long.
    - timeout: 2s
      static_configs:
        - targets:{alertmanagers}
scrape_configs:
{job}"
    ))
}

fn job(flags: &Flags, options: &Options, fleet: &Fleet) -> anyhow::Result<String> {
    let name = options.job.as_str();
    let mut text = format!("  - job_name: {name}       # the rules ask for up{{job=\"{name}\"}}\n");
    if options.fragment {
        text.push_str(&intervals(fleet));
    }
    if let Some(ca) = flags.ca_file.as_deref() {
        let ca = quoted("--ca-file", ca)?;
        write!(
            text,
            "    scheme: https\n    tls_config: {{ca_file: {ca}}}\n"
        )?;
    }
    if let Some(path) = &options.file_sd {
        let path = quoted("--file-sd", path)?;
        write!(text, "    file_sd_configs:\n      - files: [{path}]\n")?;
    } else {
        let guards = targets(&fleet.nodes);
        write!(text, "    static_configs:\n      - targets:{guards}")?;
    }
    Ok(text)
}

/// A job of its own pace in a Prometheus that has another.
fn intervals(fleet: &Fleet) -> String {
    format!(
        "    scrape_interval: {scrape}s     # heat to Alertmanager is at worst {latency} s
    # A scrape never touches the driver; slower than this is a fault.
    scrape_timeout: 1s
",
        scrape = fleet.pace.scrape,
        latency = fleet.pace.latency(),
    )
}

fn fragment_head(fleet: &Fleet) -> String {
    format!(
        "\
# The scrape job of thermal-guard, for a Prometheus that runs already, as
# `thermal-guard generate prometheus --fragment` prints it. Its prometheus.yml
# names this file and the rules, which have their own interval; nothing else of
# it changes (before Prometheus 2.43, paste the job instead of naming the file):
# scrape_config_files: [thermal-guard.scrape.yml]
# rule_files: [thermal-guard.rules.yml]         # `thermal-guard generate rules`
#
# With Prometheus's default of --rules.alert.resend-delay=1m only reactions to
# silence, and to an Alertmanager that was away, become slower; docs/fleet.md
# has the figures.
#
{settings}",
        settings = fleet.pace.learning_settings(),
    )
}

fn head(fleet: &Fleet) -> String {
    let pace = &fleet.pace;
    format!(
        "\
# Prometheus for thermal-guard, as `thermal-guard generate prometheus` prints
# it.
#
# Start it with --rules.alert.resend-delay={resend}s. Prometheus drops an alert that
# Alertmanager didn't take and tries again only after this delay; with the
# default of 1m one restart of Alertmanager means a minute without alerts. It
# also decides how soon a dead Prometheus shows: Alertmanager takes an alert for
# resolved after four times this delay, by default 4 minutes.
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
  # Heat to Alertmanager is at worst one scrape plus one evaluation: {latency} s.
  # With the defaults of 1m it is 2 minutes, in which a GPU under a failed fan
  # gains tens of degrees.
  scrape_interval: {scrape}s
  # A scrape never touches the driver; slower than this is a fault.
  scrape_timeout: 1s
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
