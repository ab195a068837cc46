//! Whether an alert is about this machine, by the labels that Prometheus put on it.
//!
//! Asked only where a label by itself could mean any machine's GPU (an index, a slot, the whole
//! node) and for heartbeats. A UUID needs no node.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::alert::Labels;

/// What this machine is called, and where it is reached.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What the kernel calls it; in a container that is the container's name.
    own: String,
    /// By the configuration, in lower case: what Prometheus calls it.
    called: Vec<String>,
    addresses: BTreeSet<IpAddr>,
    /// Ours, to know our own `localhost:10835` from another exporter's.
    ports: BTreeSet<u16>,
}

/// Whose an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    AnotherNodes,
    /// No label names a node.
    Unsaid,
}

/// Labels that hold a machine's name. `Hostname` is dcgm-exporter's.
pub(super) const NAMES: [&str; 3] = ["node", "Hostname", "hostname"];

/// Hold it sometimes, and other things as well: they only speak for us, never against.
const HINTS: [&str; 5] = [
    "exported_instance",
    "kubernetes_node",
    "node_name",
    "nodename",
    "host",
];

/// The target that Prometheus scraped.
pub(super) const INSTANCE: &str = "instance";

/// The labels that are asked for a machine.
#[cfg(test)]
pub(crate) fn looked_at() -> impl Iterator<Item = &'static str> {
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

    /// The same machine by these names, too.
    #[must_use]
    pub fn also(self, names: &[String]) -> Self {
        let called = names.iter().map(|name| name.trim().to_ascii_lowercase());
        Self {
            called: called.collect(),
            ..self
        }
    }

    /// Whether its own name is one that only a container has: twelve hex digits.
    pub fn is_container(&self) -> bool {
        let is_id = |name: &str| name.len() == 12 && name.bytes().all(|b| b.is_ascii_hexdigit());
        is_id(&self.own)
    }

    /// Names by the configuration.
    pub fn is_told(&self) -> bool {
        !self.called.is_empty()
    }

    /// The machine's own name, for people.
    pub fn name(&self) -> &str {
        &self.own
    }

    /// All that an alert may call it, for people.
    pub fn names(&self) -> Vec<String> {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let own = (!self.own.is_empty()).then(|| self.own.clone());
        let all = own.into_iter().chain(self.called.iter().cloned());
        all.chain(addresses).collect()
    }

    /// Any label that names this node is enough, because not all of them can: in a container, the
    /// machine's own name is not known. But a loopback address proves nothing against a name.
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
            // Too long to be any of ours.
            None if !named && !labels.is_too_long(INSTANCE) => Whose::Unsaid,
            _ => Whose::AnotherNodes,
        }
    }

    /// The label that names another node, where none names this one.
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

    /// The same name, or the same one with the domain left out on one side.
    fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let names = [&self.own].into_iter().chain(&self.called);
        names.filter(|own| !own.is_empty()).any(|own| {
            let without_port = Instance::parse(own).host;
            is_same(own, &name) || is_same(without_port, &name)
        })
    }
}

/// An address has dots, too, and no domain.
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
