//! Reads and checks token files, and makes the guard's own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use thiserror::Error;

use crate::disk::patiently;
use crate::disk::{self, Dir};

/// Bytes of the shortest token. 32 random hex digits are 128 bits.
const SHORTEST: usize = 32;
/// Bytes of the longest token. Every comparison covers this many bytes, whatever was sent.
pub(crate) const LONGEST: usize = 512;

/// Tokens in a file. Two, so that senders and guard needn't change to a new one at the same moment.
const MOST: usize = 2;

/// The name of the token that the guard made itself, in the state directory.
pub const FILE_NAME: &str = "hook-token";

/// How long a start or a command waits for the file's disk.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who keeps the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The operator, who may have made it a link.
    ByTheOperator,
    /// The guard, in its own directory. It doesn't follow a link there: it never makes one.
    ByTheGuard,
}

/// What is wrong with a token file. Never repeats its contents.
#[derive(Debug, Error)]
pub enum TokenError {
    #[error("token file {path} can't be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("token file {path} can't be made: {source}")]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("token file {0} can be written by everybody: chmod o-w it")]
    WritableByAll(PathBuf),
    #[error("token file {0} is empty: put a token of {SHORTEST} to {LONGEST} characters in it")]
    Empty(PathBuf),
    #[error(
        "token file {path}, token {number}: must be {SHORTEST} to {LONGEST} visible ASCII characters (try `openssl rand -hex 32`)"
    )]
    Unfit { path: PathBuf, number: usize },
    #[error("token file {0} has more than {MOST} lines: one token, or two for rotation")]
    TooMany(PathBuf),
}

/// Tells one content of a file from the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// The tokens in a file, if its disk answers in time.
pub fn read_patiently(path: &Path, kept: Kept) -> Result<Vec<String>, TokenError> {
    let its = path.to_owned();
    patiently(path, PATIENCE, move || read(&its, kept)).unwrap_or_else(|source| {
        Err(TokenError::Unreadable {
            path: path.to_owned(),
            source,
        })
    })
}

/// The tokens in a file. Blocks for as long as its disk does.
pub fn read(path: &Path, kept: Kept) -> Result<Vec<String>, TokenError> {
    let unreadable = |source| TokenError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = opened(path, kept).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.mode() & 0o002 != 0 {
        return Err(TokenError::WritableByAll(path.to_owned()));
    }
    // More than a good file has, so that a longer one is noticed; but bounded.
    let text = disk::whole(file, 8 * LONGEST as u64).and_then(disk::text);
    let text = text.map_err(unreadable)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let tokens: Vec<_> = lines.map(str::to_owned).collect();
    if tokens.is_empty() {
        return Err(TokenError::Empty(path.to_owned()));
    }
    if tokens.len() > MOST {
        return Err(TokenError::TooMany(path.to_owned()));
    }
    match tokens.iter().position(|token| !is_fit(token)) {
        None => Ok(tokens),
        Some(index) => Err(TokenError::Unfit {
            path: path.to_owned(),
            number: index + 1,
        }),
    }
}

fn is_fit(token: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic())
}

fn opened(path: &Path, kept: Kept) -> io::Result<File> {
    match kept {
        Kept::ByTheOperator => Ok(disk::open(path)?.0),
        Kept::ByTheGuard => {
            let dir = Dir::open(path.parent().unwrap_or(Path::new("")))?;
            let name = path.file_name().unwrap_or_default();
            dir.file(name, OFlags::RDONLY, Mode::empty())
        }
    }
}

/// The tokens in the guard's own file in its state directory. Makes the file if there is none.
pub(crate) fn made_in(directory: &Path) -> Result<Vec<String>, TokenError> {
    let path = directory.join(FILE_NAME);
    let (its, directory) = (path.clone(), directory.to_owned());
    let made = patiently(&path, PATIENCE, move || {
        // A link that leads nowhere counts as a file.
        if fs::symlink_metadata(&its).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            make(&directory).map_err(|source| TokenError::Unwritable {
                path: its.clone(),
                source,
            })?;
        }
        read(&its, Kept::ByTheGuard)
    });
    made.unwrap_or_else(|source| Err(TokenError::Unreadable { path, source }))
}

/// Writes a random token to a file that only its owner can read, whole or not at all.
fn make(directory: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let digits = random.map(|byte: u8| format!("{byte:02x}"));
    let token = digits.concat() + "\n";
    let dir = Dir::make(directory)?;
    let draft = format!(".{FILE_NAME}.{}", std::process::id());
    let draft = OsStr::new(&draft);
    dir.remove(draft)?;
    let mut file = dir.create_new(draft)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    dir.rename(draft, OsStr::new(FILE_NAME))?;
    dir.sync()
}
