//! A file as a lock between processes, with the process id of its holder in it. The kernel releases the
//! lock when the process ends, in whatever way.
//!
//! The directory may belong to another user, who can put any file there. So the guard writes only to a
//! file with a single name, and a link is no lock.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::{Dir, NotAFile};

/// Longer than a process id and a newline.
const LONGEST_PID: u64 = 32;

/// The locked file, or the process id of the lock's holder.
pub(crate) fn take(directory: &Path, name: &OsStr) -> io::Result<Result<File, String>> {
    let dir = Dir::make(directory)?;
    let mut file = opened(&dir, name)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(source),
        Err(TryLockError::WouldBlock) => return Ok(Err(pid_in(&file))),
    }
    // With a second name, it may be another user's file: it still works as a lock, but nothing is
    // written to it.
    if file.metadata()?.nlink() == 1 {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
    }
    Ok(Ok(file))
}

/// Removes anything under the lock's name that isn't a regular file: no guard holds a lock on it.
fn opened(dir: &Dir, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE;
    let mode = Mode::RUSR | Mode::WUSR;
    match dir.file(name, flags, mode) {
        Err(error) if NotAFile::is_why(&error) => {
            let file = name.to_string_lossy();
            tracing::warn!(%file, %error, "no lock of a guard under its name: taken away; see who may write to that directory");
            dir.remove(name)?;
            dir.file(name, flags | OFlags::EXCL, mode)
        }
        other => other,
    }
}

/// For messages only: unreadable content, or anything but a process id, means an unknown holder. The
/// file may be another user's, so its content isn't repeated.
pub(super) fn pid_in(file: &File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_PID).read_to_string(&mut text);
    let pid = text.trim();
    let is_one = read.is_ok() && pid.bytes().all(|b| b.is_ascii_digit());
    if is_one { pid } else { "" }.to_owned()
}

/// As messages name the holder.
pub(super) fn holder(pid: &str) -> String {
    if pid.is_empty() {
        String::new()
    } else {
        format!(" (pid {pid})")
    }
}
