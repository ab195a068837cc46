//! What alerts must call this node: an index, the whole node and the heartbeat mean it by name only.

use crate::web::heard;
use crate::web::node::Node;

use super::Finding;

const CHECK: &str = "node name";

pub(super) fn of(node: &Node) -> Finding {
    let called = heard::called(node);
    let detail = format!("alerts mean this node where instance or node says one of: {called}");
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

    use super::super::Status;

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
