//! Reads the file: the target of its path, its text and its version.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::disk::{self, NotAFile};

use super::error::EnvFileError;

/// No environment file is larger.
const MAX_BYTES: u64 = 1024 * 1024;

/// The target of the path, if it is a link.
pub(super) fn target_of(path: &Path) -> Result<PathBuf, EnvFileError> {
    let missing = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => EnvFileError::Missing(path.to_owned()),
        _ => EnvFileError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let link = fs::symlink_metadata(path).map_err(missing)?;
    let target = fs::canonicalize(path).map_err(missing)?;
    if link.is_symlink() && link.uid() != 0 {
        let owner = fs::symlink_metadata(&target).map_err(missing)?.uid();
        if owner != link.uid() {
            return Err(EnvFileError::ForeignLink(path.to_owned()));
        }
    }
    Ok(target)
}

pub(super) fn read_regular(path: &Path) -> Result<(Vec<u8>, Metadata), EnvFileError> {
    let failed = |source| EnvFileError::Io {
        path: path.to_owned(),
        source,
    };
    let none = || EnvFileError::NotAFile(path.to_owned());
    let (file, metadata) = disk::open(path).map_err(|error| {
        if NotAFile::is_why(&error) {
            none()
        } else {
            failed(error)
        }
    })?;
    let text = disk::whole(file, MAX_BYTES).map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidData {
            none()
        } else {
            failed(error)
        }
    })?;
    Ok((text, metadata))
}

pub(super) fn version(metadata: &Metadata) -> (u64, u64, i64, i64) {
    let (modified, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    (metadata.ino(), metadata.len(), modified, nanos)
}
