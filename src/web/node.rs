//! Whether an alert is about this machine, by the labels that Prometheus put on it.
//!
//! Asked only where a label by itself could mean any machine's GPU (an index, a slot, the whole
//! node) and for heartbeats. A UUID needs no node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What this machine is called, and where it is reached.
#[derive(Clone, Debug, Default)]
pub struct Node {
    names: BTreeSet<String>,
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
const NAMES: [&str; 3] = ["node", "Hostname", "hostname"];

impl Node {
    pub fn new(name: &str, addresses: &[IpAddr], listen: &[SocketAddr]) -> Self {
        let listening = listen.iter().map(SocketAddr::ip);
        let addresses = addresses.iter().copied().chain(listening);
        Self {
            names: BTreeSet::from([name.trim().to_ascii_lowercase()]),
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

    /// The machine's own name, for people.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Any label that names this node is enough, because not all of them can: in a container, the
    /// machine's own name is not known. But a loopback address proves nothing against a name.
    pub(crate) fn judge(&self, labels: &BTreeMap<String, String>) -> Whose {
        let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
        let mut named = false;
        for name in NAMES {
            if let Some(value) = label(name) {
                named = true;
                if self.is_called(value) {
                    return Whose::Ours;
                }
            }
        }
        match label("instance").map(|instance| Instance::parse(instance)) {
            Some(instance) if self.is_at(&instance, named) => Whose::Ours,
            None if !named => Whose::Unsaid,
            _ => Whose::AnotherNodes,
        }
    }

    fn is_at(&self, instance: &Instance<'_>, named: bool) -> bool {
        let own_port = || instance.port.is_some_and(|port| self.ports.contains(&port));
        match instance.host.parse::<IpAddr>() {
            Ok(ip) if ip.is_loopback() => !named && own_port(),
            Ok(ip) => self.addresses.contains(&ip),
            Err(_) if instance.host.eq_ignore_ascii_case("localhost") => !named && own_port(),
            Err(_) => self.is_called(instance.host),
        }
    }

    /// The same name, or the same one with the domain left out on one side.
    fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.names.iter().any(|own| {
            let short = |long: &str, short: &str| {
                long.strip_prefix(short)
                    .is_some_and(|domain| domain.starts_with('.'))
            };
            !own.is_empty() && (*own == name || short(own, &name) || short(&name, own))
        })
    }
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
mod tests {
    use super::*;

    fn node() -> Node {
        let listen = ["0.0.0.0:10835".parse().unwrap()];
        Node::new("gpu1.example", &["10.0.0.5".parse().unwrap()], &listen)
    }

    fn judge(labels: &[(&str, &str)]) -> Whose {
        let labels = labels.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        node().judge(&labels.collect())
    }

    #[test]
    fn a_node_knows_its_names_and_addresses() {
        for instance in [
            "gpu1.example:10835",
            "GPU1:9400",
            "gpu1",
            "10.0.0.5:9400",
            "127.0.0.1:10835",
            "[::1]:10835",
            "localhost:10835",
        ] {
            assert_eq!(judge(&[("instance", instance)]), Whose::Ours, "{instance}");
        }
        assert_eq!(judge(&[("Hostname", "gpu1")]), Whose::Ours);
        let in_a_cluster = [("instance", "10.0.0.5:10835"), ("node", "worker-7")];
        assert_eq!(judge(&in_a_cluster), Whose::Ours);
    }

    #[test]
    fn another_node_is_not_this_one() {
        for instance in [
            "gpu10.example:10835",
            "gpu1.elsewhere:10835",
            "gp:10835",
            "10.0.0.6:10835",
            "127.0.0.1:9400",
            "localhost",
            "0.0.0.0:10835",
            ":10835",
            "x",
        ] {
            assert_eq!(
                judge(&[("instance", instance)]),
                Whose::AnotherNodes,
                "{instance}"
            );
        }
        let loopback_of_another = [("instance", "localhost:10835"), ("node", "gpu2")];
        assert_eq!(judge(&loopback_of_another), Whose::AnotherNodes);
        assert_eq!(judge(&[("job", "gpu1")]), Whose::Unsaid);
        assert_eq!(judge(&[("instance", "")]), Whose::Unsaid);
    }

    #[test]
    fn local_addresses_are_found_in_the_kernels_tables() {
        let trie = "Local:\n  +-- 10.0.0.0/24 2 0 2\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\n";
        assert_eq!(
            ipv4_addresses(trie),
            ["10.0.0.5".parse::<IpAddr>().unwrap()]
        );
        let v6 = "fe800000000000000042acfffe110002 02 40 20 80 eth0\n";
        assert_eq!(
            ipv6_addresses(v6),
            ["fe80::42:acff:fe11:2".parse::<IpAddr>().unwrap()]
        );
    }
}
