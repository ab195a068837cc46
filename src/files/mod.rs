//! Reading what lies on disk as carefully as it is written. A path may lead to a pipe that nobody
//! writes to, to a device, to a file without an end, or to a disk that doesn't answer; none of these
//! may keep the guard from guarding.
//!
//! A file is opened once and judged by that handle. Links are followed here, because an operator's
//! files are links in Kubernetes and under certbot; in the guard's own directories they aren't, see
//! [`Dir`]. What waits for a disk does so by [`patiently`], on a thread that may be lost.

mod dir;
mod patience;
#[cfg(test)]
mod tests;

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use thiserror::Error;

pub(crate) use dir::Dir;
pub(crate) use patience::{Pending, begin, is_late, patiently};

/// No file that the guard reads whole is nearly as large.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// A regular file is wanted, and this is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is {0}, not a regular file: put one in its place, or name another")]
pub(crate) struct NotAFile(&'static str);

impl NotAFile {
    pub(crate) const LINK: Self = Self("a symbolic link, which isn't followed");

    fn of(kind: FileType) -> Option<Self> {
        let named = [
            (kind.is_fifo(), "a named pipe"),
            (kind.is_dir(), "a directory"),
            (kind.is_socket(), "a socket"),
            (kind.is_symlink(), "a symbolic link"),
            (!kind.is_file(), "a device"),
        ];
        let found = named.into_iter().find(|(is, _)| *is);
        found.map(|(_, name)| Self(name))
    }

    /// Whether it is for this that a file couldn't be opened.
    pub(crate) fn is_why(error: &io::Error) -> bool {
        match error.get_ref() {
            Some(inner) => inner.is::<Self>(),
            None => false,
        }
    }
}

impl From<NotAFile> for io::Error {
    fn from(error: NotAFile) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Opens a regular file to read, by whatever links.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    opened(OpenOptions::new().read(true), path)
}

/// The same with other rights.
pub(crate) fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    // A look at the name first, only because opening may do something to a device.
    refuse_others(&fs::metadata(path)?)?;
    // By then it may be a pipe: opening one waits for its other end, but for this flag.
    let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    refuse_others(&metadata)?;
    Ok((file, metadata))
}

fn refuse_others(metadata: &Metadata) -> io::Result<()> {
    match NotAFile::of(metadata.file_type()) {
        Some(other) => Err(other.into()),
        None => Ok(()),
    }
}

/// A whole file of at most `most` bytes. Blocks for as long as its disk does.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?.0, most)
}

/// The same, as text.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// What is in an open file, unless that is more.
pub(crate) fn whole(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let error = format!(
            "it is longer than {most} bytes, which is the most that is read: make it smaller, or name another"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, error));
    }
    Ok(bytes)
}

pub(crate) fn text(bytes: Vec<u8>) -> io::Result<String> {
    // The error would carry the bytes.
    String::from_utf8(bytes).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not text in UTF-8: save it as such, or name another",
        )
    })
}
