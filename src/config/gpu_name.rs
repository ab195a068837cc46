//! GPUs as an operator names them on the command line and in a request: by index, by PCI address, by UUID,
//! or by the beginning of a UUID, as long as only one GPU has it. The configuration file wants whole
//! names: a prefix that means one card today may mean two tomorrow.

use std::fmt;

use thiserror::Error;

use crate::device::Identity;

use super::GpuRef;

/// Fewer digits without `GPU-` are a slip more often than a UUID.
const FEWEST_DIGITS: usize = 4;

/// One name, or `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuNames {
    All,
    /// Never empty.
    Listed(Vec<GpuName>),
}

impl GpuNames {
    /// `all`, or names with commas between them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let names = text.split(',').map(|name| GpuName::parse(name.trim()));
        names.collect::<Result<_, _>>().map(Self::Listed)
    }
}

/// A name, as it was typed, and what it may mean: the whole name of a GPU, else the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuName {
    typed: String,
    exact: Option<GpuRef>,
    /// `None`: a number is an index, whichever UUID begins with it.
    beginning: Option<UuidPrefix>,
}

impl GpuName {
    fn parse(typed: &str) -> Result<Self, String> {
        let exact = GpuRef::named(typed);
        let beginning = match exact {
            Some(GpuRef::Index(_) | GpuRef::Pci(_)) => None,
            Some(GpuRef::Uuid(_)) | None => UuidPrefix::parse(typed),
        };
        if exact.is_none() && beginning.is_none() {
            return Err(wanted(typed));
        }
        Ok(Self {
            typed: typed.to_owned(),
            exact,
            beginning,
        })
    }

    /// The place of the one GPU with this name.
    pub fn find(&self, gpus: &[Listed<'_>]) -> Result<usize, WrongName> {
        let is = |gpu: &Listed<'_>| {
            let name = self.exact.as_ref();
            name.is_some_and(|name| name.is(gpu.uuid, gpu.pci_bus_id, gpu.index))
        };
        if let Some(place) = gpus.iter().position(is) {
            return Ok(place);
        }
        let prefix = self.beginning.as_ref();
        let places = prefix.map(|prefix| prefix.places(gpus)).unwrap_or_default();
        match places[..] {
            [only] => Ok(only),
            [] => Err(WrongName::unknown(&self.typed, gpus)),
            _ => {
                let meant = places.into_iter().map(|place| &gpus[place]);
                Err(WrongName::ambiguous(&self.typed, meant))
            }
        }
    }
}

impl fmt::Display for GpuName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Why a name on the command line is none.
fn wanted(name: &str) -> String {
    let is_instance = name
        .get(..4)
        .is_some_and(|it| it.eq_ignore_ascii_case("MIG-"));
    if is_instance {
        format!(
            "{name} is a MIG instance, and only the whole GPU has a temperature: name the GPU above it in `nvidia-smi -L`, by its index or UUID (GPU-...)"
        )
    } else {
        "`all`, or indexes, PCI addresses, UUIDs (GPU-...) or their first digits, with commas between them".to_owned()
    }
}

/// The beginning of a UUID, in any case, with or without `GPU-` and dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UuidPrefix {
    /// In lower case.
    digits: String,
}

impl UuidPrefix {
    fn parse(text: &str) -> Option<Self> {
        let (named, rest) = match text.split_at_checked(4) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("GPU-") => (true, rest),
            _ => (false, text),
        };
        let digits = digits(rest);
        let least = if named { 1 } else { FEWEST_DIGITS };
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && digits.len() >= least).then_some(Self { digits })
    }

    fn begins(&self, uuid: &str) -> bool {
        let digits = digits(uuid.trim_start_matches("GPU-"));
        digits.starts_with(&self.digits)
    }

    fn places(&self, gpus: &[Listed<'_>]) -> Vec<usize> {
        let has = |place: &usize| self.begins(gpus[*place].uuid);
        (0..gpus.len()).filter(has).collect()
    }
}

fn digits(text: &str) -> String {
    let digits = text.chars().filter(|c| *c != '-');
    digits.map(|c| c.to_ascii_lowercase()).collect()
}

/// A GPU that can be named.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// `None`: another card has its index now.
    pub index: Option<u32>,
    pub uuid: &'a str,
    pub pci_bus_id: &'a str,
    /// The product's name.
    pub product: &'a str,
}

impl<'a> From<&'a Identity> for Listed<'a> {
    fn from(gpu: &'a Identity) -> Self {
        Self {
            index: Some(gpu.index),
            uuid: gpu.uuid.as_str(),
            pci_bus_id: &gpu.pci_bus_id,
            product: &gpu.name,
        }
    }
}

/// `0 = NVIDIA L40S, GPU-… (00000000:65:00.0)`.
impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{index} = ")?,
            None => f.write_str("- = ")?,
        }
        if !self.product.is_empty() {
            write!(f, "{}, ", self.product)?;
        }
        write!(f, "{} ({})", self.uuid, self.pci_bus_id)
    }
}

/// A name that means no GPU, or several.
#[derive(Debug, Error)]
pub enum WrongName {
    #[error("no such GPU: {name}; there are {known}")]
    Unknown { name: String, known: String },
    #[error("{name} begins the UUIDs of several GPUs: {meant}; write more of it, or the index")]
    Ambiguous { name: String, meant: String },
}

impl WrongName {
    pub fn unknown(name: &str, gpus: &[Listed<'_>]) -> Self {
        let known = match gpus {
            [] => "none".to_owned(),
            some => format!("{}, or all", listing(some.iter())),
        };
        let name = shown(name);
        Self::Unknown { name, known }
    }

    fn ambiguous<'a>(name: &str, meant: impl Iterator<Item = &'a Listed<'a>>) -> Self {
        let (name, meant) = (shown(name), listing(meant));
        Self::Ambiguous { name, meant }
    }

    pub const fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Ambiguous { .. })
    }
}

/// As much of it as a message repeats.
fn shown(name: &str) -> String {
    const MOST: usize = 64;
    let head: String = name.chars().take(MOST).collect();
    format!("{head:?}")
}

/// For messages.
pub fn listing<'a>(gpus: impl Iterator<Item = &'a Listed<'a>>) -> String {
    gpus.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
