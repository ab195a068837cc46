//! An edit of a file: it is made completely, or not at all.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::config::EnvFileConfig;
use crate::disk::atomic_file::{discard_unnamed, replace};

use super::busy::Alone;
use super::edit::{self, Taken};
use super::error::EnvFileError;
use super::mounts::{self, Mounted};
use super::read::{read_regular, target_of, version};
use super::scan::Refusal;

/// A file about to be changed. Meanwhile, nothing else in this process changes it.
pub struct Edit {
    pub(crate) target: PathBuf,
    read: Metadata,
    pub(crate) text: Vec<u8>,
    pub(crate) edited: Vec<u8>,
    _alone: Alone,
}

/// The result of an edit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The file had other content before.
    pub written: bool,
    /// A process sees the file through a mount of its own.
    pub mounted: Option<Mounted>,
}

impl Edit {
    pub(crate) fn begin(config: &EnvFileConfig) -> Result<Self, EnvFileError> {
        let target = target_of(&config.path)?;
        let alone = Alone::with(&target)?;
        let (text, read) = read_regular(&target)?;
        Ok(Self {
            edited: Vec::new(),
            text,
            read,
            target,
            _alone: alone,
        })
    }

    pub(crate) fn refused(&self, config: &EnvFileConfig, refusal: Refusal) -> EnvFileError {
        EnvFileError::Unclear {
            path: self.target.clone(),
            key: config.key.clone(),
            line: refusal.line,
            why: refusal.why,
        }
    }

    /// Writes it.
    pub fn carry_out(self) -> Result<Done, EnvFileError> {
        let failed = |source| EnvFileError::Io {
            path: self.target.clone(),
            source,
        };
        if self.edited == self.text {
            // The directory belongs to another program, so a killed guard's leftover is removed.
            discard_unnamed(&self.target).map_err(failed)?;
            return Ok(Done::default());
        }
        let now = fs::symlink_metadata(&self.target).map_err(failed)?;
        if version(&now) != version(&self.read) {
            return Err(EnvFileError::Raced(self.target));
        }
        let mounted = mounts::alone(&self.target);
        let written = if mounted.as_ref().is_some_and(|mounted| !mounted.is_former) {
            self.write_in_place()
        } else {
            replace(&self.target, &self.edited, Some(&self.read))
        };
        match written {
            Ok(()) => Ok(Done {
                written: true,
                mounted,
            }),
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                Err(EnvFileError::MountPoint(self.target))
            }
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Err(EnvFileError::ReadOnly(self.target))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Overwrites the existing file, from the first byte that changes: a process that mounts it by
    /// itself sees no other file. A reader may find it half written, so this is done only if needed.
    fn write_in_place(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&self.target)?;
        let now = file.metadata()?;
        if version(&now) != version(&self.read) {
            return Err(io::Error::other("it was changed at the same moment"));
        }
        let same = self.text.iter().zip(&self.edited);
        let from = same.take_while(|(old, new)| old == new).count();
        let changed = self.edited.get(from..).unwrap_or_default();
        file.write_all_at(changed, u64::try_from(from).unwrap_or(0))?;
        if self.edited.len() < self.text.len() {
            file.set_len(u64::try_from(self.edited.len()).unwrap_or(0))?;
        }
        discard_unnamed(&self.target)?;
        file.sync_all()
    }
}

/// Prepares to set the variable to `value`; `before` is what was taken earlier. Returns what must be
/// stored safely before the edit is carried out.
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

/// Prepares to restore what was taken, where the guard's value is still there.
pub fn give_back(config: &EnvFileConfig, taken: &Taken) -> Result<Edit, EnvFileError> {
    let mut edit = Edit::begin(config)?;
    edit.edited = edit::give_back(&edit.text, config, taken)
        .map_err(|refusal| edit.refused(config, refusal))?;
    Ok(edit)
}

/// The result of a check.
#[derive(Debug, PartialEq, Eq)]
pub struct EnvFileCheck {
    /// Number of assignments of the variable.
    pub assignments: usize,
    pub mounted: Option<Mounted>,
}

/// Whether the variable could be set, without setting it.
pub fn look(config: &EnvFileConfig) -> Result<EnvFileCheck, EnvFileError> {
    let (edit, taken) = take(config, &config.emergency, None)?;
    Ok(EnvFileCheck {
        assignments: taken.originals.map_or(0, |all| all.len()),
        mounted: mounts::alone(&edit.target),
    })
}
