//! What NVML's return codes mean to the guard: the one place that decides it.

use nvml_wrapper::error::NvmlError;

use crate::device::{ActuatorError, DriverError, Missing};

/// A failed call, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This card, driver or library doesn't have the call, or says so for now.
    Unsupported,
    /// The handle is useless.
    Lost(Loss),
    NoPermission,
    InvalidArgument,
    /// Anything else, with NVML's code: may work next time.
    Transient(u32),
}

/// What exactly was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The card fell off the bus, needs a reset or is no longer found.
    Gpu,
    DriverNotLoaded,
    VersionMismatch,
    /// The library was shut down or lost its driver under us.
    Uninitialized,
}

/// Codes of nvml.h 13 that nvml-wrapper 0.13 has no variant for.
mod number {
    pub(super) const INSUFFICIENT_RESOURCES: u32 = 23;
    pub(super) const FREQ_NOT_SUPPORTED: u32 = 24;
    pub(super) const ARGUMENT_VERSION_MISMATCH: u32 = 25;
    pub(super) const DEPRECATED: u32 = 26;
    pub(super) const NOT_READY: u32 = 27;
    pub(super) const GPU_NOT_FOUND: u32 = 28;
    pub(super) const INVALID_STATE: u32 = 29;
    pub(super) const RESET_TYPE_NOT_SUPPORTED: u32 = 30;
}

/// `NVML_ERROR_UNKNOWN`, also for what failed in the wrapper and has no code.
const UNKNOWN: u32 = 999;

#[expect(deprecated, reason = "named so that no variant falls through unseen")]
pub(super) fn classify(error: NvmlError) -> Fault {
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
    /// NVML's number for it, the most typical one where several share a meaning.
    fn code(self) -> u32 {
        match self {
            Self::Lost(Loss::Uninitialized) => 1,
            Self::InvalidArgument => 2,
            Self::Unsupported => 3,
            Self::NoPermission => 4,
            Self::Lost(Loss::DriverNotLoaded) => 9,
            Self::Lost(Loss::Gpu) => 15,
            Self::Lost(Loss::VersionMismatch) => 18,
            Self::Transient(code) => code,
        }
    }

    /// As the reason why a GPU or the driver can't be used, `call` being what said so.
    pub(super) fn of(self, call: &'static str) -> DriverError {
        match self {
            Self::Lost(Loss::Gpu) => DriverError::GpuLost,
            // Initialised we were: then the driver was unloaded, and perhaps loaded again.
            Self::Lost(Loss::DriverNotLoaded | Loss::Uninitialized) => DriverError::DriverNotLoaded,
            Self::Lost(Loss::VersionMismatch) => DriverError::VersionMismatch,
            Self::Unsupported | Self::NoPermission | Self::InvalidArgument | Self::Transient(_) => {
                DriverError::Call {
                    call,
                    code: self.code(),
                }
            }
        }
    }
}

/// A call that failed: what to tell people of it, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) call: &'static str,
    /// NVML's own, of which several can come to the same fault.
    pub(super) code: u32,
    pub(super) fault: Fault,
}

impl Failure {
    pub(super) fn new(call: &'static str, error: NvmlError) -> Self {
        let own = match &error {
            // Codes that share a fault with a more typical one.
            NvmlError::FunctionNotFound | NvmlError::FailedToLoadSymbol(_) => Some(13),
            NvmlError::ResetRequired => Some(16),
            NvmlError::VgpuEccNotSupported => Some(22),
            NvmlError::UnexpectedVariant(code) => Some(*code),
            _ => None,
        };
        let fault = classify(error);
        let code = own.unwrap_or_else(|| fault.code());
        Self { call, code, fault }
    }

    /// The driver is gone, not only a card of it.
    pub(super) fn is_of_driver(&self) -> bool {
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
                Self::Failed(fault.code())
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
            Fault::Transient(code) => Self::Transient(code),
        }
    }
}

/// For calls without which a GPU or the whole driver can't be used.
pub(super) fn driver_error(call: &'static str, error: NvmlError) -> DriverError {
    classify(error).of(call)
}

/// What a code from a call that reads means; simulated cards answer codes, too.
pub(in crate::device) fn missing(code: u32) -> Missing {
    classify(NvmlError::from(code)).into()
}

/// The same of a call that writes.
pub(in crate::device) fn refusal(code: u32) -> ActuatorError {
    classify(NvmlError::from(code)).into()
}

/// The same of a call without which a GPU or the whole driver can't be used.
pub(in crate::device) fn unusable(call: &'static str, code: u32) -> DriverError {
    driver_error(call, NvmlError::from(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the wrapper hands a C return code to us.
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
        for code in [
            5, 6, 7, 8, 10, 11, 12, 14, 17, 19, 20, 21, 23, 27, 29, 31, 77, 999,
        ] {
            assert_eq!(of(code), Fault::Transient(code));
            assert_eq!(Missing::from(of(code)), Missing::Failed(code));
            assert_eq!(
                ActuatorError::from(of(code)),
                ActuatorError::Transient(code)
            );
        }
    }

    #[test]
    fn a_failure_keeps_the_number_it_came_with() {
        for code in (1..=31).chain([77, 999]) {
            let failure = Failure::new("nvmlInit_v2", NvmlError::from(code));
            assert_eq!(failure.code, code);
            assert_eq!(failure.fault, of(code));
        }
    }

    #[test]
    fn a_symbol_the_library_lacks_is_unsupported_not_a_failure() {
        let error = NvmlError::FailedToLoadSymbol("undefined symbol: nvmlX".into());
        assert_eq!(classify(error), Fault::Unsupported);
    }

    #[test]
    fn what_the_driver_lost_is_told_apart_from_what_the_card_lost() {
        let error = |code| driver_error("nvmlInit_v2", NvmlError::from(code));
        assert_eq!(error(9), DriverError::DriverNotLoaded);
        assert_eq!(error(1), DriverError::DriverNotLoaded);
        assert_eq!(error(18), DriverError::VersionMismatch);
        assert_eq!(error(15), DriverError::GpuLost);
        assert_eq!(
            error(999),
            DriverError::Call {
                call: "nvmlInit_v2",
                code: 999
            }
        );
    }
}
