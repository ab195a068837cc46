use super::*;

fn node() -> Node {
    let listen = ["0.0.0.0:10835".parse().unwrap()];
    Node::new("gpu1.example", &["10.0.0.5".parse().unwrap()], &listen)
}

fn judge(labels: &[(&str, &str)]) -> Whose {
    node().judge(&of(labels))
}

fn of(labels: &[(&str, &str)]) -> Labels {
    let labels: serde_json::Map<_, _> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    Labels::read(&labels).unwrap()
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
fn a_node_has_the_names_of_the_configuration() {
    let called = ["Rack7/gpu1", "192.0.2.7", "gpu9.example:10835"].map(str::to_owned);
    let node = Node::new("5f3c0a9b1d2e", &[], &[]).also(&called);
    for instance in [
        "rack7/gpu1",
        "192.0.2.7:10835",
        "gpu9.example:10835",
        "gpu9:9400",
        "5f3c0a9b1d2e",
    ] {
        let judged = node.judge(&of(&[("instance", instance)]));
        assert_eq!(judged, Whose::Ours, "{instance}");
    }
    for instance in ["192:1", "192.0.2.77:10835", "rack7", "gpu1:10835", "10835"] {
        let judged = node.judge(&of(&[("instance", instance)]));
        assert_eq!(judged, Whose::AnotherNodes, "{instance}");
    }
    assert_eq!(node.name(), "5f3c0a9b1d2e");
    assert_eq!(node.names().len(), 4);
}

#[test]
fn a_hint_speaks_for_us_and_never_against() {
    for name in HINTS {
        assert_eq!(judge(&[(name, "gpu1"), ("instance", "x:1")]), Whose::Ours);
        assert_eq!(
            judge(&[(name, "gpu2"), ("instance", "gpu1:1")]),
            Whose::Ours
        );
        assert_eq!(judge(&[(name, "gpu1.example:9100")]), Whose::Ours);
        assert_eq!(judge(&[(name, "gpu2")]), Whose::Unsaid);
    }
    let beside = of(&[("instance", "x:1"), ("node", "y")]);
    assert_eq!(node().contradicted_by(&beside), Some("instance"));
    let ours = of(&[("instance", "x:1"), ("node", "gpu1")]);
    assert_eq!(node().contradicted_by(&ours), None);
}

#[test]
fn an_instance_that_is_too_long_is_another_nodes() {
    let long = "x".repeat(5000);
    assert_eq!(judge(&[("instance", &long)]), Whose::AnotherNodes);
    assert_eq!(judge(&[("instance", &long), ("node", "gpu1")]), Whose::Ours);
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
