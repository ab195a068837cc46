//! The journal's files: found, read, replaced and removed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::device::Uuid;
use crate::disk::atomic_file::{Texts, discard_unnamed_in, finish_in, named, replace_in};
use crate::disk::{Dir, patiently};

use super::dirs::JournalDirs;
use super::entry::Entry;
use super::error::JournalError;
use super::record::{self, Unread, parse};

/// How long a reader waits for the disk. Chosen: an entry that can't be read by then is taken up later,
/// and a GPU isn't left alone for longer.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The end of a file's name that was set aside.
const ASIDE: &str = "unreadable";

/// All entries in `dirs`, and why others couldn't be read. A missing directory has none.
pub fn load_all(dirs: &JournalDirs) -> (Vec<Entry>, Vec<JournalError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    let (state, spare) = dirs.folders();
    let mut names = BTreeSet::new();
    for folder in [Some(&state), spare.as_ref()].into_iter().flatten() {
        let its = folder.clone();
        let listing = patiently(folder, READ_PATIENCE, move || list(&its));
        match listing.flatten() {
            Ok(listing) => {
                names.extend(listing.entries);
                let aside = listing.set_aside.into_iter();
                errors.extend(aside.map(|path| JournalError::SetAside { path }));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => errors.push(JournalError::Io {
                path: folder.clone(),
                source,
            }),
        }
    }
    for name in names {
        let spare = spare.as_ref().map(|spare| spare.join(&name));
        match newest(spare.as_deref(), &state.join(&name)) {
            Ok(entry) => entries.extend(entry),
            Err(error) => errors.push(error),
        }
    }
    (entries, errors)
}

/// What a directory has.
#[derive(Default)]
struct Listing {
    entries: BTreeSet<OsString>,
    set_aside: Vec<PathBuf>,
}

/// A file that was about to get its name counts as having it.
fn list(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for file in fs::read_dir(directory)?.flatten() {
        let path = file.path();
        let path = named(&path).unwrap_or(path);
        let kind = path.extension().unwrap_or_default();
        if kind == "json" {
            listing
                .entries
                .extend(path.file_name().map(OsStr::to_owned));
        } else if kind == ASIDE && file.metadata().is_ok_and(|it| is_of_this_boot(&it)) {
            listing.set_aside.push(path);
        }
    }
    Ok(listing)
}

/// What an earlier boot left on a card is gone.
fn is_of_this_boot(file: &fs::Metadata) -> bool {
    let age = file.modified().map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age <= Clock::since_boot())
}

/// The entry of one GPU, if there is one.
pub fn load(dirs: &JournalDirs, uuid: &Uuid) -> Result<Option<Entry>, JournalError> {
    newest(dirs.spare_of(uuid).as_deref(), &dirs.path_of(uuid))
}

/// The same, but waits for as long as the disk takes.
pub(crate) fn load_whenever(
    dirs: &JournalDirs,
    uuid: &Uuid,
) -> Result<Option<Entry>, JournalError> {
    if let Some(entry) = spared(dirs.spare_of(uuid).as_deref()) {
        return Ok(claiming(entry));
    }
    let path = dirs.path_of(uuid);
    understood(&path, texts(&path))
}

/// An entry in the spare is the newest one.
fn newest(spare: Option<&Path>, path: &Path) -> Result<Option<Entry>, JournalError> {
    match spared(spare) {
        Some(entry) => Ok(claiming(entry)),
        None => read(path),
    }
}

/// A spare that can't be read doesn't keep the guard from the journal.
fn spared(path: Option<&Path>) -> Option<Entry> {
    let path = path?;
    read(path).unwrap_or_else(|error| {
        tracing::warn!(%error, "the spare journal can't be read; going on with the one in the state directory");
        None
    })
}

/// In the spare, an empty claim stands for a file that couldn't be removed from the state directory.
fn claiming(entry: Entry) -> Option<Entry> {
    (!entry.claim.is_empty()).then_some(entry)
}

/// Removes first what would be read in the file's place.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let dir = match gpus(path) {
        Ok(dir) => dir,
        // Then no file is in it.
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let name = name(path);
    if discard_unnamed_in(&dir, name)? | dir.remove(name)? {
        dir.sync()?;
    }
    Ok(())
}

fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// The directory of all entries, opened through the handle of the guard's own directory.
fn gpus(path: &Path) -> io::Result<Dir> {
    Dir::open(above(path))?.within(folder(path)?)
}

fn above(path: &Path) -> &Path {
    let directory = path.parent().and_then(Path::parent);
    directory.unwrap_or(Path::new(""))
}

fn folder(path: &Path) -> io::Result<&str> {
    let folder = path.parent().and_then(Path::file_name);
    let folder = folder.and_then(OsStr::to_str);
    folder.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Writes the entry, or removes the file if nothing is claimed any more.
pub(super) fn set(path: &Path, entry: &Entry) -> Result<(), JournalError> {
    let written = if entry.claim.is_empty() {
        remove(path)
    } else {
        write(path, entry)
    };
    written.map_err(|source| JournalError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Replaces the file by one that says `entry`.
pub(super) fn write(path: &Path, entry: &Entry) -> io::Result<()> {
    let text = record::text(entry)?;
    let dir = Dir::make(above(path))?.make_within(folder(path)?)?;
    let name = name(path);
    finish_in(&dir, name, |text| parse(text).is_ok())?;
    set_aside_unreadable(&dir, path)?;
    replace_in(&dir, name, &text, None)
}

/// A file that this guard doesn't understand isn't overwritten: a newer guard may understand it, or a
/// person. Neither is a file that it can't even read: that may say something that this guard doesn't
/// know.
fn set_aside_unreadable(dir: &Dir, path: &Path) -> io::Result<()> {
    match Texts::read(dir, name(path)).newest(parse) {
        Err(Unread::Not(_)) => {
            let aside = path.with_extension(format!("json.{ASIDE}"));
            dir.rename(name(path), name(&aside))
        }
        Err(Unread::Io(error)) => Err(error),
        Ok(_) => Ok(()),
    }
}

fn read(path: &Path) -> Result<Option<Entry>, JournalError> {
    let its = path.to_owned();
    let texts = patiently(path, READ_PATIENCE, move || texts(&its));
    understood(path, texts.flatten())
}

fn texts(path: &Path) -> io::Result<Texts> {
    Ok(Texts::read(&gpus(path)?, name(path)))
}

fn understood(path: &Path, texts: io::Result<Texts>) -> Result<Option<Entry>, JournalError> {
    let newest = match texts {
        Ok(texts) => texts.newest(parse),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    };
    newest.map_err(|error| match error {
        Unread::Io(source) => JournalError::Io {
            path: path.to_owned(),
            source,
        },
        Unread::Not(reason) => JournalError::Unreadable {
            path: path.to_owned(),
            reason,
        },
    })
}
