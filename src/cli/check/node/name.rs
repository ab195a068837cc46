//! The names by which alerts can mean this node. Alerts with an index or `scope: node`, and heartbeats,
//! need one of them.

use crate::alerts::heard;
use crate::alerts::target::node::Node;

use crate::cli::check::finding::Finding;

const CHECK: &str = "node name";

pub(crate) fn of(node: &Node) -> Finding {
    let called = heard::called(node);
    let detail =
        format!("an alert is for this node if its label instance or node is one of: {called}");
    if node.is_container() && !node.is_told() {
        return Finding::warn(
            CHECK,
            format!("{detail}; the first is a container's"),
            "say what Prometheus calls the node, by node.names or docker run --hostname; without it, heartbeats and alerts by index are for somebody else",
        );
    }
    Finding::ok(CHECK, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::cli::check::finding::Status;

    #[test]
    fn a_containers_own_name_is_warned_of() {
        let container = Node::new("5f3c0a9b1d2e", &[], &[]);
        assert_eq!(of(&container).status, Status::Warn);
        let told = container.also(&["gpu1.example".to_owned()]);
        assert_eq!(of(&told).status, Status::Ok);
        assert!(of(&told).detail.contains("5f3c0a9b1d2e, gpu1.example"));
        assert_eq!(of(&Node::new("gpu1", &[], &[])).status, Status::Ok);
    }
}
