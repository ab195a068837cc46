//! The nodes to print configuration for, as Prometheus addresses them. Routes match this address, the
//! label `instance` of their alerts.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::cli::log;
use crate::disk;

use super::hostlist::{self, MOST_NODES};
use super::pace::{GENTLE_FROM, Pace, PaceName};

/// Default port of a guard.
pub(crate) const GUARD_PORT: u16 = 10835;

/// Printed if no node is given: an example to edit.
const EXAMPLE: &str = "n1.example";

/// Room for that many of the longest names.
const LONGEST_FILE: u64 = 4 << 20;

#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// Address at which Prometheus scrapes a guard, port 10835 by default; repeatable, separated by
    /// commas, or as gpu[01-60] [default: n1.example:10835, an example].
    #[arg(long = "node", value_name = "HOST[:PORT]", value_parser = NodeList::parse)]
    named: Vec<NodeList>,

    /// File with a node, or several, on each line; # starts a comment.
    #[arg(long = "nodes-file", value_name = "PATH")]
    file: Option<PathBuf>,

    /// Intervals: tuned is fast, gentle is for hundreds of nodes [default: gentle from 50 nodes on].
    #[arg(long, value_enum)]
    pace: Option<PaceName>,
}

/// All nodes, each once, and their pace.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Node>,
    pub(crate) pace: Pace,
}

impl Nodes {
    pub(crate) fn fleet(&self) -> anyhow::Result<Fleet> {
        self.fleet_or(&format!("this is for {EXAMPLE}:{GUARD_PORT}, an example"))
    }

    /// For what names no node: those that are given must still be some.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.file.is_some() || !self.named.is_empty() {
            self.fleet()?;
        }
        Ok(())
    }

    /// For what depends on the number of nodes, and not on their names.
    pub(crate) fn fleet_by_number(&self) -> anyhow::Result<Fleet> {
        self.fleet_or(&format!("this is for up to {} nodes", GENTLE_FROM - 1))
    }

    /// `example`: what comes of it if no node is named.
    fn fleet_or(&self, example: &str) -> anyhow::Result<Fleet> {
        let named = self.named.iter();
        let mut nodes: Vec<Node> = named.flat_map(|list| list.0.clone()).collect();
        if let Some(path) = &self.file {
            let listed = read(path).and_then(|text| parse_lines(&text));
            nodes.extend(listed.with_context(|| format!("--nodes-file={}", path.display()))?);
        } else if nodes.is_empty() {
            log::remark(&format!("thermal-guard: no --node, so {example}"));
            nodes.push(Node::new(EXAMPLE, GUARD_PORT)?);
        }
        ensure!(
            !nodes.is_empty(),
            "no node: --nodes-file has none; wanted: one on each line"
        );
        let count = nodes.len();
        ensure!(
            count <= MOST_NODES,
            "{count} nodes; up to {MOST_NODES} can be"
        );
        let mut seen = BTreeSet::new();
        for node in &nodes {
            let new = seen.insert(node.to_string().to_ascii_lowercase());
            ensure!(new, "{node} is there twice; name each node once");
        }
        let pace = self.pace.map_or_else(|| Pace::of(count), PaceName::pace);
        Ok(Fleet { nodes, pace })
    }
}

/// Nodes of one word.
#[derive(Clone, Debug)]
struct NodeList(Vec<Node>);

impl NodeList {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let names = hostlist::names(text)?.into_iter();
        names
            .map(|name| name.parse())
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    // A pipe is welcome here, unlike in the guard: `--nodes-file=<(…)`, `--nodes-file=/dev/stdin`.
    Ok(disk::text(disk::whole(File::open(path)?, LONGEST_FILE)?)?)
}

fn parse_lines(text: &str) -> anyhow::Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let said = line.split('#').next().unwrap_or_default().trim();
        if !said.is_empty() {
            let list = NodeList::parse(said);
            nodes.extend(list.with_context(|| format!("line {number}"))?.0);
        }
    }
    Ok(nodes)
}

/// `host:port`. The host is a name, an IPv4 address, or an IPv6 address in brackets, so that nothing
/// in it means anything in YAML, in a URL or in a regular expression but dots and brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Node {
    fn new(host: &str, port: u16) -> anyhow::Result<Self> {
        ensure!(port != 0, "port 0 is none");
        ensure!(is_host(host), "{host:?} is no host name and no address");
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    pub(crate) fn parse(text: &str, default_port: u16) -> anyhow::Result<Self> {
        if text.contains("://") || text.contains('/') {
            bail!("{text:?}: a node is HOST or HOST:PORT, without http:// and path");
        }
        // The colons of an IPv6 address are inside its brackets.
        let split = text.rsplit_once(':');
        let node = match split.filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => {
                let number = port.parse();
                let number = number.with_context(|| format!("{port:?} is no port"));
                number.and_then(|number| Self::new(host, number))
            }
            None => Self::new(text, default_port),
        };
        let accepted = "wanted: HOST[:PORT], such as gpu1.example:10835 or [fd00::1]:10835";
        node.with_context(|| format!("bad node {text:?}, {accepted}"))
    }
}

impl FromStr for Node {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Self::parse(text, GUARD_PORT)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn is_host(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Some(address) = bracketed {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    host.parse::<Ipv4Addr>().is_ok() || is_name(host)
}

/// Labels as DNS has them, and `_`, which container networks use. A name of digits and dots alone
/// is a mistyped address.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    name.len() <= 253 && name.split('.').all(label) && !name.chars().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_name_or_an_address_with_or_without_a_port() {
        for (text, wanted) in [
            ("gpu1", "gpu1:10835"),
            ("gpu-1.dc1.example:9000", "gpu-1.dc1.example:9000"),
            ("gpu_1", "gpu_1:10835"),
            ("10.0.0.5", "10.0.0.5:10835"),
            ("[fd00::1]", "[fd00::1]:10835"),
            ("[fd00::1]:443", "[fd00::1]:443"),
        ] {
            assert_eq!(text.parse::<Node>().unwrap().to_string(), wanted);
        }
    }

    #[test]
    fn what_could_mean_something_else_elsewhere_is_no_node() {
        for text in [
            "",
            " ",
            ":10835",
            "a:b",
            "a:0",
            "a:70000",
            "a:1:2",
            "http://a",
            "a/b",
            "a b",
            "a'b",
            "a\"b",
            "a{b",
            "a|b",
            ".*",
            "a..b",
            "-a",
            "a-",
            "10.0.0.300",
            "fd00::1",
            "[fd00::1",
            "[x]",
            "a\nb",
            "ä",
        ] {
            assert!(text.parse::<Node>().is_err(), "{text:?}");
        }
        assert!("a".repeat(64).parse::<Node>().is_err());
    }

    #[test]
    fn a_list_may_have_comments_and_a_mistake_in_it_has_its_line() {
        let nodes = parse_lines("# rack 1\n gpu1 \n\ngpu2:9000 # odd\n").unwrap();
        assert_eq!(nodes.len(), 2);
        let error = format!("{:#}", parse_lines("gpu1\ngpu 2\n").unwrap_err());
        assert!(error.starts_with("line 2: bad node \"gpu 2\""), "{error}");
    }
}
