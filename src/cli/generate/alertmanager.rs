//! alertmanager.yml: each node's heartbeat and alerts to its own hook, the rest to people.

use std::fmt::Write as _;
use std::str::FromStr;

use anyhow::Context;
use clap::Args;

use super::node::{Fleet, Node, Nodes};
use super::receiver::{self, Credentials, refuse};
use crate::cli::flags::Flags;
use crate::cli::log;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    nodes: Nodes,

    /// Alertmanager it must be good for: up to 0.30 each node needs a receiver, from 0.31 on one
    /// takes the address from the alert; read the warning in it.
    #[arg(long, default_value = "0.25", value_name = "VERSION")]
    for_version: Version,

    /// For guards that pull (alertmanager.url): nothing is sent to them.
    #[arg(long, conflicts_with = "for_version")]
    pull: bool,

    /// Only the routes and receivers, to paste into an alertmanager.yml that is there already.
    #[arg(long)]
    fragment: bool,
}

/// Major and minor version of an Alertmanager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl Version {
    /// The oldest one that the generated files were tried with.
    const OLDEST: Self = Self(0, 25);
    /// From it on, a receiver may take its address from the alert.
    const TEMPLATES: Self = Self(0, 31);
}

impl FromStr for Version {
    type Err = anyhow::Error;

    /// `0.31`, `0.31.2` or `v0.31.2`, as `alertmanager --version` says it.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = plain.splitn(3, '.').map(str::parse);
        let mut number = || numbers.next()?.ok();
        let version = number().zip(number());
        let version = version.map(|(major, minor)| Self(major, minor));
        let tried = version.filter(|version| *version >= Self::OLDEST);
        tried.context("a version from 0.25 on, such as 0.25 or 0.31.2, is accepted")
    }
}

pub(crate) fn text(flags: &Flags, options: &Options) -> anyhow::Result<String> {
    let nobody = if options.fragment { OWN_NOBODY } else { NOBODY };
    if options.pull {
        refuse("--token-file", flags.token_file.as_deref(), NO_SENDER)?;
        refuse("--ca-file", flags.ca_file.as_deref(), NO_SENDER)?;
        options.nodes.check()?;
        return Ok(pull(options.fragment, nobody));
    }
    let fleet = options.nodes.fleet()?;
    let credentials = Credentials::of(flags)?;
    let (head, heartbeats, actions, receivers) = if options.for_version < Version::TEMPLATES {
        let routes = per_node(&fleet);
        let receivers = credentials.per_node(&fleet)?;
        (PER_NODE, routes.clone(), routes, receivers)
    } else {
        if flags.ca_file.is_none() {
            log::remark(WITHOUT_CA);
        }
        let (first, next) = by_list(&fleet);
        (TEMPLATED, first, next, credentials.templated()?)
    };
    let routes = routes(&fleet, nobody, &heartbeats, &actions);
    if options.fragment {
        let settings = fleet.pace.learning_settings();
        return Ok(format!(
            "{FRAGMENT}{GOES_ON}{ask}{settings}{ROUTES}{routes}\n{burst}\n{own}{receivers}",
            ask = ask(&fleet, options.for_version < Version::TEMPLATES),
            burst = burst(nobody),
            own = own(nobody),
        ));
    }
    let settings = fleet.pace.guard_settings();
    Ok(format!(
        "{head}{SINGLE}#\n{settings}{ROOT}{routes}\n{burst}{CATCH_ALL}{PEOPLE}{receivers}",
        burst = burst(nobody),
    ))
}

const NO_SENDER: &str = "with --pull Alertmanager sends guards nothing; leave it out";

const WITHOUT_CA: &str = "thermal-guard: no --ca-file, so the receiver wants https and this reads /etc/alertmanager/thermal-guard-ca.pem, while `generate prometheus` without --ca-file scrapes by http: give --ca-file to both";

/// The receiver of what guards alone read.
const NOBODY: &str = "nobody";
/// The same where there may be another of that name.
const OWN_NOBODY: &str = "thermal-guard-nobody";

