//! Bearer tokens, and how they are compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use subtle::{Choice, ConstantTimeEq};

use crate::units::Moment;

use super::token_file::{self, FILE_NAME, Kept, LONGEST, Stamp, TokenError};
use crate::web::access::file_check::FileCheck;

/// Between two checks of the file.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The tokens that let a client actuate. They follow their file, so that a rotation needs no reload.
pub struct Tokens {
    path: Option<(PathBuf, Kept)>,
    held: Mutex<Held>,
    check: FileCheck,
}

struct Held {
    tokens: Vec<Padded>,
    stamp: Option<Stamp>,
    checked: Option<Moment>,
}

/// A token in a buffer of fixed length, so that the time of a comparison reveals nothing about it.
struct Padded {
    bytes: [u8; LONGEST],
    length: u64,
}

impl Tokens {
    /// No token lets a client actuate.
    pub fn none() -> Self {
        Self::holding(None, Vec::new(), None)
    }

    /// From the operator's file: one or two lines, a token in each.
    pub fn from_file(path: PathBuf) -> Result<Self, TokenError> {
        let stamp = Stamp::of(&path).ok();
        let tokens = padded(&token_file::read_patiently(&path, Kept::ByTheOperator)?);
        let path = Some((path, Kept::ByTheOperator));
        Ok(Self::holding(path, tokens, stamp))
    }

    /// The guard's own token, made on the first start. As long as it can't be stored or read, no token
    /// lets a client actuate, and the log says so.
    pub fn in_state_dir(directory: &Path) -> Self {
        let tokens = token_file::made_in(directory).unwrap_or_else(|error| {
            tracing::error!(%error, "no hook token: nothing can be actuated over HTTP; make the state directory writable or set hook.bearer_token_file");
            Vec::new()
        });
        let path = Some((directory.join(FILE_NAME), Kept::ByTheGuard));
        // Without a stamp, so that the first request reads the file again.
        Self::holding(path, padded(&tokens), None)
    }

    fn holding(path: Option<(PathBuf, Kept)>, tokens: Vec<Padded>, stamp: Option<Stamp>) -> Self {
        Self {
            path,
            held: Mutex::new(Held {
                tokens,
                stamp,
                checked: None,
            }),
            check: FileCheck::default(),
        }
    }

    /// Whether there is any token.
    pub fn is_available(&self) -> bool {
        !self.held.lock().tokens.is_empty()
    }

    /// Reads a changed file again, now and then. New tokens count from the next comparison on.
    pub async fn follow(self: &Arc<Self>, now: Moment) {
        let Some((path, kept)) = self.path.clone() else {
            return;
        };
        if self.is_time(now) {
            let tokens = Arc::clone(self);
            self.check.run(move || tokens.read_again(&path, kept)).await;
        }
    }

    fn is_time(&self, now: Moment) -> bool {
        let mut held = self.held.lock();
        let is_time = held.checked.is_none_or(|at| now.since(at) >= CHECK_EVERY);
        if is_time {
            held.checked = Some(now);
        }
        is_time
    }

    /// A bad file leaves the tokens as they were: a typing mistake must not lock the alerts out.
    fn read_again(&self, path: &Path, kept: Kept) {
        let stamp = Stamp::of(path).ok();
        if stamp == self.held.lock().stamp {
            return;
        }
        let read = token_file::read(path, kept);
        let mut held = self.held.lock();
        held.stamp = stamp;
        match read {
            Ok(tokens) => {
                let tokens = padded(&tokens);
                if !same(&held.tokens, &tokens) {
                    tracing::info!(path = %path.display(), tokens = tokens.len(), "token file read again");
                }
                held.tokens = tokens;
            }
            Err(error) => {
                tracing::error!(%error, "a changed token file can't be used: the tokens read before stay valid until it is corrected");
            }
        }
    }

    /// Whether `presented` is one of the tokens, in the same time for every wrong one.
    pub fn accepts(&self, presented: &[u8]) -> bool {
        let held = self.held.lock();
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

fn same(some: &[Padded], others: &[Padded]) -> bool {
    let pairs = some.iter().zip(others);
    some.len() == others.len() && pairs.map(|(a, b)| a.equals(b)).all(bool::from)
}

fn padded(tokens: &[String]) -> Vec<Padded> {
    let tokens = tokens.iter();
    tokens.filter_map(|t| Padded::new(t.as_bytes())).collect()
}
