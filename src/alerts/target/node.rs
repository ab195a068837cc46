//! Whether an alert is about this machine, by the labels that Prometheus put on it.
//!
//! This matters only for heartbeats, and if a label by itself could mean a GPU of any machine (an
//! index, a PCI address, the whole node). A UUID needs no node.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::labels::Labels;

/// The names and addresses of this machine.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The kernel's host name; in a container that is the container's name.
    own: String,
    /// Names from the configuration, in lower case: Prometheus may use these.
    called: Vec<String>,
    addresses: BTreeSet<IpAddr>,
    /// The guard's ports, which tell its `localhost:10835` from another exporter's.
    ports: BTreeSet<u16>,
}

/// The node that an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    AnotherNodes,
    /// No label names a node.
    Unsaid,
}

/// Labels that hold a machine's name. `Hostname` is dcgm-exporter's.
pub(crate) const NAMES: [&str; 3] = ["node", "Hostname", "hostname"];

/// Sometimes hold a machine's name, sometimes other things: they may name this node, but never rule it
/// out.
const HINTS: [&str; 5] = [
    "exported_instance",
    "kubernetes_node",
    "node_name",
    "nodename",
    "host",
];

/// The target that Prometheus scraped.
pub(crate) const INSTANCE: &str = "instance";

/// The labels that may name a machine.
#[cfg(test)]
pub(crate) fn labels() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().chain(HINTS).chain([INSTANCE])
}

impl Node {
    pub fn new(name: &str, addresses: &[IpAddr], listen: &[SocketAddr]) -> Self {
        let listening = listen.iter().map(SocketAddr::ip);
        let addresses = addresses.iter().copied().chain(listening);
        Self {
            own: name.trim().to_ascii_lowercase(),
            called: Vec::new(),
            addresses: addresses
                .filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
                .collect(),
            ports: listen.iter().map(SocketAddr::port).collect(),
        }
    }

    /// This machine (or container): the kernel's host name and addresses.
    pub fn this_machine(listen: &[SocketAddr]) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let mut addresses = ipv4_addresses(&read("/proc/net/fib_trie"));
        addresses.extend(ipv6_addresses(&read("/proc/net/if_inet6")));
        Self::new(&read("/proc/sys/kernel/hostname"), &addresses, listen)
    }

    /// The same machine, with these names from the configuration.
    #[must_use]
    pub fn also(self, names: &[String]) -> Self {
        let called = names.iter().map(|name| name.trim().to_ascii_lowercase());
        Self {
            called: called.collect(),
            ..self
        }
    }

    /// Whether its host name looks like a container's: twelve hex digits.
    pub fn is_container(&self) -> bool {
        let is_id = |name: &str| name.len() == 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
        is_id(&self.own)
    }

    /// Whether the configuration gives it names.
    pub fn is_told(&self) -> bool {
        !self.called.is_empty()
    }

    /// The host name, for people.
    pub fn name(&self) -> &str {
        &self.own
    }

    /// All names that an alert may use for it, for people.
    pub fn names(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let own = (!self.own.is_empty()).then(|| self.own.clone());
        let all = own.into_iter().chain(self.called.iter().cloned());
        all.chain(addresses).collect()
    }

    /// One label that names this node is enough, because not all of them can: in a container, the
    /// machine's own name is unknown. But a loopback address doesn't outweigh another name.
    pub(crate) fn judge(&self, labels: &Labels) -> Whose {
        let given = |name: &&str| labels.get(name);
        let named = NAMES.iter().any(|name| labels.get(name).is_some());
        let mut all = NAMES.iter().chain(&HINTS).filter_map(given);
        if all.any(|name| self.is_called(name) || self.is_called(Instance::parse(name).host)) {
            return Whose::Ours;
        }
        let instance = labels.get(INSTANCE);
        let at = |instance| self.is_at(&Instance::parse(instance), named);
        match instance {
            Some(instance) if self.is_called(instance) || at(instance) => Whose::Ours,
            // A label that is too long names another node.
            None if !named && !labels.is_too_long(INSTANCE) => Whose::Unsaid,
            _ => Whose::AnotherNodes,
        }
    }

    /// Whether a heartbeat may be for this node. One that names no node speaks for the chain to all.
    pub(crate) fn may_be_meant(&self, labels: &Labels) -> bool {
        self.judge(labels) != Whose::AnotherNodes
    }

    /// The label that names another node, if none names this one.
    pub(crate) fn contradicted_by(&self, labels: &Labels) -> Option<&'static str> {
        let mut all = [INSTANCE].into_iter().chain(NAMES);
        let name = all.find(|name| labels.get(name).is_some());
        name.filter(|_| self.judge(labels) == Whose::AnotherNodes)
    }

    fn is_at(&self, instance: &Instance<'_>, named: bool) -> bool {
        let own_port = || instance.port.is_some_and(|port| self.ports.contains(&port));
        match instance.host.parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => !named && own_port(),
            Ok(ip) => self.addresses.contains(&ip) || self.is_called(instance.host),
            Err(_) if instance.host.eq_ignore_ascii_case("localhost") => !named && own_port(),
            Err(_) => self.is_called(instance.host),
        }
    }

    /// The same name, perhaps without the domain on one side.
    fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let names = [&self.own].into_iter().chain(&self.called);
        names.filter(|own| !own.is_empty()).any(|own| {
            let without_port = Instance::parse(own).host;
            is_same(own, &name) || is_same(without_port, &name)
        })
    }
}

/// An address has dots too, but no domain.
fn is_same(own: &str, name: &str) -> bool {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let short = |long: &str, short: &str| {
        let domain = long.strip_prefix(short);
        domain.is_some_and(|domain| domain.starts_with('.'))
            && !short.is_empty()
            && !is_address(long)
    };
    own == name || short(own, name) || short(name, own)
}

/// `host:port`, as Prometheus writes a target.
struct Instance<'a> {
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Instance<'a> {
    fn parse(instance: &'a str) -> Self {
        let split = instance.rsplit_once(':');
        let (host, port) = match split.map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port))
            }
            _ => (instance, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Self { host, port }
    }
}

/// Local addresses in the kernel's routing table: a line with the address, then one that says
/// `/32 host LOCAL`.
fn ipv4_addresses(fib_trie: &str) -> Vec<IpAddr> {
    let mut found = BTreeSet::new();
    let mut last = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<IpAddr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last);
        }
    }
    found.into_iter().collect()
}

/// First column of every line: 32 hex digits.
fn ipv6_addresses(if_inet6: &str) -> Vec<IpAddr> {
    let columns = if_inet6.lines().filter_map(|line| line.split(' ').next());
    columns
        .filter_map(|hex| u128::from_str_radix(hex, 16).ok())
        .map(|bits| IpAddr::from(Ipv6Addr::from(bits)))
        .collect()
}

#[cfg(test)]
mod tests;
