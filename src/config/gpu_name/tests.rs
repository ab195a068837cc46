use super::*;

const GPUS: [Listed<'static>; 3] = [
    listed(
        0,
        "GPU-51300000-0000-4000-8000-000000000000",
        "00000000:10:00.0",
    ),
    listed(
        1,
        "GPU-51300000-0000-4000-8000-000000000001",
        "00000000:20:00.0",
    ),
    listed(
        2,
        "GPU-a0b1c2d3-0000-4000-8000-000000000001",
        "00000001:20:00.0",
    ),
];

const fn listed(index: u32, uuid: &'static str, pci_bus_id: &'static str) -> Listed<'static> {
    Listed {
        index: Some(index),
        uuid,
        pci_bus_id,
        product: "NVIDIA L40S",
    }
}

fn found(text: &str) -> Result<Vec<usize>, String> {
    match GpuNames::parse(text)? {
        GpuNames::All => Ok((0..GPUS.len()).collect()),
        GpuNames::Listed(names) => {
            let places = names.iter().map(|name| name.find(&GPUS));
            places
                .collect::<Result<_, _>>()
                .map_err(|it| it.to_string())
        }
    }
}

#[test]
fn a_name_is_an_index_an_address_a_uuid_or_its_beginning() {
    for (text, places) in [
        ("all", &[0, 1, 2][..]),
        ("1", &[1]),
        ("2, 0", &[2, 0]),
        ("10:00.0", &[0]),
        ("0001:20:00.0", &[2]),
        ("GPU-51300000-0000-4000-8000-000000000001", &[1]),
        ("gpu-a", &[2]),
        ("A0B1", &[2]),
        ("a0b1c2d30000", &[2]),
        ("51300000-0000-4000-8000-000000000000,GPU-a0", &[0, 2]),
    ] {
        assert_eq!(found(text).as_deref(), Ok(places), "{text}");
    }
}

#[test]
fn a_name_of_several_or_none_is_answered_with_the_gpus_there_are() {
    let several = found("GPU-5130").unwrap_err();
    assert!(several.contains("0 = NVIDIA L40S, GPU-51300000") && several.contains("1 = "));
    assert!(!several.contains("2 = "), "{several}");
    for unknown in ["7", "GPU-b", "30:00.0"] {
        let said = found(unknown).unwrap_err();
        assert!(
            said.contains("no such GPU") && said.contains("2 = "),
            "{said}"
        );
    }
}

/// `5` is an index, though a UUID begins with it.
#[test]
fn a_number_is_an_index_and_a_word_no_name() {
    assert!(found("5").unwrap_err().contains("no such GPU"));
    for word in ["", "V100", "first", "0,", "GPU-", "a0b", "MIG-a0b1"] {
        assert!(GpuNames::parse(word).is_err(), "{word}");
    }
}
