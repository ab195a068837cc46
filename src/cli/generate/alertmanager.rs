//! alertmanager.yml: each node's heartbeat and alerts to its own hook, the rest to people.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};

use super::node::{Fleet, Nodes};
use super::receiver::{self, Credentials};
use crate::cli::Flags;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    nodes: Nodes,

    /// Alertmanager it must be good for: up to 0.30 each node needs a receiver, from 0.31 on one
    /// takes the address from the alert; read the warning in it.
    #[arg(long, value_enum, default_value = "0.25", value_name = "VERSION")]
    for_version: Version,

    /// For guards that pull (alertmanager.url): nothing is sent to them.
    #[arg(long, conflicts_with = "for_version")]
    pull: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Version {
    #[value(name = "0.25")]
    Receivers,
    #[value(name = "0.31")]
    Templates,
}

pub(super) fn text(flags: &Flags, options: &Options) -> anyhow::Result<String> {
    let fleet = options.nodes.fleet()?;
    if options.pull {
        return Ok(pull());
    }
    let credentials = Credentials::of(flags)?;
    let (head, heartbeats, actions, receivers) = match options.for_version {
        Version::Receivers => {
            let routes = per_node(&fleet);
            let receivers = credentials.per_node(&fleet)?;
            (PER_NODE, routes.clone(), routes, receivers)
        }
        Version::Templates => {
            let (first, next) = by_list(&fleet);
            (TEMPLATED, first, next, credentials.templated()?)
        }
    };
    let routes = routes(&fleet, &heartbeats, &actions);
    let settings = fleet.pace.guard_settings();
    Ok(format!(
        "{head}{SINGLE}#\n{settings}{ROOT}{routes}{CATCH_ALL}{PEOPLE}{receivers}"
    ))
}

const PER_NODE: &str = "\
# Alertmanager for thermal-guard, as `thermal-guard generate alertmanager` prints it; accepted by 0.25
# (Debian 12) and newer. One receiver per node, never one receiver with several webhooks: that one
# waits for the slowest, so a dead node would delay the healthy ones.
#
";

const TEMPLATED: &str = "\
# Alertmanager for thermal-guard, as `thermal-guard generate alertmanager --for-version=0.31` prints
# it; for 0.31 and newer, which take the receiver's address from the alert.
#
";

const SINGLE: &str = "\
# A single Alertmanager is started with --cluster.listen-address= (empty): otherwise it waits 10 s
# for peers before its first notification.
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

const CATCH_ALL: &str = "
    # Explicit, because after `continue: true` Alertmanager does not fall back to the root receiver.
    - receiver: people

";

const PEOPLE: &str = "\
receivers:
  - name: nobody
  - name: people            # your e-mail, chat or pager goes here
";

/// The two routes to guards, with what chooses the node below each.
fn routes(fleet: &Fleet, heartbeats: &str, actions: &str) -> String {
    let pace = &fleet.pace;
    format!(
        "    \
    # Heartbeats, each to its own node only: it proves the chain up to that guard. Nobody wants to read
    # those of nodes that aren't listed.
    - matchers: ['guard_action=\"heartbeat\"']
      receiver: nobody
      # One alert per group. While a notification is retried (10 s or longer), nothing newer of its
      # group goes out; alone, it delays nobody.
      group_by: [\"...\"]
      group_wait: 0s
      group_interval: {group}s
      # A heartbeat every {heartbeat} to {heartbeat_gap} s.
      repeat_interval: {heartbeat}s
      routes:
{heartbeats}
    # Alerts that throttle GPUs, to the node that has them.
    - matchers: ['guard_action=~\"gradual|emergency\"']
      receiver: nobody
      group_by: [\"...\"]
      group_wait: 0s        # each second of waiting is a second of heating
      group_interval: {group}s    # the same for the second alert, and for resolved
      # Renews the guard's lease of {lease} s every {action} to {action_gap} s; one may get lost.
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
fn pull() -> String {
    format!(
        "\
# Alertmanager for guards that pull, as `thermal-guard generate alertmanager --pull` prints it;
# accepted by 0.25 (Debian 12) and newer. Nothing is sent to a guard: each reads the alerts of its own
# GPUs, so nodes come and go without a change here.
#
# The settings of each guard that go with it (thermal-guard.yml):
# alertmanager:
#   url: http://alertmanager.example:9093    # or a list of all members of a cluster
{ROOT}    \
    # Read by guards, not by people.
    - matchers: ['guard_action=\"heartbeat\"']
      receiver: nobody

{PEOPLE}"
    )
}