const FRAGMENT: &str = "\
# Routes and receivers of thermal-guard for an alertmanager.yml that is there
# already, as `thermal-guard generate alertmanager --fragment` prints them. Put
# the routes first under your `routes:`, and the receivers under your
# `receivers:`. `amtool check-config` checks the result.
#
";

const GOES_ON: &str = "\
# Alerts that throttle go on to your own routes (`continue: true`), and
# Alertmanager doesn't fall back to the root receiver then. If none of your
# routes matches them, end the list with `- receiver: NAME`: else nobody hears
# of a GPU at its critical temperature.
#
";

/// How to see where an alert goes: heartbeats, and so `chain ok`, don't show it.
const ASK: &str = "\
# Then ask where a driving alert goes; a chain that is ok doesn't show it:
# amtool config routes test --config.file=alertmanager.yml \\
#   alertname=ThermalGuardGpuAtCriticalTrip guard_action=emergency \\
";

/// `own_receivers`: each node has one.
fn ask(fleet: &Fleet, own_receivers: bool) -> String {
    let node = fleet
        .nodes
        .first()
        .map_or_else(String::new, Node::to_string);
    let receiver = if own_receivers {
        format!("guard-{node}")
    } else {
        "guards".to_owned()
    };
    format!(
        "\
{ASK}#   severity=critical instance={node}
# must name {receiver} and one of your receivers.
#
"
    )
}

const ROUTES: &str = "\
route:
  routes:
";

/// Only our own: other alerts of that severity are not for us to hide.
fn burst(nobody: &str) -> String {
    format!(
        "    \
    # What guards act on and people needn't: a burst of load that heats a GPU.
    - matchers: ['severity=\"none\"', 'alertname=~\"ThermalGuard.+\"']
      receiver: {nobody}
"
    )
}

fn own(nobody: &str) -> String {
    format!("receivers:\n  - name: {nobody}\n")
}

const PER_NODE: &str = "\
# Alertmanager for thermal-guard, as `thermal-guard generate alertmanager`
# prints it; accepted by 0.25 (Debian 12) and newer. One receiver per node,
# never one receiver with several webhooks: that one waits for the slowest, so a
# dead node would delay the healthy ones.
#
";

const TEMPLATED: &str = "\
# Alertmanager for thermal-guard, as `thermal-guard generate alertmanager
# --for-version=0.31` prints it; for 0.31 and newer, which take the receiver's
# address from the alert.
#
";

const SINGLE: &str = "\
# A single Alertmanager is started with --cluster.listen-address= (empty):
# otherwise it waits 10 s for peers before its first notification.
";

const ROOT: &str = "\
route:
  receiver: people
  group_by: [alertname, instance]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
  routes:
";

const CATCH_ALL: &str = "\
    \x20   # Explicit, because after `continue: true` Alertmanager does not fall back
    # to the root receiver.
    - receiver: people

";

const PEOPLE: &str = "\
receivers:
  - name: nobody
  - name: people            # your e-mail, chat or pager goes here
";

