use super::*;

const NODE: (&str, &str) = ("instance", "n1:10835");

fn gpus() -> Gpus {
    Gpus::of_cards(&[("GPU-a", "00000000:0A:00.0"), ("GPU-b", "00000000:0B:00.0")])
}

fn aimed<const N: usize>(labels: [(&'static str, &str); N]) -> Result<Aim, Miss> {
    let node = Node::new("n1", &[], &[]);
    aim(&Labels::from(labels), gpus(), &node)
}

#[expect(clippy::unnecessary_wraps, reason = "what is compared with is one")]
fn at(uuid: &str, against: Option<&'static str>) -> Result<Aim, Miss> {
    Ok(Aim {
        gpus: vec![Uuid::new(uuid)],
        against,
    })
}

#[test]
fn a_known_uuid_decides_whatever_the_other_labels_say() {
    for name in UUIDS.into_iter().chain(CARDS).chain([DEVICE]) {
        assert_eq!(aimed([(name, "gpu-A")]), at("GPU-a", None), "{name}");
    }
    for (name, value) in [
        ("gpu", "1"),
        ("gpu", "9"),
        ("pci_bus_id", "0000:0b:00.0"),
        ("pci_bus_id", "0000:0f:00.0"),
        ("UUID", "GPU-b"),
        ("gpu_uuid", "GPU-of-another"),
        ("instance", "n2:9400"),
        ("Hostname", "a-pod"),
    ] {
        let beside = aimed([("uuid", "GPU-a"), (name, value)]);
        assert_eq!(beside, at("GPU-a", Some(name)), "{name}={value}");
    }
    for (name, value) in [
        ("gpu", "0"),
        ("gpu", "nvidia7"),
        ("pci_bus_id", "0a:00.0"),
        NODE,
    ] {
        let beside = aimed([("uuid", "GPU-a"), (name, value)]);
        assert_eq!(beside, at("GPU-a", None), "{name}={value}");
    }
}

#[test]
fn a_uuid_that_is_not_ours_decides_against() {
    for (name, value) in [
        ("uuid", "GPU-of-another"),
        ("gpu", "GPU-5eedc0de-0000-4000-8000-0000000000a0"),
        ("uuid", "5eedc0de-0000-4000-8000-0000000000a0"),
    ] {
        let beside = aimed([
            (name, value),
            ("pci_bus_id", "0a:00.0"),
            ("index", "0"),
            NODE,
        ]);
        assert_eq!(beside, Err(Miss::ForeignUuid), "{name}={value}");
    }
}

#[test]
fn a_label_that_may_mean_something_else_hides_no_other() {
    for device in ["gpu-0", "gpu-3", "0000:af:00.0", "sda", "mlx5_0", "7"] {
        let slot = aimed([("pci_bus_id", "0a:00.0"), ("device", device)]);
        assert_eq!(slot, at("GPU-a", None), "{device}");
        let index = aimed([("gpu", "1"), ("device", device), NODE]);
        assert_eq!(index, at("GPU-b", None), "{device}");
        let node = aimed([("scope", "node"), ("device", device), ("index", "7"), NODE]);
        assert_eq!(node.map(|aim| aim.gpus.len()), Ok(2), "{device}");
    }
    let beside = aimed([("gpu", "9"), ("index", "0"), NODE]);
    assert_eq!(
        beside,
        Err(Miss::NoSuchIndex),
        "the one that means GPUs decides"
    );
    assert_eq!(aimed([("index", "0"), NODE]), at("GPU-a", None));
}

#[test]
fn a_value_that_is_no_uuid_hides_no_address_and_no_index() {
    for (name, value) in [
        ("uuid", "unknown"),
        ("device", "nvidia0"),
        ("GPU", "NVIDIA H100"),
    ] {
        let beside = aimed([(name, value), ("pci_bus_id", "0a:00.0")]);
        assert_eq!(beside, at("GPU-a", None), "{name}={value}");
        let beside = aimed([(name, value), ("index", "1"), NODE]);
        assert_eq!(beside, at("GPU-b", None), "{name}={value}");
    }
    // A disk's, perhaps.
    let disk = ("device", "5eedc0de-0000-4000-8000-0000000000a0");
    assert_eq!(aimed([disk, ("gpu", "1"), NODE]), at("GPU-b", None));
}

#[test]
fn an_address_of_ours_decides_against_an_index_and_not_against_a_node() {
    let address = ("pci_bus_id", "0b:00.0");
    assert_eq!(aimed([address, ("gpu", "0")]), at("GPU-b", Some("gpu")));
    assert_eq!(aimed([("device", "0b:00.0")]), at("GPU-b", None));
    let elsewhere = [address, ("instance", "n2:9400")];
    assert_eq!(aimed(elsewhere), Err(Miss::AnotherNode));
    let unknown = [("pci_bus_id", "0c:00.0"), ("gpu", "0"), NODE];
    assert_eq!(aimed(unknown), Err(Miss::ForeignAddress));
}

#[test]
fn why_nothing_is_meant_is_known() {
    assert_eq!(aimed([("gpu", "0")]), Err(Miss::WhichNode));
    assert_eq!(aimed([("gpu", "7"), NODE]), Err(Miss::NoSuchIndex));
    assert_eq!(aimed([("gpu", "-1"), NODE]), Err(Miss::NoSuchIndex));
    let elsewhere = ("instance", "n2:9400");
    assert_eq!(aimed([("gpu", "0"), elsewhere]), Err(Miss::AnotherNode));
    assert_eq!(
        aimed([("gpu", "nvidia0"), elsewhere]),
        Err(Miss::AnotherNode)
    );
    assert_eq!(aimed([(SCOPE, "node"), elsewhere]), Err(Miss::AnotherNode));
    assert_eq!(aimed([NODE]), Err(Miss::Nothing));
    assert_eq!(aimed([(SCOPE, "fleet"), NODE]), Err(Miss::Nothing));
}
