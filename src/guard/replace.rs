//! Replaces a file so that a reader, or a power cut, sees the old content or the new one.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Writes `content` to `path`, which must not be a symlink. Mode and owner are those of `like`, or
/// else 0600 and the guard's own.
pub(crate) fn replace(path: &Path, content: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let new = Temporary(temporary_name(dir, path));
    // A leftover of a killed guard would be in the way for ever.
    match fs::remove_file(&new.0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new.0)?;
    if let Some(like) = like {
        make_like(&file, like)?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new.0, path)?;
    File::open(dir)?.sync_all()
}

fn temporary_name(dir: &Path, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    dir.join(format!(".{name}.thermal-guard"))
}

/// The owner first: changing it takes set-id bits away.
fn make_like(file: &File, like: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))
}

/// Takes itself away unless it became the file; after that there is nothing of its name.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Either renamed, or the error that is already on its way tells more than this one.
        let _ = fs::remove_file(&self.0);
    }
}
