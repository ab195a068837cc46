//! Replaces a file so that a reader, or a power cut, sees the old content or the new one.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Writes `content` to `path`, which must not be a symlink. Mode and owner are those of `like`, or
/// else 0600 and the guard's own.
pub(crate) fn replace(path: &Path, content: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    // A leftover of a killed guard would be in the way for ever.
    discard_unnamed(path)?;
    let new = Temporary(unnamed(path));
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

/// Where the content of `path` lies until it gets that name.
fn unnamed(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}{UNNAMED}"))
}

const UNNAMED: &str = ".thermal-guard";

/// The file that `unnamed` was about to become, if it is one of ours.
pub(crate) fn named(unnamed: &Path) -> Option<PathBuf> {
    let name = unnamed.file_name()?.to_str()?;
    let name = name.strip_prefix('.')?.strip_suffix(UNNAMED)?;
    Some(unnamed.with_file_name(name))
}

/// What a killed process left half written, if it did. Tells whether there was any.
pub(crate) fn discard_unnamed(path: &Path) -> io::Result<bool> {
    removed(&unnamed(path))
}

/// Tells whether there was such a file.
pub(crate) fn removed(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What [`replace`] last wrote to `path`, as `parse` reads it; `None` if nothing is there.
///
/// That is also what a process had written whole, but was killed before it had its name: over a slow
/// disk, it may have acted on it by then.
pub(crate) fn newest<T, E: From<io::Error>>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, E> {
    if let Ok(text) = fs::read(unnamed(path))
        && let Ok(newest) = parse(&text)
    {
        return Ok(Some(newest));
    }
    match fs::read(path) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives its name to what [`newest`] takes for the newest, so that the next [`replace`] doesn't
/// discard it before there is something newer.
pub(crate) fn finish(path: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let unnamed = unnamed(path);
    let Ok(mut file) = File::open(&unnamed) else {
        return Ok(());
    };
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if is_whole(&text) {
        file.sync_all()?;
        fs::rename(&unnamed, path)?;
    }
    Ok(())
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
