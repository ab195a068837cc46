//! What can go wrong with a write or with a driver, and the vendors' error codes.

use std::fmt;

use thiserror::Error;

use super::facts::Uuid;

/// Why a write failed. The variant decides what the guard does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ActuatorError {
    /// The guard is only an exporter from now on. It says so once in the log, in `check` and in a
    /// metric.
    #[error("no permission: run as root or with CAP_SYS_ADMIN")]
    NoPermission,
    /// The card refused the value, although it lies in the range that the card told. The guard
    /// doesn't try this value again.
    #[error("out of the card's range")]
    OutOfRange,
    /// The card has no such control.
    #[error("not supported by this card or driver")]
    Unsupported,
    /// The card or the driver is gone. The guard drops the handle and opens a new one.
    #[error("GPU or driver lost")]
    Lost,
    /// The guard tries again on the next tick.
    #[error("{0}")]
    Transient(ErrorCode),
}

impl ActuatorError {
    /// The write changed nothing on the card. After the other errors it may have.
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::NoPermission | Self::OutOfRange | Self::Unsupported => true,
            Self::Lost | Self::Transient(_) => false,
        }
    }
}

/// Why the driver, or one GPU of it, can't be used. The texts and remedies are the vendor's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DriverError {
    #[error("{problem}")]
    LibraryMissing {
        problem: String,
        remedy: &'static str,
    },
    #[error("{}", .0.text())]
    DriverNotLoaded(ErrorCode),
    #[error("{}", .0.text())]
    VersionMismatch(ErrorCode),
    #[error("no GPU with UUID {uuid}")]
    NoSuchGpu { uuid: Uuid, code: ErrorCode },
    #[error("GPU lost")]
    GpuLost(ErrorCode),
    #[error("{call}: {code}{}", Meaning(*.code))]
    Call { call: &'static str, code: ErrorCode },
}

impl DriverError {
    /// There is no driver, as opposed to one that can't be used.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::LibraryMissing { .. } | Self::DriverNotLoaded(_))
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::LibraryMissing { remedy, .. } => remedy,
            Self::DriverNotLoaded(code)
            | Self::VersionMismatch(code)
            | Self::GpuLost(code)
            | Self::NoSuchGpu { code, .. }
            | Self::Call { code, .. } => code.remedy(),
        }
    }
}

/// `: ` and the meaning of a code, if it has one.
struct Meaning(ErrorCode);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.meaning() {
            Some(meaning) => write!(f, ": {meaning}"),
            None => Ok(()),
        }
    }
}

/// An error code of a driver: the vendor's number, and the vendor's name of it. Displayed as
/// `NVML code 17 (OPERATING_SYSTEM)`.
#[derive(Clone, Copy)]
pub struct ErrorCode {
    number: u32,
    of: &'static ErrorCodes,
}

/// The error codes of a vendor's interface.
#[derive(Debug)]
pub struct ErrorCodes {
    /// What the codes are called after: `NVML`.
    pub interface: &'static str,
    pub known: &'static [KnownCode],
    /// The remedy for each code that has none of its own.
    pub remedy: &'static str,
}

/// The texts of one code. Empty: there is nothing worth saying.
#[derive(Debug)]
pub struct KnownCode {
    pub number: u32,
    pub name: &'static str,
    pub meaning: &'static str,
    pub remedy: &'static str,
}

impl ErrorCode {
    pub const fn new(of: &'static ErrorCodes, number: u32) -> Self {
        Self { number, of }
    }

    pub const fn number(self) -> u32 {
        self.number
    }

    /// The vendor's name. `None`: the code is newer than this build.
    pub fn name(self) -> Option<&'static str> {
        self.known().map(|known| known.name)
    }

    /// The meaning, in words.
    pub fn meaning(self) -> Option<&'static str> {
        let meaning = self.known().map(|known| known.meaning);
        meaning.filter(|text| !text.is_empty())
    }

    /// What to do about a GPU or a driver that can't be used because of it.
    pub fn remedy(self) -> &'static str {
        let remedy = self.known().map(|known| known.remedy);
        remedy
            .filter(|text| !text.is_empty())
            .unwrap_or(self.of.remedy)
    }

    /// The meaning, or else the code.
    fn text(self) -> String {
        self.meaning()
            .map_or_else(|| self.to_string(), str::to_owned)
    }

    fn known(self) -> Option<&'static KnownCode> {
        self.of
            .known
            .iter()
            .find(|known| known.number == self.number)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} code {}", self.of.interface, self.number)?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for ErrorCode {
    fn eq(&self, other: &Self) -> bool {
        (self.of.interface, self.number) == (other.of.interface, other.number)
    }
}

impl Eq for ErrorCode {}

/// A code of no vendor, for tests.
#[cfg(test)]
pub(crate) const fn any_code(number: u32) -> ErrorCode {
    static ANY: ErrorCodes = ErrorCodes {
        interface: "some",
        known: &[],
        remedy: "",
    };
    ErrorCode::new(&ANY, number)
}
