//! Which GPU somebody means: by UUID, PCI address or index. Only ever compared with the GPUs that
//! are there; nothing from outside becomes a key of its own.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::device::Identity;
use crate::guard::Shared;

use super::refusal::Refusal;

/// The GPUs under guard.
pub(crate) struct Gpus(Vec<Arc<Identity>>);

impl Gpus {
    /// As last opened: MIG instances come and go.
    pub(crate) fn of(shared: &Shared) -> Self {
        let stations = shared.stations();
        let identities = stations.iter().map(|station| {
            station
                .latest()
                .map_or_else(|| station.identity.clone(), |tick| tick.identity.clone())
        });
        let mut gpus: Vec<_> = identities.collect();
        gpus.sort_by_key(|gpu| gpu.index);
        Self(gpus)
    }

    pub(crate) fn all(self) -> Vec<Arc<Identity>> {
        self.0
    }

    /// A card's own UUID, or that of one of its MIG instances.
    pub(crate) fn by_uuid(&self, uuid: &str) -> Option<Arc<Identity>> {
        let is = |own: &str| own.eq_ignore_ascii_case(uuid);
        self.find(|gpu| is(gpu.uuid.as_str()) || gpu.mig_uuids.iter().any(|mig| is(mig)))
    }

    pub(crate) fn by_pci(&self, address: &str) -> Option<Arc<Identity>> {
        let address = Pci::parse(address)?;
        self.find(|gpu| Pci::parse(&gpu.pci_bus_id) == Some(address))
    }

    pub(crate) fn by_index(&self, index: &str) -> Option<Arc<Identity>> {
        let index = index.parse::<u32>().ok()?;
        self.find(|gpu| gpu.index == index)
    }

    /// As operators say it: an index, a UUID, a PCI address, or `all`.
    pub(crate) fn named(self, name: &str) -> Result<Vec<Arc<Identity>>, Refusal> {
        if name == "all" && !self.0.is_empty() {
            return Ok(self.all());
        }
        let found = self
            .by_index(name)
            .or_else(|| self.by_uuid(name))
            .or_else(|| self.by_pci(name));
        match found {
            Some(gpu) => Ok(vec![gpu]),
            None => Err(self.unknown()),
        }
    }

    fn find(&self, is: impl Fn(&Identity) -> bool) -> Option<Arc<Identity>> {
        self.0.iter().find(|gpu| is(gpu)).cloned()
    }

    fn unknown(&self) -> Refusal {
        let known = self.0.iter();
        let known = known.map(|gpu| format!("{} = {} ({})", gpu.index, gpu.uuid, gpu.pci_bus_id));
        let known = known.collect::<Vec<_>>().join(", ");
        let reason = if known.is_empty() {
            "no such GPU: none is under guard".to_owned()
        } else {
            format!("no such GPU; under guard are {known}, or \"all\"")
        };
        Refusal::new(StatusCode::NOT_FOUND, reason)
    }
}

/// `[[domain]:]bus:device.function`, in the lengths that the tools print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pci {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl Pci {
    fn parse(text: &str) -> Option<Self> {
        let hex = |digits: &str| {
            let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
        };
        let (rest, slot) = text.rsplit_once(':')?;
        let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
        let (device, function) = slot.split_once('.')?;
        Some(Self {
            domain: hex(domain)?,
            bus: hex(bus)?.try_into().ok()?,
            device: hex(device)?.try_into().ok()?,
            function: hex(function)?.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pci_address_is_the_same_in_every_spelling() {
        let long = Pci::parse("00000000:0A:00.0");
        assert!(long.is_some());
        assert_eq!(Pci::parse("0000:0a:00.0"), long);
        assert_eq!(Pci::parse("0A:00.0"), long);
        assert_ne!(Pci::parse("0001:0a:00.0"), long);
        for nonsense in [
            "",
            ":",
            "0a:00",
            "x:00.0",
            "0:0:0:0.0",
            "+1:00.0",
            "1ff:00.0",
        ] {
            assert_eq!(Pci::parse(nonsense), None, "{nonsense}");
        }
    }
}
