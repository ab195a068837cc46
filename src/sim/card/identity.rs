//! The identity of a simulated card.

use crate::device::{Identity, Uuid};
use crate::sim::profile::Profile;

pub(crate) fn identity(profile: &Profile, index: u32) -> Identity {
    Identity {
        uuid: Uuid::new(&format!("GPU-51300000-0000-4000-8000-{index:012}")),
        index,
        name: profile.name.to_owned(),
        pci_bus_id: format!("00000000:{:02X}:00.0", 0x10 + index * 0x10),
        serial: None,
        vbios_version: Some("simulated".to_owned()),
        driver_version: Some("simulated".to_owned()),
        architecture: Some(profile.architecture.to_owned()),
        brand: None,
        instance_uuids: Vec::new(),
    }
}
