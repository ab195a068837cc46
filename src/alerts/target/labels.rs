//! The labels of an alert that the guard reads. Alerts also carry command lines, pods and owners, any
//! number of them and of any length: other labels are not kept, and can't make the guard lose an
//! alert.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Bytes of a label that the guard reads. No name, UUID or address is that long.
pub(crate) const MAX_VALUE: usize = 1024;

/// The action that an alert asks for. If it is too long, the alert can't be read; the guard doesn't
/// guess.
const ACTION: &str = "guard_action";

/// The same, if the operator maps severities to actions.
pub(crate) const SEVERITY: &str = "severity";

/// Hold a GPU's UUID. Exporters for GPUs and relabelling rules use these names; earlier ones are
/// preferred.
pub(crate) const UUIDS: [&str; 5] = ["uuid", "UUID", "gpu_uuid", "GPU_UUID", "gpuuuid"];

/// Hold a GPU's PCI address, and nothing else.
pub(crate) const ADDRESSES: [&str; 3] = ["pci_bus_id", "PCI_BUS_ID", "pci_id"];

/// Name a GPU by its index, UUID or address. A minor number (`nvidia0`) is no index: the two can
/// differ.
pub(crate) const CARDS: [&str; 3] = ["gpu", "GPU", "gpu_id"];

/// May name a GPU, a disk or a network card: an unknown value is not about a GPU.
pub(crate) const DEVICE: &str = "device";

/// May be the index of a GPU, or of anything else.
pub(crate) const INDEX: &str = "index";

/// `node`: all GPUs of the node.
pub(crate) const SCOPE: &str = "scope";

/// For people.
const NAME: &str = "alertname";

/// May name a machine; see [`super::node`].
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

/// The labels of an alert that the guard reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    kept: BTreeMap<&'static str, String>,
    /// Read, but too long to mean anything here.
    too_long: BTreeSet<&'static str>,
}

impl Labels {
    /// The names of all labels that the guard reads.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let of_gpus = UUIDS.iter().chain(&ADDRESSES).chain(&CARDS);
        let all = of_gpus.chain(&NODES).copied();
        all.chain([DEVICE, INDEX, ACTION, SEVERITY, SCOPE, NAME])
    }

    /// `None`: no sender of alerts writes such labels, or the action is too long to read.
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

    /// `None` if it is missing or empty: to Prometheus, an empty label is a missing one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.kept.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The same, but an empty label is there.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.kept.get(name).map(String::as_str)
    }

    /// The labels of `names` that are there, in that order.
    pub(crate) fn all<'a>(
        &'a self,
        names: &'a [&'static str],
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        let given = |name: &&'static str| self.get(name).map(|value| (*name, value));
        names.iter().filter_map(given)
    }

    /// The alert's name, for people.
    pub(crate) fn name(&self) -> &str {
        self.get(NAME).unwrap_or_default()
    }

    /// Whether that label is there, and too long to mean anything here.
    pub(crate) fn is_too_long(&self, name: &str) -> bool {
        self.too_long.contains(name)
    }

    /// Labels that are too long to mean anything here.
    pub(crate) fn too_long(&self) -> impl Iterator<Item = &'static str> {
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
    fn other_labels_are_not_kept_whatever_their_length() {
        let long = |length| "x".repeat(length);
        let mut labels = json!({"uuid": "GPU-a", "pod": long(400_000), "alertname": long(2000)});
        for n in 0..1000 {
            labels[format!("l{n}")] = json!("x");
        }
        let read = read(&labels).unwrap();
        assert_eq!(read, Labels::from([("uuid", "GPU-a")]));
        assert!(Labels::names().count() < 64);
    }

    #[test]
    fn every_label_that_may_name_a_machine_is_kept() {
        for name in crate::alerts::target::node::labels() {
            assert!(NODES.contains(&name), "{name}");
        }
        assert_eq!(crate::alerts::target::node::labels().count(), NODES.len());
    }

    #[test]
    fn a_label_has_a_longest_value() {
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