/// The two routes to guards, each with its routes per node.
fn routes(fleet: &Fleet, nobody: &str, heartbeats: &str, actions: &str) -> String {
    let pace = &fleet.pace;
    format!(
        "    \
    # Heartbeats, each to its own node only: it proves the chain up to that
    # guard. Nobody wants to read those of nodes that aren't listed.
    - matchers: ['guard_action=\"heartbeat\"']
      receiver: {nobody}
      # One alert per group. While a notification is retried (10 s or longer),
      # nothing newer of its group goes out; alone, it delays nobody.
      group_by: [\"...\"]
      group_wait: 0s
      group_interval: {group}s
      # A heartbeat every {heartbeat} to {heartbeat_gap} s.
      repeat_interval: {heartbeat}s
      routes:
{heartbeats}
    # Alerts that throttle GPUs, to the node that has them.
    - matchers: ['guard_action=~\"gradual|emergency\"']
      receiver: {nobody}
      group_by: [\"...\"]
      group_wait: 0s        # each second of waiting is a second of heating
      group_interval: {group}s    # the same for the second alert, and for resolved
      # Renews the guard's lease of {lease} s every {action} to {action_gap} s; one may get
      # lost.
      repeat_interval: {action}s
      continue: true        # people hear of it too, by the last route
      routes:
{actions}",
        group = pace.group_interval,
        heartbeat = pace.heartbeat_repeat,
        heartbeat_gap = pace.longest_gap(pace.heartbeat_repeat),
        lease = pace.lease(),
        action = pace.action_repeat,
        action_gap = pace.longest_gap(pace.action_repeat),
    )
}

/// A route for each node to its receiver.
fn per_node(fleet: &Fleet) -> String {
    let mut text = String::new();
    for node in &fleet.nodes {
        let name = receiver::name(node);
        // Writing to a String doesn't fail.
        let _ = writeln!(
            text,
            "        - {{matchers: ['instance=\"{node}\"'], receiver: {name}}}"
        );
    }
    text
}

/// A route for all nodes by a list of them, and the same again by its anchor. Alertmanager anchors
/// the expression at both ends.
fn by_list(fleet: &Fleet) -> (String, String) {
    let literal = |text: String| {
        text.replace('.', r"\\.")
            .replace('[', r"\\[")
            .replace(']', r"\\]")
    };
    let nodes = fleet.nodes.iter().map(|node| literal(node.to_string()));
    let list = nodes.collect::<Vec<_>>().join("|");
    let route = |matcher: &str| format!("        - {{matchers: [{matcher}], receiver: guards}}\n");
    let first = route(&format!("&guards 'instance=~\"{list}\"'"));
    (first, route("*guards"))
}

/// Alerts wait in Alertmanager until a guard asks for them, whatever their receiver.
fn pull(fragment: bool, nobody: &str) -> String {
    let (head, root, receivers) = if fragment {
        (
            format!("{PULL_FRAGMENT}{ASK}{PULL_ANSWER}"),
            ROUTES,
            own(nobody),
        )
    } else {
        (PULL.to_owned(), ROOT, PEOPLE.to_owned())
    };
    format!(
        "\
{head}{PULL_SETTINGS}{root}    \
    # Read by guards, not by people.
    - matchers: ['guard_action=\"heartbeat\"']
      receiver: {nobody}
{burst}
{receivers}",
        burst = burst(nobody),
    )
}

const PULL_FRAGMENT: &str = "\
# Routes of thermal-guard, whose guards pull, for an alertmanager.yml that is
# there already, as `thermal-guard generate alertmanager --pull --fragment`
# prints them. Put the routes first under your `routes:`, and the receiver under
# your `receivers:`. `amtool check-config` checks the result.
#
";

const PULL_ANSWER: &str = "\
#   severity=critical instance=NODE:10835
# must name one of your receivers, and no other.
#
";

const PULL: &str = "\
# Alertmanager for guards that pull, as `thermal-guard generate alertmanager
# --pull` prints it; accepted by 0.25 (Debian 12) and newer. Nothing is sent to
# a guard: each reads the alerts of its own GPUs, so nodes come and go without a
# change here.
#
";

const PULL_SETTINGS: &str = "\
# The settings of each guard, instead of those with the scrape job and the rules
# (thermal-guard.yml):
# alertmanager:
#   url: http://alertmanager.example:9093       # or all members of a cluster
#   # In a fleet, if that is what Prometheus calls the node:
#   filter: ['instance=\"{hostname}:10835\"']
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_is_read_and_one_that_is_too_old_or_none_is_refused() {
        for (text, is_new) in [
            ("0.25", false),
            ("0.30.9", false),
            ("0.31", true),
            ("v0.35.0-rc.1", true),
            ("1.0", true),
        ] {
            let version: Version = text.parse().unwrap();
            assert_eq!(version >= Version::TEMPLATES, is_new, "{text}");
        }
        for text in ["", "latest", "0", "0.x", "0.24.0", "-1.2"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
