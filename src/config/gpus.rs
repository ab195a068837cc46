//! Which GPUs the configuration selects: by UUID, by PCI bus id or by NVML index.

use std::fmt;

use serde_json::Value;

use crate::device::{Identity, factory};

use super::tree::shown::quoted;
use super::tree::value::{Wrong, integer, list};

const ACCEPTED: &str =
    "all, or a list of UUIDs (GPU-...), PCI bus ids (00000000:65:00.0) or indexes";

/// No node has more GPUs.
const MAX_INDEX: u32 = 1023;

/// A choice of GPUs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum GpuSelection {
    #[default]
    All,
    /// Never empty.
    Listed(Vec<GpuRef>),
}

impl GpuSelection {
    pub fn matches(&self, gpu: &Identity) -> bool {
        match self {
            Self::All => true,
            Self::Listed(refs) => refs.iter().any(|wanted| wanted.matches(gpu)),
        }
    }

    pub(crate) fn parse(value: &Value) -> Result<Self, Wrong> {
        if value.as_str() == Some("all") {
            return Ok(Self::All);
        }
        let refs = list(GpuRef::parse)(value).map_err(|wrong| Wrong {
            accepted: format!("{ACCEPTED}{}", as_list(value)),
            ..wrong
        })?;
        let twice = refs
            .iter()
            .enumerate()
            .find(|(n, gpu)| refs[..*n].contains(gpu));
        match twice {
            Some((n, _)) => {
                let problem = format!("has {} for a GPU that it lists before", value[n]);
                Err(Wrong::new(problem, "each GPU once"))
            }
            None => Ok(Self::Listed(refs)),
        }
    }
}

/// `; write [0, 1]`, for names that are no list yet.
fn as_list(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(index) => index.to_string(),
        _ => return String::new(),
    };
    let names: Vec<_> = text.split(',').map(str::trim).collect();
    if names.iter().all(|name| GpuRef::named(name).is_some()) {
        format!("; write [{}]", names.join(", "))
    } else {
        String::new()
    }
}

/// One GPU, as an operator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuRef {
    /// Compared without regard to case.
    Uuid(String),
    Pci(PciAddress),
    Index(u32),
}

impl GpuRef {
    pub fn matches(&self, gpu: &Identity) -> bool {
        self.is(gpu.uuid.as_str(), &gpu.pci_bus_id, Some(gpu.index))
    }

    /// Whether it means the GPU with these names.
    pub(crate) fn is(&self, uuid: &str, pci_bus_id: &str, index: Option<u32>) -> bool {
        match self {
            Self::Uuid(wanted) => uuid.eq_ignore_ascii_case(wanted),
            Self::Pci(wanted) => PciAddress::parse(pci_bus_id) == Some(*wanted),
            Self::Index(wanted) => index == Some(*wanted),
        }
    }

    fn parse(value: &Value) -> Result<Self, Wrong> {
        let Some(text) = value.as_str() else {
            return integer(0..=MAX_INDEX)(value).map(Self::Index);
        };
        Self::named(text).ok_or_else(|| {
            Wrong::new(
                format!("has {}, which names no GPU", quoted(text)),
                ACCEPTED,
            )
        })
    }

    pub(super) fn named(text: &str) -> Option<Self> {
        let index = || text.parse().ok().filter(|index| *index <= MAX_INDEX);
        let uuid = || factory::is_uuid(text).then(|| Self::Uuid(text.to_ascii_lowercase()));
        index()
            .map(Self::Index)
            .or_else(uuid)
            .or_else(|| PciAddress::parse(text).map(Self::Pci))
    }
}

/// A PCI bus id; all spellings compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

impl PciAddress {
    /// `65:00.0`, `0000:65:00.0` (lspci) or `00000000:65:00.0` (NVML). Without a domain it is
    /// domain 0, as lspci means it; without a function it is function 0.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, function) = text.split_once('.').unwrap_or((text, "0"));
        let mut parts = rest.rsplitn(3, ':');
        let device = hex(parts.next()?, 2)?;
        let bus = hex(parts.next()?, 2)?;
        let domain = parts.next().map_or(Some(0), |domain| hex(domain, 8))?;
        Some(Self {
            domain,
            bus: u8::try_from(bus).ok()?,
            device: u8::try_from(device).ok().filter(|device| *device < 32)?,
            function: u8::try_from(hex(function, 1)?).ok().filter(|n| *n < 8)?,
        })
    }
}

/// As shown to people.
impl fmt::Display for GpuRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => write!(f, "GPU {uuid}"),
            Self::Pci(address) => write!(f, "GPU {address}"),
            Self::Index(index) => write!(f, "index {index}"),
        }
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:08x}:{bus:02x}:{device:02x}.{function:x}")
    }
}

fn hex(text: &str, most: usize) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits && (1..=most).contains(&text.len()))
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten()
}
