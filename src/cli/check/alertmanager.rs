//! The Alertmanagers to pull from: each answers as one, and has a heartbeat.

use crate::alerts::heard;
use crate::alerts::pull::client::{Census, Client};
use crate::alerts::pull::error::PullError;
use crate::alerts::target::node::Node;
use crate::config::{Config, Login, PullConfig};

use crate::cli::check::finding::Finding;

const CHECK: &str = "alertmanager";

pub(crate) fn all(config: &Config, node: &Node) -> Vec<Finding> {
    let Some(pull) = &config.alertmanager.pull else {
        return Vec::new();
    };
    match Client::all(pull) {
        Ok(clients) => clients.iter().map(|it| of(it, pull, node)).collect(),
        Err(error) => {
            let remedy = "correct it: `serve` doesn't start with it";
            vec![Finding::fail(CHECK, error.to_string(), remedy)]
        }
    }
}

fn of(client: &Client, pull: &PullConfig, node: &Node) -> Finding {
    let url = client.url();
    match client.census_for(node) {
        Ok(census) => good(url, &census, node).warned(unencrypted(url, pull)),
        Err(error) => bad(url, &error),
    }
}

fn good(url: &str, census: &Census, node: &Node) -> Finding {
    let Census {
        active,
        suppressed,
        heartbeats,
        own,
        another,
    } = census;
    let detail = format!(
        "{url} answers: {active} active alerts, heartbeats among them (of all nodes): {heartbeats}, silenced: {suppressed}"
    );
    if let (0, Some(another)) = (*own, another) {
        let called = heard::called(node);
        let detail = format!(
            "{detail}; none of the heartbeats is for this node ({called}), one is for {another}"
        );
        return Finding::warn(
            CHECK,
            detail,
            "if that is this node, put its name under node.names; else let Prometheus scrape this guard",
        );
    }
    if *heartbeats == 0 {
        return Finding::warn(
            CHECK,
            detail,
            "load the rules of alerts/ into Prometheus and let it send here; without a heartbeat the chain counts as broken",
        );
    }
    Finding::ok(CHECK, detail)
}

/// An Alertmanager that isn't up yet is no failure: the guard works without it and keeps asking.
fn bad(url: &str, error: &PullError) -> Finding {
    let detail = format!("{url}: {error}");
    match error {
        PullError::Unreachable(_) | PullError::Timeout => Finding::warn(
            CHECK,
            detail,
            "start Alertmanager, or correct alertmanager.url (and ca_file, if it is about a certificate)",
        ),
        PullError::Status(500..) => {
            Finding::warn(CHECK, detail, "see Alertmanager's log, or the proxy's")
        }
        _ => Finding::fail(CHECK, detail, "until then no alert is pulled"),
    }
}

/// On the way to another machine, others can read an unencrypted credential.
fn unencrypted(url: &str, pull: &PullConfig) -> Option<(String, &'static str)> {
    let host = crate::config::tree::value::host_part(url);
    let own = ["127.", "localhost", "[::1]"];
    let exposed = url.starts_with("http:")
        && pull.credential != Login::None
        && !own.iter().any(|local| host.starts_with(local));
    exposed.then(|| {
        let warning = "the credential goes over the network unencrypted".to_owned();
        (warning, "use https, or be sure of the network")
    })
}
