//! What NVML's return codes mean to the guard. Only this file decides it.

use nvml_wrapper::error::NvmlError;

use crate::device::{ActuatorError, DriverError, Missing};

use super::names::code;

/// A failed call, by its consequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This card, driver or library doesn't support the call, or says so for now.
    Unsupported,
    /// The handle is useless.
    Lost(Loss),
    NoPermission,
    InvalidArgument,
    /// Any other failure, with NVML's code. The call may work next time.
    Transient(u32),
}

/// What was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The card fell off the bus, needs a reset, or isn't found any more.
    Gpu,
    DriverNotLoaded,
    VersionMismatch,
    /// The library was shut down, or lost its driver.
    Uninitialized,
}

/// Codes of nvml.h 13 that nvml-wrapper 0.13 has no variant for.
mod number {
    pub(crate) const INSUFFICIENT_RESOURCES: u32 = 23;
    pub(crate) const FREQ_NOT_SUPPORTED: u32 = 24;
    pub(crate) const ARGUMENT_VERSION_MISMATCH: u32 = 25;
    pub(crate) const DEPRECATED: u32 = 26;
    pub(crate) const NOT_READY: u32 = 27;
    pub(crate) const GPU_NOT_FOUND: u32 = 28;
    pub(crate) const INVALID_STATE: u32 = 29;
    pub(crate) const RESET_TYPE_NOT_SUPPORTED: u32 = 30;
}

/// `NVML_ERROR_UNKNOWN`, also for a failure in the wrapper, which has no code.
const UNKNOWN: u32 = 999;

#[expect(deprecated, reason = "named so that no variant falls through unseen")]
pub(crate) fn classify(error: NvmlError) -> Fault {
    match error {
        NvmlError::NotSupported
        | NvmlError::FunctionNotFound
        | NvmlError::FailedToLoadSymbol(_)
        | NvmlError::VgpuEccNotSupported => Fault::Unsupported,
        NvmlError::GpuLost | NvmlError::ResetRequired => Fault::Lost(Loss::Gpu),
        NvmlError::DriverNotLoaded => Fault::Lost(Loss::DriverNotLoaded),
        NvmlError::LibRmVersionMismatch => Fault::Lost(Loss::VersionMismatch),
        NvmlError::Uninitialized => Fault::Lost(Loss::Uninitialized),
        NvmlError::NoPermission => Fault::NoPermission,
        NvmlError::InvalidArg => Fault::InvalidArgument,
        NvmlError::UnexpectedVariant(code) => classify_number(code),
        NvmlError::AlreadyInitialized
        | NvmlError::NotFound
        | NvmlError::InsufficientSize(_)
        | NvmlError::InsufficientPower
        | NvmlError::Timeout
        | NvmlError::IrqIssue
        | NvmlError::LibraryNotFound
        | NvmlError::CorruptedInfoROM
        | NvmlError::OperatingSystem
        | NvmlError::InUse
        | NvmlError::InsufficientMemory
        | NvmlError::NoData
        | NvmlError::Unknown => Fault::Transient(error.into()),
        NvmlError::Utf8Error(_)
        | NvmlError::NulError(_)
        | NvmlError::LibloadingError(_)
        | NvmlError::StringTooLong { .. }
        | NvmlError::IncorrectBits(_)
        | NvmlError::SetReleaseFailed
        | NvmlError::GetPciInfoFailed
        | NvmlError::PciInfoToCFailed => Fault::Transient(UNKNOWN),
    }
}

fn classify_number(code: u32) -> Fault {
    match code {
        number::ARGUMENT_VERSION_MISMATCH
        | number::DEPRECATED
        | number::RESET_TYPE_NOT_SUPPORTED => Fault::Unsupported,
        number::GPU_NOT_FOUND => Fault::Lost(Loss::Gpu),
        number::FREQ_NOT_SUPPORTED => Fault::InvalidArgument,
        number::INSUFFICIENT_RESOURCES | number::NOT_READY | number::INVALID_STATE => {
            Fault::Transient(code)
        }
        newer => Fault::Transient(newer),
    }
}

impl Fault {
    /// NVML's number for it. If several codes share the meaning, the most typical one.
    fn number(self) -> u32 {
        match self {
            Self::Lost(Loss::Uninitialized) => 1,
            Self::InvalidArgument => 2,
            Self::Unsupported => 3,
            Self::NoPermission => 4,
            Self::Lost(Loss::DriverNotLoaded) => 9,
            Self::Lost(Loss::Gpu) => 15,
            Self::Lost(Loss::VersionMismatch) => 18,
            Self::Transient(number) => number,
        }
    }

    /// This fault as the reason why a GPU or the driver can't be used. `call` failed with it.
    pub(crate) fn of(self, call: &'static str) -> DriverError {
        let code = code(self.number());
        match self {
            Self::Lost(Loss::Gpu) => DriverError::GpuLost(code),
            Self::Lost(Loss::DriverNotLoaded) => DriverError::DriverNotLoaded(code),
            // The guard had initialised it. So the driver was unloaded, and perhaps loaded again.
            Self::Lost(Loss::Uninitialized) => Self::Lost(Loss::DriverNotLoaded).of(call),
            Self::Lost(Loss::VersionMismatch) => DriverError::VersionMismatch(code),
            Self::Unsupported | Self::NoPermission | Self::InvalidArgument | Self::Transient(_) => {
                DriverError::Call { call, code }
            }
        }
    }
}

