//! Sets one variable in an environment file that belongs to somebody else, and puts back what was
//! there: that value changes, and not a byte besides. Comments, order, quotes, `export`, CRLF, mode
//! and owner stay.

mod access;
mod change;
pub(crate) mod edit;
mod mounts;
mod scan;
mod words;

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::config::EnvFileConfig;
use crate::files::{self, NotAFile};

pub use access::{could_edit, drop_in, hidden_by, remedy};
pub use change::{Done, Edit};
pub use edit::Taken;
pub use mounts::Mounted;
pub use scan::Unclear;

/// Larger is no environment file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a variable couldn't be set. All are worth another try: the file is the operator's to mend.
#[derive(Debug, Error)]
pub enum EnvFileError {
    /// It is never created: in the wrong place it would help nobody.
    #[error("{} doesn't exist", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a regular file of at most 1 MiB", .0.display())]
    NotAFile(PathBuf),
    /// Whoever can plant a link must not make root write elsewhere.
    #[error("{} is a link by another user than the owner of its target", .0.display())]
    ForeignLink(PathBuf),
    /// Readers would take it differently, or it couldn't be put back. Never says what the value is.
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
    /// As most are to a service with `ProtectSystem=strict`.
    #[error("{} is read-only here: the service needs ReadWritePaths= for its directory", .0.display())]
    ReadOnly(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// To set the variable to `value`, knowing what was taken `before`. Tells what is to be remembered, in
/// a safe place, before the edit is carried out.
pub fn take(
    config: &EnvFileConfig,
    value: &str,
    before: Option<&Taken>,
) -> Result<(Edit, Taken), EnvFileError> {
    let mut edit = Edit::begin(config)?;
    let taken;
    (edit.edited, taken) = edit::take(&edit.text, config, value, before)
        .map_err(|refusal| edit.refused(config, refusal))?;
    Ok((edit, taken))
}

/// To put back what was taken, as far as it is still ours.
pub fn give_back(config: &EnvFileConfig, taken: &Taken) -> Result<Edit, EnvFileError> {
    let mut edit = Edit::begin(config)?;
    edit.edited = edit::give_back(&edit.text, config, taken)
        .map_err(|refusal| edit.refused(config, refusal))?;
    Ok(edit)
}

/// What a look at the file says.
#[derive(Debug, PartialEq, Eq)]
pub struct Look {
    /// How often the variable is set.
    pub assignments: usize,
    pub mounted: Option<Mounted>,
}

/// Whether the variable could be set, without setting it.
pub fn look(config: &EnvFileConfig) -> Result<Look, EnvFileError> {
    let (edit, taken) = take(config, &config.emergency, None)?;
    Ok(Look {
        assignments: taken.originals.map_or(0, |all| all.len()),
        mounted: mounts::alone(&edit.target),
    })
}

/// Files being edited: two apps may share one, and must not undo each other's edit. Not a lock to
/// wait for, as the other's file system may hang.
static BUSY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

struct Alone(PathBuf);

impl Alone {
    fn with(target: &Path) -> Result<Self, EnvFileError> {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(target.to_owned()) {
            Ok(Self(target.to_owned()))
        } else {
            Err(EnvFileError::Raced(target.to_owned()))
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.0);
    }
}

/// Where the link leads, if it is one.
fn target_of(path: &Path) -> Result<PathBuf, EnvFileError> {
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

fn read_regular(path: &Path) -> Result<(Vec<u8>, Metadata), EnvFileError> {
    let failed = |source| EnvFileError::Io {
        path: path.to_owned(),
        source,
    };
    let none = || EnvFileError::NotAFile(path.to_owned());
    let (file, metadata) = files::open(path).map_err(|error| {
        if NotAFile::is_why(&error) {
            none()
        } else {
            failed(error)
        }
    })?;
    let text = files::whole(file, MAX_BYTES).map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidData {
            none()
        } else {
            failed(error)
        }
    })?;
    Ok((text, metadata))
}

fn version(metadata: &Metadata) -> (u64, u64, i64, i64) {
    let (modified, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    (metadata.ino(), metadata.len(), modified, nanos)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set(path: &Path, key: &str, value: &str) -> Result<bool, EnvFileError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        let config = EnvFileConfig {
            path: path.to_owned(),
            key,
            normal: "4".to_owned(),
            gradual: value.clone(),
            emergency: value.clone(),
        };
        let (edit, _) = take(&config, &value, None)?;
        edit.carry_out().map(|done| done.written)
    }

    #[test]
    fn mode_and_link_survive_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("real.env");
        fs::write(&file, "A=1\nK=4\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.env");
        symlink("real.env", &link).unwrap();
        assert!(set(&link, "K", "1").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "A=1\nK=1\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_right_value_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.env");
        fs::write(&file, "K=1\n").unwrap();
        let before = version(&fs::metadata(&file).unwrap());
        let leftover = dir.path().join(".x.env.thermal-guard");
        fs::write(&leftover, "of a killed guard").unwrap();
        assert!(!set(&file, "K", "1").unwrap());
        assert_eq!(version(&fs::metadata(&file).unwrap()), before);
        assert!(!leftover.exists());
    }

    #[test]
    fn a_missing_file_is_not_created_and_a_directory_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.env");
        assert!(matches!(
            set(&path, "K", "1"),
            Err(EnvFileError::Missing(_))
        ));
        assert!(!path.exists());
        let error = set(dir.path(), "K", "1").unwrap_err();
        assert!(matches!(error, EnvFileError::NotAFile(_)));
    }

    #[test]
    fn a_link_planted_by_somebody_else_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("real.env");
        fs::write(&file, "K=4\n").unwrap();
        let link = dir.path().join("link.env");
        symlink(&file, &link).unwrap();
        // Root plays the other user; anybody else is one to root's own files.
        if std::os::unix::fs::lchown(&link, Some(12_345), None).is_err() {
            fs::remove_file(&link).unwrap();
            symlink("/etc/passwd", &link).unwrap();
        }
        let error = set(&link, "K", "1").unwrap_err();
        assert!(matches!(error, EnvFileError::ForeignLink(_)), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "K=4\n");
    }
}
