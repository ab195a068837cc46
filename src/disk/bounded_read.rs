//! Reads files safely. A path may lead to a pipe without a writer, to a device, to an endless file, or
//! to a disk that doesn't answer; none of these may stop the guard from guarding.
//!
//! A file is opened once and checked through that handle. Links are followed here, because operators'
//! files are links in Kubernetes and under certbot. In the guard's own directories they aren't; see
//! [`super::Dir`]. Callers that wait for a disk use [`super::patiently`], on a thread that may be lost.

#[cfg(test)]
mod tests;

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use thiserror::Error;

/// No file that the guard reads completely is nearly as large.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// The path doesn't lead to a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it is {0}, not a regular file: put one in its place, or name another")]
pub(crate) struct NotAFile(pub(super) &'static str);

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

    /// Whether this is the reason why a file couldn't be opened.
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

/// Opens a regular file for reading; follows links.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    opened(OpenOptions::new().read(true), path)
}

/// The same with other options, such as write access.
pub(crate) fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    // Checks the name first, because opening a device may have an effect.
    refuse_others(&fs::metadata(path)?)?;
    // It may have become a pipe since. Without this flag, opening a pipe waits for the other end.
    let file = options.custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    refuse_others(&metadata)?;
    Ok((file, metadata))
}

pub(super) fn refuse_others(metadata: &Metadata) -> io::Result<()> {
    match NotAFile::of(metadata.file_type()) {
        Some(other) => Err(other.into()),
        None => Ok(()),
    }
}

/// Reads a whole file of at most `most` bytes. Blocks as long as the disk does.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    whole(open(path)?.0, most)
}

/// The same as text.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// Reads an open file, unless it is longer.
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
