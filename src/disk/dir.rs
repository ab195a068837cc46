//! A handle of one of the guard's own directories. All names are looked up in this handle, so a rename
//! by others can't redirect the guard, and no link in it is followed. The path to the directory may
//! contain links, as with systemd's `DynamicUser=`.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::disk::bounded_read::{NotAFile, refuse_others, whole};

pub(crate) struct Dir(File);

impl Dir {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // The parent of a plain name is "".
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(libc::O_DIRECTORY);
        options.open(path).map(Self)
    }

    /// Creates it with access for the guard only, if it doesn't exist.
    pub(crate) fn make(path: &Path) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path)?;
        Self::open(path)
    }

    /// A subdirectory.
    pub(crate) fn within(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.0, name, flags, Mode::empty())?;
        Ok(Self(File::from(opened)))
    }

    pub(crate) fn make_within(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => self.within(name),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    /// Opens a regular file in it.
    pub(crate) fn file(&self, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.0, name, flags, mode).map_err(|error| match error {
            Errno::LOOP => NotAFile::LINK.into(),
            // From a pipe without a reader, and from a socket.
            Errno::NXIO => NotAFile("a pipe or a socket").into(),
            Errno::ISDIR => NotAFile("a directory").into(),
            other => io::Error::from(other),
        })?;
        let file = File::from(opened);
        refuse_others(&file.metadata()?)?;
        Ok(file)
    }

    pub(crate) fn read(&self, name: &OsStr, most: u64) -> io::Result<Vec<u8>> {
        whole(self.file(name, OFlags::RDONLY, Mode::empty())?, most)
    }

    /// No other process can have the new file open.
    pub(crate) fn create_new(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        self.file(name, flags, Mode::RUSR | Mode::WUSR)
    }

    /// Whether permissions and mounts allow creating and removing files in it.
    pub(crate) fn is_open_to_us(&self) -> io::Result<()> {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(&self.0, ".", wanted, AtFlags::EACCESS)?)
    }

    /// A file without a name, which is gone when it is closed. `None`: this file system doesn't support
    /// that.
    pub(crate) fn create_nameless(&self) -> io::Result<Option<File>> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match openat(&self.0, ".", flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Returns whether the name existed.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<bool> {
        match unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Syncs the names in it to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}
