//! Finds a GPU by UUID, PCI address or index. Names from outside are compared with the GPUs that are
//! there; they never become keys.
//!
//! A UUID and an address belong to a card for good. An index belongs to the card that the driver lists
//! under it now: a card that is gone doesn't keep its index from another.

use std::sync::Arc;

use crate::config::gpu_name::Listed;
use crate::config::{GpuNames, PciAddress, WrongName};
use crate::device::Identity;
use crate::guard::state::Shared;

/// The GPUs under guard, each with the index that it has now.
pub(crate) struct Gpus(Vec<(Option<u32>, Arc<Identity>)>);

impl Gpus {
    /// As last opened: MIG instances come and go.
    pub(crate) fn of(shared: &Shared) -> Self {
        let gpu_handles = shared.gpu_handles();
        let gpus = gpu_handles.iter().map(|gpu_handle| {
            let identity = gpu_handle.current_identity();
            (shared.index_of(&identity), identity)
        });
        let mut gpus: Vec<_> = gpus.collect();
        // GPUs without an index last.
        gpus.sort_by_key(|(index, _)| (index.is_none(), *index));
        Self(gpus)
    }

    /// By UUID and address, in the order of their indexes.
    #[cfg(test)]
    pub(crate) fn of_cards(cards: &[(&str, &str)]) -> Self {
        let card = |(index, (uuid, address)): (u32, &(&str, &str))| {
            let identity = Identity {
                uuid: crate::device::Uuid::new(uuid),
                index,
                name: "A100".to_owned(),
                pci_bus_id: (*address).to_owned(),
                serial: None,
                vbios_version: None,
                driver_version: None,
                architecture: None,
                brand: None,
                instance_uuids: Vec::new(),
            };
            (Some(index), Arc::new(identity))
        };
        Self((0..).zip(cards).map(card).collect())
    }

    pub(crate) fn all(self) -> Vec<Arc<Identity>> {
        self.0.into_iter().map(|(_, gpu)| gpu).collect()
    }

    /// A card's own UUID, or that of one of its MIG instances.
    pub(crate) fn by_uuid(&self, text: &str) -> Option<Arc<Identity>> {
        let wanted = Spelt::of(text);
        let is = |own: &str| Spelt::of(own).is(&wanted);
        let of_card = self.find(|gpu| is(gpu.uuid.as_str()));
        let of_instance = || self.find(|gpu| gpu.instance_uuids.iter().any(|mig| is(mig)));
        of_card.or_else(of_instance).or_else(|| {
            let card = card_of_instance(text)?;
            self.find(|gpu| Spelt::of(gpu.uuid.as_str()).is(&Spelt::of(card)))
        })
    }

    pub(crate) fn by_pci(&self, address: &str) -> Option<Arc<Identity>> {
        let address = PciAddress::parse(address.trim())?;
        self.find(|gpu| PciAddress::parse(&gpu.pci_bus_id) == Some(address))
    }

    pub(crate) fn by_index(&self, index: &str) -> Option<Arc<Identity>> {
        let index = index.trim().parse::<u32>().ok()?;
        let has = |(own, _): &&(Option<u32>, _)| *own == Some(index);
        self.0.iter().find(has).map(|(_, gpu)| gpu.clone())
    }

    /// By an operator's names: indexes, PCI addresses, UUIDs or their beginnings, with commas between
    /// them, or `all`.
    pub(crate) fn named(self, names: &str) -> Result<Vec<Arc<Identity>>, WrongName> {
        if names == "all" && !self.0.is_empty() {
            return Ok(self.all());
        }
        let mut chosen: Vec<Arc<Identity>> = Vec::new();
        for name in names.split(',') {
            let gpu = self.one(name.trim())?;
            if chosen.iter().all(|known| known.uuid != gpu.uuid) {
                chosen.push(gpu);
            }
        }
        Ok(chosen)
    }

