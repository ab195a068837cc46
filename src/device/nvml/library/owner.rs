//! Whether a library that nobody named may be loaded into this process, which is often root's: only
//! if no other user could have put it there or could exchange it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use thiserror::Error;

/// Write permission of the group and of all others.
const OTHERS_WRITE: u32 = 0o022;

/// The driver's libraries have their version behind this.
const NAME: &str = "libnvidia-ml.so";

/// Why a file isn't loaded.
#[derive(Debug, Error)]
pub(crate) enum Unowned {
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    #[error("it leads to {}, which is another library", .0.display())]
    Misnamed(PathBuf),
    #[error("{} belongs to user {uid}", .path.display())]
    Foreign { path: PathBuf, uid: u32 },
    #[error("others may write to {}", .0.display())]
    Writable(PathBuf),
}

impl Unowned {
    /// There is no such file, which needs no word.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The file behind all links. It and all directories above it belong to root, or to the user of this
/// process, and nobody else may write to them. So nobody can exchange the file before it is loaded,
/// if it is loaded by the path that this returns.
pub(crate) fn owned(path: &Path) -> Result<PathBuf, Unowned> {
    let real = fs::canonicalize(path)?;
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with(NAME) {
        return Err(Unowned::Misnamed(real));
    }
    for part in real.ancestors() {
        is_owned(part)?;
    }
    Ok(real)
}

fn is_owned(path: &Path) -> Result<(), Unowned> {
    let metadata = fs::symlink_metadata(path)?;
    let uid = metadata.uid();
    if uid != 0 && uid != geteuid().as_raw() {
        let path = path.to_owned();
        return Err(Unowned::Foreign { path, uid });
    }
    // Also with the sticky bit: another user could have been first.
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(Unowned::Writable(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    /// A directory in a place that all users may write to, as /tmp is.
    fn in_public(name: &str) -> (TempDir, PathBuf) {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join(name);
        fs::write(&file, "").unwrap();
        (directory, file)
    }

    #[test]
    fn a_place_that_all_may_write_to_is_refused_whoever_owns_the_file() {
        let (_directory, file) = in_public("libnvidia-ml.so.1");
        let public = fs::metadata(std::env::temp_dir()).unwrap();
        assert!(public.mode() & OTHERS_WRITE != 0, "no public place here");
        let refused = owned(&file).unwrap_err();
        assert!(
            matches!(&refused, Unowned::Writable(path) if *path == std::env::temp_dir()),
            "{refused}"
        );
    }

    #[test]
    fn a_link_is_judged_by_where_it_leads() {
        let (directory, _) = in_public("libnvidia-ml.so.580.1");
        let link = directory.path().join("libnvidia-ml.so.1");
        symlink("libnvidia-ml.so.580.1", &link).unwrap();
        assert!(matches!(owned(&link), Err(Unowned::Writable(_))));
        fs::remove_file(&link).unwrap();
        symlink("/etc/passwd", &link).unwrap();
        assert!(
            matches!(owned(&link), Err(Unowned::Misnamed(path)) if path == Path::new("/etc/passwd"))
        );
    }

    #[test]
    fn a_file_of_the_system_is_owned_and_one_that_lacks_needs_no_word() {
        for part in Path::new("/etc/passwd").ancestors() {
            assert!(is_owned(part).is_ok(), "{part:?}");
        }
        let lacking = owned(Path::new("/nonexistent/libnvidia-ml.so.1")).unwrap_err();
        assert!(lacking.is_absence());
        let (_directory, file) = in_public("libnvidia-ml.so.1");
        assert!(!owned(&file).unwrap_err().is_absence());
    }
}
