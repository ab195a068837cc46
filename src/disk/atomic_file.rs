//! Replaces a file so that a reader, or a power cut, sees the old content or the new one. All names
//! are looked up in the directory's handle, and no link among them is followed.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::disk::Dir;
use crate::disk::{MAX_BYTES, patiently, whole};

/// How long a reader waits for the disk. Chosen: a sleeping disk takes longer to wake, but later data
/// is taken up later, and no GPU stays unguarded for that long.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// Writes `content` to `path`, which must not be a symlink. Mode and owner are those of `like`, or
/// else 0600 and the guard's own.
pub(crate) fn replace(path: &Path, content: &[u8], like: Option<&Metadata>) -> io::Result<()> {
    let (dir, name) = place(path)?;
    replace_in(&dir, name, content, like)
}

pub(crate) fn replace_in(
    dir: &Dir,
    name: &OsStr,
    content: &[u8],
    like: Option<&Metadata>,
) -> io::Result<()> {
    // A leftover of a killed guard would block this for ever.
    let unnamed = unnamed(name);
    dir.remove(&unnamed)?;
    let new = Temporary(dir, &unnamed);
    let mut file = dir.create_new(&unnamed)?;
    if let Some(like) = like {
        make_like(&file, like)?;
    }
    file.write_all(content)?;
    file.sync_all()?;
    dir.rename(&unnamed, name)?;
    drop(new);
    dir.sync()
}

/// Whether [`replace`] would succeed now, as far as can be told without doing it. Leaves nothing
/// behind, not even for a moment: the file that it tries has no name.
pub(crate) fn could_replace(path: &Path, like: &Metadata) -> io::Result<()> {
    let (dir, _) = place(path)?;
    dir.is_open_to_us()?;
    match dir.create_nameless()? {
        Some(file) => make_like(&file, like),
        None => Ok(()),
    }
}

/// A path's directory, opened, and its name there.
fn place(path: &Path) -> io::Result<(Dir, &OsStr)> {
    let dir = Dir::open(path.parent().unwrap_or(Path::new("")))?;
    Ok((dir, path.file_name().unwrap_or_default()))
}

/// The temporary name of `name`'s new content.
fn unnamed(name: &OsStr) -> OsString {
    format!(".{}{UNNAMED}", name.to_string_lossy()).into()
}

const UNNAMED: &str = ".thermal-guard";

/// The final name for a temporary name, if it is a guard's.
pub(crate) fn named(unnamed: &Path) -> Option<PathBuf> {
    let name = unnamed.file_name()?.to_str()?;
    let name = name.strip_prefix('.')?.strip_suffix(UNNAMED)?;
    Some(unnamed.with_file_name(name))
}

/// Removes a file that a killed process left half written. Returns whether there was one.
pub(crate) fn discard_unnamed(path: &Path) -> io::Result<bool> {
    let (dir, name) = place(path)?;
    discard_unnamed_in(&dir, name)
}

pub(crate) fn discard_unnamed_in(dir: &Dir, name: &OsStr) -> io::Result<bool> {
    dir.remove(&unnamed(name))
}

/// The content under a name, and the content that was about to get it.
pub(crate) struct Texts {
    unnamed: io::Result<Vec<u8>>,
    named: io::Result<Vec<u8>>,
}

impl Texts {
    pub(crate) fn read(dir: &Dir, name: &OsStr) -> Self {
        Self {
            unnamed: dir.read(&unnamed(name), MAX_BYTES),
            named: dir.read(name, MAX_BYTES),
        }
    }

    /// The content that [`replace`] wrote last, parsed by `parse`; `None` if there is none.
    ///
    /// This includes content that a killed process had written completely but not yet renamed: over a
    /// slow disk, the process may already have acted on it.
    pub(crate) fn newest<T, E: From<io::Error>>(
        self,
        parse: impl Fn(&[u8]) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if let Ok(text) = self.unnamed
            && let Ok(newest) = parse(&text)
        {
            return Ok(Some(newest));
        }
        match self.named {
            Ok(text) => parse(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The content that [`replace`] wrote last to `path`. Waits for the disk, but not for ever.
pub(crate) fn newest<T, E: From<io::Error>>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let its = path.to_owned();
    let texts = patiently(path, READ_PATIENCE, move || {
        place(&its).map(|(dir, name)| Texts::read(&dir, name))
    });
    match texts.flatten() {
        Ok(texts) => texts.newest(parse),
        // Neither the file nor its directory exists.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Like [`newest`], but waits as long as the disk takes.
pub(crate) fn newest_whenever<T, E: From<io::Error>>(
    path: &Path,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<Option<T>, E> {
    match place(path).map(|(dir, name)| Texts::read(&dir, name)) {
        Ok(texts) => texts.newest(parse),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Renames a file within its directory.
pub(crate) fn set_aside(path: &Path, aside: &str) -> io::Result<()> {
    let (dir, name) = place(path)?;
    dir.rename(name, OsStr::new(aside))?;
    dir.sync()
}

/// Renames the temporary file if it is the newest content (see [`newest`]), so that the next
/// [`replace`] doesn't discard it before there is newer content.
pub(crate) fn finish(path: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let (dir, name) = place(path)?;
    finish_in(&dir, name, is_whole)
}

pub(crate) fn finish_in(
    dir: &Dir,
    name: &OsStr,
    is_whole: impl Fn(&[u8]) -> bool,
) -> io::Result<()> {
    let unnamed = unnamed(name);
    let Ok(file) = dir.file(&unnamed, OFlags::RDONLY, Mode::empty()) else {
        return Ok(());
    };
    if is_whole(&whole(file.try_clone()?, MAX_BYTES)?) {
        file.sync_all()?;
        dir.rename(&unnamed, name)?;
    }
    Ok(())
}

/// The owner first: changing it clears the set-id bits.
fn make_like(file: &File, like: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))
}

/// Removes itself unless it was renamed to the final name.
struct Temporary<'a>(&'a Dir, &'a OsStr);

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // Already renamed, or the pending error says more than this one.
        let _ = self.0.remove(self.1);
    }
}
