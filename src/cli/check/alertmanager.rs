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
        Ok(census) => {
            let found = good(url, &census, node, &narrowed(pull, client.filter()));
            found.warned(unencrypted(url, pull))
        }
        Err(error) => bad(url, &error),
    }
}

fn good(url: &str, census: &Census, node: &Node, narrowed: &str) -> Finding {
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
            format!(
                "load the rules of alerts/ into Prometheus and let it send here{narrowed}; without a heartbeat the chain counts as broken"
            ),
        );
    }
    Finding::ok(CHECK, detail)
}

/// A filter that fits no heartbeat of this node looks like an Alertmanager that has none.
fn narrowed(pull: &PullConfig, sent: &[String]) -> String {
    if sent.is_empty() {
        return String::new();
    }
    let written = pull.filter.join(", ");
    let sent = sent.join(", ");
    if sent == written {
        format!(", or the filter `{written}` lets no heartbeat through")
    } else {
        format!(", or the filter `{written}` (as sent: `{sent}`) lets no heartbeat through")
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn said(filter: &str, sent: &[&str], heartbeats: usize) -> Finding {
        let url = "http://alertmanager:9093";
        let text = format!("alertmanager: {{ url: '{url}', filter: {filter} }}");
        let pull = Config::from_yaml(&text).unwrap().alertmanager.pull.unwrap();
        let sent: Vec<String> = sent.iter().map(|&matcher| matcher.to_owned()).collect();
        let census = Census {
            active: heartbeats,
            suppressed: 0,
            heartbeats,
            own: heartbeats,
            another: None,
        };
        good(url, &census, &Node::default(), &narrowed(&pull, &sent))
    }

    #[test]
    fn without_a_heartbeat_the_filter_is_named_as_written_and_as_sent() {
        let filter = "['instance=\"{node}:10835\"']";
        let found = said(filter, &["instance=\"gpu1:10835\""], 0);
        let remedy = found.remedy.unwrap();
        let named = "the filter `instance=\"{node}:10835\"` (as sent: `instance=\"gpu1:10835\"`) lets no heartbeat through";
        assert!(remedy.contains(named), "{remedy}");
        let plain = said("['severity=\"none\"']", &["severity=\"none\""], 0);
        assert!(!plain.remedy.unwrap().contains("as sent"));
        assert!(!said("[]", &[], 0).remedy.unwrap().contains("filter"));
        assert_eq!(said(filter, &["instance=\"gpu1:10835\""], 1).remedy, None);
    }
}
