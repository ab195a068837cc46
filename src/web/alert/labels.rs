//! The labels of an alert that this guard looks at. Alerts carry command lines, pods and owners as
//! well, as many and as long as somebody likes: what isn't looked at is not kept, and can't cost an
//! alert.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Bytes of a label that is looked at. No name, UUID or address of ours is that long.
pub(crate) const MAX_VALUE: usize = 1024;

/// What an alert asks for. One that is too long can't be read, and no guess is made.
const ACTION: &str = "guard_action";

/// The same, where the operator says so.
pub(super) const SEVERITY: &str = "severity";

/// Hold a GPU's UUID: what exporters for GPUs and relabellings call it, in the order in which they
/// are believed.
pub(super) const UUIDS: [&str; 5] = ["uuid", "UUID", "gpu_uuid", "GPU_UUID", "gpuuuid"];

/// Hold its PCI address, and nothing else.
pub(super) const ADDRESSES: [&str; 3] = ["pci_bus_id", "PCI_BUS_ID", "pci_id"];

/// Name a GPU in whatever way: its index, or what lasts longer. A minor number (`nvidia0`) is no
/// index: the two can differ.
pub(super) const CARDS: [&str; 3] = ["gpu", "GPU", "gpu_id"];

/// May name a GPU, and disks and network cards as well: what isn't ours there says nothing.
pub(super) const DEVICE: &str = "device";

/// May be a GPU's index, or of anything else.
pub(super) const INDEX: &str = "index";

/// The whole node.
pub(super) const SCOPE: &str = "scope";

/// Only shown.
const NAME: &str = "alertname";

/// Where [`crate::web::node`] looks for a machine.
const NODES: [&str; 9] = [
    "node",
    "Hostname",
    "hostname",
    "instance",
    "exported_instance",
    "kubernetes_node",
    "node_name",
    "nodename",
    "host",
];

/// Those of an alert's labels that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    kept: BTreeMap<&'static str, String>,
    /// Looked at, and too long to be anything of ours.
    too_long: BTreeSet<&'static str>,
}

impl Labels {
    /// All names that are looked at.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let of_gpus = UUIDS.iter().chain(&ADDRESSES).chain(&CARDS);
        let all = of_gpus.chain(&NODES).copied();
        all.chain([DEVICE, INDEX, ACTION, SEVERITY, SCOPE, NAME])
    }

    /// `None`: no sender of alerts writes such labels, or what the alert asks for can't be read.
    pub(crate) fn read(labels: &Map<String, Value>) -> Option<Self> {
        if !labels.values().all(Value::is_string) {
            return None;
        }
        let mut read = Self::default();
        for name in Self::names() {
            let Some(value) = labels.get(name).and_then(Value::as_str) else {
                continue;
            };
            if value.len() <= MAX_VALUE {
                read.kept.insert(name, value.to_owned());
            } else if name == ACTION {
                return None;
            } else if name != NAME {
                read.too_long.insert(name);
            }
        }
        Some(read)
    }

    /// Where it is there and not empty: to Prometheus, an empty label is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.kept.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Also where it is empty.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.kept.get(name).map(String::as_str)
    }

    /// Those of `names` that are there, in that order.
    pub(super) fn all<'a>(
        &'a self,
        names: &'a [&'static str],
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let given = |name: &&'static str| self.get(name).map(|value| (*name, value));
        names.iter().filter_map(given)
    }

    /// The alert's name, for people.
    pub(super) fn name(&self) -> &str {
        self.get(NAME).unwrap_or_default()
    }

    /// Whether that label is there, and can't mean anything here for its length.
    pub(crate) fn is_too_long(&self, name: &str) -> bool {
        self.too_long.contains(name)
    }

    /// Labels whose value can't mean anything here for its length.
    pub(super) fn too_long(&self) -> impl Iterator<Item = &'static str> {
        self.too_long.iter().copied()
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&'static str, &str); N]> for Labels {
    fn from(labels: [(&'static str, &str); N]) -> Self {
        let kept = labels.map(|(name, value)| (name, value.to_owned()));
        Self {
            kept: kept.into(),
            too_long: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    fn read(labels: &Value) -> Option<Labels> {
        Labels::read(labels.as_object().unwrap())
    }

    #[test]
    fn what_is_not_looked_at_is_not_kept_however_much_it_is() {
        let long = |length| "x".repeat(length);
        let mut labels = json!({"uuid": "GPU-a", "pod": long(400_000), "alertname": long(2000)});
        for n in 0..1000 {
            labels[format!("l{n}")] = json!("x");
        }
        let read = read(&labels).unwrap();
        assert_eq!(read, Labels::from([("uuid", "GPU-a")]));
        assert!(Labels::names().count() < 64);
    }

    /// Whoever asks for another one would never find it.
    #[test]
    fn where_a_machine_is_looked_for_is_looked_at() {
        for name in crate::web::node::looked_at() {
            assert!(NODES.contains(&name), "{name}");
        }
        assert_eq!(crate::web::node::looked_at().count(), NODES.len());
    }

    #[test]
    fn a_label_that_is_looked_at_has_a_longest_value() {
        let of = |name: &str, length| read(&json!({ name: "x".repeat(length) }));
        let longest = of("uuid", MAX_VALUE).unwrap();
        assert!(longest.get("uuid").is_some() && !longest.is_too_long("uuid"));
        let longer = of("uuid", MAX_VALUE + 1).unwrap();
        assert!(longer.get("uuid").is_none() && longer.is_too_long("uuid"));
        assert_eq!(of("guard_action", MAX_VALUE + 1), None);
        let severe = of("severity", MAX_VALUE + 1).unwrap();
        assert!(severe.is_too_long("severity"), "it may not matter");
        assert_eq!(
            of("alertname", MAX_VALUE + 1).unwrap().too_long().count(),
            0
        );
        assert_eq!(read(&json!({"pod": 7})), None);
    }
}