    fn one(&self, name: &str) -> Result<Arc<Identity>, WrongName> {
        let exact = self
            .by_index(name)
            .or_else(|| self.by_uuid(name))
            .or_else(|| self.by_pci(name));
        if let Some(gpu) = exact {
            return Ok(gpu);
        }
        let listed: Vec<_> = self.0.iter().map(listed).collect();
        let found = match GpuNames::parse(name) {
            Ok(GpuNames::Listed(names)) => names.first().map(|name| name.find(&listed)),
            _ => None,
        };
        let place = found.unwrap_or_else(|| Err(WrongName::unknown(name, &listed)))?;
        Ok(self.0[place].1.clone())
    }

    fn find(&self, is: impl Fn(&Identity) -> bool) -> Option<Arc<Identity>> {
        let mut gpus = self.0.iter().map(|(_, gpu)| gpu);
        gpus.find(|gpu| is(gpu)).cloned()
    }
}

fn listed((index, gpu): &(Option<u32>, Arc<Identity>)) -> Listed<'_> {
    Listed {
        index: *index,
        ..Listed::from(gpu.as_ref())
    }
}

/// A UUID in any spelling: exporters leave out its prefix, or change its case.
#[derive(Debug)]
struct Spelt<'a> {
    /// `GPU` or `MIG`, if it is there.
    kind: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Spelt<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.trim();
        match text.split_at_checked(4) {
            Some((prefix, rest)) if is_prefix(prefix) => Self {
                kind: prefix.get(..3),
                rest,
            },
            _ => Self {
                kind: None,
                rest: text,
            },
        }
    }

    /// The same UUID, with or without dashes.
    fn is(&self, other: &Self) -> bool {
        let same_kind = match (self.kind, other.kind) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => true,
        };
        let digits = |text: &'a str| text.bytes().filter(|byte| *byte != b'-');
        let lower = |byte: u8| byte.to_ascii_lowercase();
        let (own, other) = (digits(self.rest), other.rest.bytes());
        let other = other.filter(|byte| *byte != b'-');
        same_kind && own.map(lower).eq(other.map(lower))
    }
}

fn is_prefix(text: &str) -> bool {
    ["GPU-", "MIG-"]
        .iter()
        .any(|prefix| prefix.eq_ignore_ascii_case(text))
}

/// Drivers before 470 name an instance by its card: `MIG-GPU-…/7/0`.
fn card_of_instance(text: &str) -> Option<&str> {
    let (mig, rest) = text.trim().split_at_checked(4)?;
    let (card, _) = rest.split_once('/')?;
    (mig.eq_ignore_ascii_case("MIG-") && is_named_uuid(card)).then_some(card)
}

/// A UUID with its prefix: `GPU-…`, `MIG-…`. Words such as `gpu-0` are none.
pub(crate) fn is_named_uuid(text: &str) -> bool {
    let named = text.trim().split_at_checked(4);
    named.is_some_and(|(prefix, rest)| is_prefix(prefix) && (is_hex(rest) || is_old_instance(rest)))
}

/// A UUID with or without its prefix, in a label that holds UUIDs. Words such as `unknown` are none.
pub(crate) fn is_uuid(text: &str) -> bool {
    let text = text.trim();
    is_hex(text) || text.get(..4).is_some_and(is_prefix)
}

/// 32 hex digits, with dashes anywhere.
fn is_hex(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| *byte != b'-');
    digits.clone().all(|byte| byte.is_ascii_hexdigit()) && digits.count() == 32
}

/// The part after `MIG-` in `MIG-GPU-…/7/0`.
fn is_old_instance(rest: &str) -> bool {
    let card = rest.split_once('/').map(|(card, _)| card);
    card.and_then(|card| card.split_at_checked(4))
        .is_some_and(|(prefix, digits)| is_prefix(prefix) && is_hex(digits))
}

#[cfg(test)]
mod tests;
