//! Bearer tokens: from the operator's file, or made on the first start.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;

use crate::units::Moment;

/// Bytes of a token. 32 random hex digits are 128 bits.
const SHORTEST: usize = 32;
/// Every comparison is over this many bytes, whatever was sent.
const LONGEST: usize = 512;

/// Two, so that senders and guard needn't be switched to a new one at the same moment.
const MOST: usize = 2;

/// Between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The name of the token that the guard made itself, in the state directory.
pub const FILE_NAME: &str = "hook-token";

/// What is wrong with a token file. Never says what is in it.
#[derive(Debug, Error)]
pub enum TokenError {
    #[error("token file {path} can't be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
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

/// The tokens that actuate. Follows its file, so that a rotation needs no reload.
pub struct Tokens {
    path: Option<PathBuf>,
    held: Mutex<Held>,
}

struct Held {
    tokens: Vec<Padded>,
    stamp: Option<Stamp>,
    looked: Option<Moment>,
}

/// Tells one content of a file from the next.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A token in a buffer of fixed length: how long a comparison takes says nothing about it.
struct Padded {
    bytes: [u8; LONGEST],
    length: u64,
}

impl Tokens {
    /// Nobody has one: nothing actuates by token.
    pub fn none() -> Self {
        Self::holding(None, Vec::new(), None)
    }

    /// The operator's file: one token a line, one or two lines.
    pub fn from_file(path: PathBuf) -> Result<Self, TokenError> {
        let stamp = Stamp::of(&path).ok();
        let tokens = read(&path)?;
        Ok(Self::holding(Some(path), tokens, stamp))
    }

    /// The guard's own token, made on the first start. Where it can't be kept, nothing actuates by
    /// token, and the log says so.
    pub fn in_state_dir(directory: &Path) -> Self {
        let path = directory.join(FILE_NAME);
        let made = match fs::exists(&path) {
            Ok(true) => Ok(()),
            _ => make(directory, &path).map_err(|source| TokenError::Unreadable {
                path: path.clone(),
                source,
            }),
        };
        made.and_then(|()| Self::from_file(path)).unwrap_or_else(|error| {
            tracing::error!(%error, "no hook token: nothing can be actuated over HTTP; make the state directory writable or set hook.bearer_token_file");
            Self::none()
        })
    }

    fn holding(path: Option<PathBuf>, tokens: Vec<String>, stamp: Option<Stamp>) -> Self {
        let tokens = tokens.iter().filter_map(|t| Padded::new(t.as_bytes()));
        Self {
            path,
            held: Mutex::new(Held {
                tokens: tokens.collect(),
                stamp,
                looked: None,
            }),
        }
    }

    /// Whether there is any token at all.
    pub fn is_available(&self) -> bool {
        self.path.is_some()
    }

    /// Whether `presented` is one of the tokens, in the same time for every wrong one.
    pub fn accepts(&self, presented: &[u8], now: Moment) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path {
            held.follow(path, now);
        }
        let Some(presented) = Padded::new(presented) else {
            return false;
        };
        let none = Choice::from(0);
        let found = held
            .tokens
            .iter()
            .fold(none, |found, token| found | token.equals(&presented));
        found.into()
    }
}

impl Held {
    /// Reads the file again if it changed. A bad one leaves the tokens as they were: a slip of the
    /// pen must not lock the alerts out.
    fn follow(&mut self, path: &Path, now: Moment) {
        if self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return;
        }
        self.looked = Some(now);
        let stamp = Stamp::of(path).ok();
        if stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match read(path) {
            Ok(tokens) => {
                self.tokens = tokens
                    .iter()
                    .filter_map(|t| Padded::new(t.as_bytes()))
                    .collect();
                tracing::info!(path = %path.display(), tokens = tokens.len(), "token file read again");
            }
            Err(error) => tracing::error!(%error, "the tokens read before stay valid"),
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: meta.ino(),
            length: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

impl Padded {
    fn new(token: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Self {
            bytes,
            length: token.len() as u64,
        })
    }

    fn equals(&self, other: &Self) -> Choice {
        self.bytes.ct_eq(&other.bytes) & self.length.ct_eq(&other.length)
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

/// A random token in a file that only its owner can read, whole or not at all.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    token.push('\n');
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
