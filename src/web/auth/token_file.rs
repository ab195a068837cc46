//! Token files: what a good one is, and the one that the guard makes itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Bytes of a token. 32 random hex digits are 128 bits.
const SHORTEST: usize = 32;
/// Every comparison is over this many bytes, whatever was sent.
pub(super) const LONGEST: usize = 512;

/// Two, so that senders and guard needn't be switched to a new one at the same moment.
const MOST: usize = 2;

/// The name of the token that the guard made itself, in the state directory.
pub const FILE_NAME: &str = "hook-token";

/// What is wrong with a token file. Never says what is in it.
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
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

/// The tokens in a file, also for the client commands.
pub fn read(path: &Path) -> Result<Vec<String>, TokenError> {
    let unreadable = |source| TokenError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.mode() & 0o002 != 0 {
        return Err(TokenError::WritableByAll(path.to_owned()));
    }
    let mut text = String::new();
    // Room for too much, so that too much is noticed, but not for a whole disk.
    let room = 4 * LONGEST as u64;
    file.take(room)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
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

/// The guard's own token file in its state directory, made if there is none.
pub(super) fn made_in(directory: &Path) -> Result<PathBuf, TokenError> {
    let path = directory.join(FILE_NAME);
    if !fs::exists(&path).unwrap_or(false) {
        make(directory, &path).map_err(|source| TokenError::Unwritable {
            path: path.clone(),
            source,
        })?;
    }
    Ok(path)
}

/// A random token in a file that only its owner can read, whole or not at all.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let digits = random.map(|byte: u8| format!("{byte:02x}"));
    let token = digits.concat() + "\n";
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory)?;
    let draft = directory.join(format!(".{FILE_NAME}.{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(directory)?.sync_all()
}
