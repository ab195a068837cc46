//! Why a variable can't be set.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::scan::Unclear;

/// Why a variable couldn't be set. All are worth a retry: the operator can repair the file.
#[derive(Debug, Error)]
pub enum EnvFileError {
    /// It is never created: no app would read it in the wrong place.
    #[error("{} doesn't exist", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a regular file of at most 1 MiB", .0.display())]
    NotAFile(PathBuf),
    /// A user who can plant a link must not make root write elsewhere.
    #[error("{} is a link by another user than the owner of its target", .0.display())]
    ForeignLink(PathBuf),
    /// Readers would understand it differently, or it couldn't be restored. Never repeats the value.
    #[error("{}, line {line}: {key} can't be set there: {why}", path.display())]
    Unclear {
        path: PathBuf,
        key: String,
        line: usize,
        why: Unclear,
    },
    #[error("{} was changed by somebody else at the same moment", .0.display())]
    Raced(PathBuf),
    /// A file mounted by itself into a container can't be replaced.
    #[error("{} is a mount point: mount its directory instead", .0.display())]
    MountPoint(PathBuf),
    /// As most files are for a service with `ProtectSystem=strict`.
    #[error("{} is read-only here: the service needs ReadWritePaths= for its directory", .0.display())]
    ReadOnly(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}
