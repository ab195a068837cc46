//! NVML's return codes, as far as the simulation gives them.

use std::ffi::CStr;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Uninitialized,
    InvalidArgument,
    NotSupported,
    NoPermission,
    NotFound,
    InsufficientSize,
    DriverNotLoaded,
    Timeout,
    GpuIsLost,
    LibRmVersionMismatch,
    ArgumentVersionMismatch,
    Unknown,
    /// What somebody told the call to answer.
    Told(u32),
}

impl Code {
    pub const fn number(self) -> u32 {
        match self {
            Self::Uninitialized => 1,
            Self::InvalidArgument => 2,
            Self::NotSupported => 3,
            Self::NoPermission => 4,
            Self::NotFound => 6,
            Self::InsufficientSize => 7,
            Self::DriverNotLoaded => 9,
            Self::Timeout => 10,
            Self::GpuIsLost => 15,
            Self::LibRmVersionMismatch => 18,
            Self::ArgumentVersionMismatch => 25,
            Self::Unknown => 999,
            Self::Told(number) => number,
        }
    }
}

pub const SUCCESS: u32 = 0;

/// What a call has to say besides its out parameters.
pub type Outcome<T = ()> = Result<T, Code>;

/// The number that a call answers.
pub fn number<T>(outcome: &Outcome<T>) -> u32 {
    outcome.as_ref().err().map_or(SUCCESS, |code| code.number())
}

/// NVML's words for a code, for `nvmlErrorString`.
pub const fn words(code: u32) -> &'static CStr {
    match code {
        0 => c"Success",
        1 => c"Uninitialized",
        2 => c"Invalid Argument",
        3 => c"Not Supported",
        4 => c"Insufficient Permissions",
        5 => c"Already Initialized",
        6 => c"Not Found",
        7 => c"Insufficient Size",
        8 => c"Insufficient External Power",
        9 => c"Driver Not Loaded",
        10 => c"Timeout",
        12 => c"NVML Shared Library Not Found",
        13 => c"Function Not Found",
        15 => c"GPU is lost",
        16 => c"GPU requires reset",
        17 => c"The operating system has blocked the request",
        18 => c"Driver/library version mismatch",
        25 => c"Argument version mismatch",
        _ => c"Unknown Error",
    }
}