/// A failed call: its name and code for people, and its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) call: &'static str,
    /// The code as NVML gave it. Several codes can be the same fault.
    pub(crate) number: u32,
    pub(crate) fault: Fault,
}

impl Failure {
    pub(crate) fn new(call: &'static str, error: NvmlError) -> Self {
        let own = match &error {
            // Codes that share a fault with a more typical one.
            NvmlError::FunctionNotFound | NvmlError::FailedToLoadSymbol(_) => Some(13),
            NvmlError::ResetRequired => Some(16),
            NvmlError::VgpuEccNotSupported => Some(22),
            NvmlError::UnexpectedVariant(code) => Some(*code),
            _ => None,
        };
        let fault = classify(error);
        let number = own.unwrap_or_else(|| fault.number());
        Self {
            call,
            number,
            fault,
        }
    }

    /// The driver is gone, not only one card.
    pub(crate) fn is_of_driver(&self) -> bool {
        matches!(self.fault, Fault::Lost(loss) if loss != Loss::Gpu)
    }
}

impl From<Failure> for DriverError {
    fn from(failure: Failure) -> Self {
        failure.fault.of(failure.call)
    }
}

impl From<Fault> for Missing {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported => Self::NotSupported,
            Fault::Lost(_) => Self::Lost,
            Fault::NoPermission | Fault::InvalidArgument | Fault::Transient(_) => {
                Self::Failed(code(fault.number()))
            }
        }
    }
}

impl From<Fault> for ActuatorError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported => Self::Unsupported,
            Fault::Lost(_) => Self::Lost,
            Fault::NoPermission => Self::NoPermission,
            Fault::InvalidArgument => Self::OutOfRange,
            Fault::Transient(number) => Self::Transient(code(number)),
        }
    }
}

/// The error of a call without which a GPU or the whole driver can't be used.
pub(crate) fn driver_error(call: &'static str, error: NvmlError) -> DriverError {
    classify(error).of(call)
}

/// The meaning of a code from a call that reads. Simulated cards also answer with codes.
pub(crate) fn missing(number: u32) -> Missing {
    classify(NvmlError::from(number)).into()
}

/// The meaning of a code from a call that writes.
pub(crate) fn refusal(number: u32) -> ActuatorError {
    classify(NvmlError::from(number)).into()
}

/// The meaning of a code from a call without which a GPU or the whole driver can't be used.
pub(crate) fn unusable(call: &'static str, number: u32) -> DriverError {
    driver_error(call, NvmlError::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fault for a C return code, through the wrapper's own conversion.
    fn of(code: u32) -> Fault {
        classify(NvmlError::from(code))
    }

    #[test]
    fn every_code_of_the_header_means_one_thing() {
        let expected = [
            (1, Fault::Lost(Loss::Uninitialized)),
            (2, Fault::InvalidArgument),
            (3, Fault::Unsupported),
            (4, Fault::NoPermission),
            (9, Fault::Lost(Loss::DriverNotLoaded)),
            (13, Fault::Unsupported),
            (15, Fault::Lost(Loss::Gpu)),
            (16, Fault::Lost(Loss::Gpu)),
            (18, Fault::Lost(Loss::VersionMismatch)),
            (22, Fault::Unsupported),
            (24, Fault::InvalidArgument),
            (25, Fault::Unsupported),
            (26, Fault::Unsupported),
            (28, Fault::Lost(Loss::Gpu)),
            (30, Fault::Unsupported),
        ];
        for (code, fault) in expected {
            assert_eq!(of(code), fault, "code {code}");
        }
    }

    #[test]
    fn all_other_codes_may_pass_and_keep_their_number() {
        for number in [
            5, 6, 7, 8, 10, 11, 12, 14, 17, 19, 20, 21, 23, 27, 29, 31, 77, 999,
        ] {
            let fault = of(number);
            assert_eq!(fault, Fault::Transient(number));
            assert_eq!(Missing::from(fault), Missing::Failed(code(number)));
            let refused = ActuatorError::Transient(code(number));
            assert_eq!(ActuatorError::from(fault), refused);
        }
    }

    #[test]
    fn a_failure_keeps_the_number_it_came_with() {
        for code in (1..=31).chain([77, 999]) {
            let failure = Failure::new("nvmlInit_v2", NvmlError::from(code));
            assert_eq!(failure.number, code);
            assert_eq!(failure.fault, of(code));
        }
    }

    #[test]
    fn a_symbol_the_library_lacks_is_unsupported_not_a_failure() {
        let error = NvmlError::FailedToLoadSymbol("undefined symbol: nvmlX".into());
        assert_eq!(classify(error), Fault::Unsupported);
    }

    #[test]
    fn a_lost_driver_is_distinguished_from_a_lost_card() {
        let error = |number| unusable("nvmlInit_v2", number);
        assert_eq!(error(9), DriverError::DriverNotLoaded(code(9)));
        assert_eq!(error(1), DriverError::DriverNotLoaded(code(9)));
        assert_eq!(error(18), DriverError::VersionMismatch(code(18)));
        assert_eq!(error(15), DriverError::GpuLost(code(15)));
        let unknown = DriverError::Call {
            call: "nvmlInit_v2",
            code: code(999),
        };
        assert_eq!(error(999), unknown);
    }
}
