//! A file about to be changed, and the change: all of it, or nothing.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use crate::config::EnvFileConfig;
use crate::guard::replace::{discard_unnamed, replace};

use super::mounts::{self, Mounted};
use super::scan::Refusal;
use super::{Alone, EnvFileError, read_regular, target_of, version};

/// A file about to be changed. Nobody else of this process changes it meanwhile.
pub struct Edit {
    pub(super) target: PathBuf,
    read: Metadata,
    pub(super) text: Vec<u8>,
    pub(super) edited: Vec<u8>,
    _alone: Alone,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// It wasn't so already.
    pub written: bool,
    /// Somebody sees the file by a mount of its own.
    pub mounted: Option<Mounted>,
}

impl Edit {
    pub(super) fn begin(config: &EnvFileConfig) -> Result<Self, EnvFileError> {
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

    pub(super) fn refused(&self, config: &EnvFileConfig, refusal: Refusal) -> EnvFileError {
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
            // It is somebody else's directory: what a killed guard left there goes.
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

    /// The file that is there, from the first byte that changes: whoever has it mounted by itself sees
    /// no other. A reader may meet it half written, so that this isn't done without need.
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
