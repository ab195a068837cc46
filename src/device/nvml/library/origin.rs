//! Where the library in use comes from, for people.

use std::fmt;
use std::path::PathBuf;

use super::places::SONAME;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// By `--nvml.library`.
    Named(PathBuf),
    /// The system's loader found it there; `None`: it isn't known where.
    Loader(Option<PathBuf>),
    /// In a place that the loader doesn't know.
    Place(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(path) => write!(f, "{}, as named", path.display()),
            Self::Loader(Some(path)) => write!(f, "{}, by the system's loader", path.display()),
            Self::Loader(None) => write!(f, "{SONAME}, by the system's loader"),
            Self::Place(path) => write!(
                f,
                "{}, which the system's loader doesn't find",
                path.display()
            ),
        }
    }
}
