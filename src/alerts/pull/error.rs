//! Why a pull failed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// For one request, from the name lookup to the last byte. An Alertmanager with 1000 alerts answers in
/// 20 ms.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a pull failed. It is tried again in any case.
#[derive(Debug, Error)]
pub enum PullError {
    #[error("credential {}: {source}", path.display())]
    Credential { path: PathBuf, source: io::Error },
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("{0}")]
    Unreachable(Box<ureq::Error>),
    #[error("answered {0}: check the credential under `alertmanager`")]
    Refused(u16),
    /// Alertmanager answers 400 to a matcher that it can't read.
    #[error("answered 400: check `alertmanager.filter`")]
    BadFilter,
    #[error("answered {0}: `alertmanager.url` must be the base URL of an Alertmanager")]
    Status(u16),
    #[error("the answer is too large: ask for this node's alerts with `alertmanager.filter`")]
    TooLarge,
    #[error("not an Alertmanager's answer: {0}")]
    Malformed(&'static str),
}

impl PullError {
    pub const NAMES: [&str; 7] = [
        "credential",
        "timeout",
        "unreachable",
        "refused",
        "status",
        "too_large",
        "malformed",
    ];

    /// A word for the metrics, one of [`Self::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Credential { .. } => "credential",
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::BadFilter | Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl From<ureq::Error> for PullError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout,
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge,
            error => Self::Unreachable(Box::new(error)),
        }
    }
}
