use super::*;

const CARD: &str = "GPU-5eedc0de-0000-4000-8000-0000000000a0";
const OTHER: &str = "GPU-5eedc0de-0000-4000-8000-0000000000a1";
const INSTANCE: &str = "MIG-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

fn gpus() -> Gpus {
    let mut gpus = Gpus::of_cards(&[(CARD, "00000000:0A:00.0"), (OTHER, "00000001:0A:00.0")]);
    Arc::make_mut(&mut gpus.0[1].1).instance_uuids = vec![INSTANCE.to_owned()];
    gpus
}

fn index(found: Option<Arc<Identity>>) -> Option<u32> {
    found.map(|gpu| gpu.index)
}

#[test]
fn a_uuid_is_the_same_in_every_spelling() {
    for spelling in [
        CARD.to_owned(),
        CARD.to_lowercase(),
        CARD.to_uppercase(),
        CARD.replace("GPU-", ""),
        CARD.replace("GPU-", "").to_uppercase(),
        CARD.replace("GPU-", "gpu-"),
        CARD.replace("GPU-", "").replace('-', ""),
        format!(" {CARD}\n"),
        format!("MIG-{CARD}/7/0"),
    ] {
        assert_eq!(index(gpus().by_uuid(&spelling)), Some(0), "{spelling}");
        assert!(is_uuid(&spelling), "{spelling}");
    }
    for instance in [INSTANCE, "aaaaaaaa-bbbb-cccc-dddd-EEEEEEEEEEEE"] {
        assert_eq!(index(gpus().by_uuid(instance)), Some(1), "{instance}");
    }
}

#[test]
fn another_uuid_is_none_of_ours() {
    for (text, uuid) in [
        ("", false),
        ("GPU-", true),
        ("-", false),
        ("unknown", false),
        ("GPU-5eedc0de-0000-4000-8000-0000000000a2", true),
        ("5eedc0de-0000-4000-8000-0000000000a2", true),
        ("5eedc0de-0000-4000-8000-0000000000a", false),
        ("MIG-5eedc0de-0000-4000-8000-0000000000a0", true),
        ("GPU-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", true),
        ("MIG-GPU-5eedc0de-0000-4000-8000-0000000000a2/7/0", true),
        ("éé-", false),
    ] {
        assert_eq!(index(gpus().by_uuid(text)), None, "{text}");
        assert_eq!(is_uuid(text), uuid, "{text}");
    }
}

#[test]
fn a_pci_address_is_the_same_in_every_spelling() {
    for spelling in [
        "00000000:0A:00.0",
        "0000:0a:00.0",
        "0A:00.0",
        "0a:00",
        " 0:a:0.0 ",
    ] {
        assert_eq!(index(gpus().by_pci(spelling)), Some(0), "{spelling}");
    }
    assert_eq!(index(gpus().by_pci("0001:0a:00.0")), Some(1));
    for nonsense in ["", ":", "x:00.0", "0:0:0:0.0", "+1:00.0", "1ff:00.0"] {
        assert_eq!(index(gpus().by_pci(nonsense)), None, "{nonsense}");
    }
}

#[test]
fn a_card_whose_index_went_to_another_has_none() {
    let mut gone = gpus();
    gone.0.swap(0, 1);
    (gone.0[0].0, gone.0[1].0) = (Some(0), None);
    let of = |name: &str| gone.by_index(name).map(|gpu| gpu.uuid.to_string());
    assert_eq!(of("0").as_deref(), Some(OTHER));
    assert_eq!(of("1"), None);
    let refused = gone.named("9").unwrap_err().to_string();
    assert!(refused.contains("0 = A100, GPU-5eedc0de-0000-4000-8000-0000000000a1"));
    assert!(refused.contains("- = A100, GPU-5eedc0de-0000-4000-8000-0000000000a0"));
}
