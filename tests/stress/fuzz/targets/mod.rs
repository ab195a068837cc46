//! Each reader of bytes from outside, as a function of those bytes. The test that replays the corpus and
//! the coverage-guided run share them. A target panics if something is wrong.

mod bodies;
mod files;
mod input;
mod readings;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&[u8]),
}

/// Named as their folders in the corpus.
pub(crate) const ALL: [Target; 14] = [
    target("hook", bodies::hook),
    target("api", bodies::api),
    target("pulled", bodies::pulled),
    target("queried", bodies::queried),
    target("alert", bodies::alert),
    target("config", files::config),
    target("webconfig", files::webconfig),
    target("journal", files::journal),
    target("events", files::events),
    target("appjournal", files::app_journal),
    target("envfile", files::envfile),
    target("envtext", files::envtext),
    target("sensor", files::sensor),
    target("readings", readings::readings),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// A directory of this thread's own, in memory where there is such a place: the files in it are
/// written as often as bytes are tried.
fn scratch(file: &str) -> PathBuf {
    thread_local! {
        static SCRATCH: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }
    SCRATCH.with_borrow_mut(|held| {
        let made = || {
            let memory = Path::new("/dev/shm");
            let made = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
            made.expect("a scratch directory")
        };
        held.get_or_insert_with(made).path().join(file)
    })
}

/// A scratch file with those bytes in it.
fn written(file: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch(file);
    if let Err(error) = fs::write(&path, bytes) {
        let directory = path.parent().expect("a directory");
        fs::create_dir_all(directory).expect("a directory");
        fs::write(&path, bytes).unwrap_or_else(|_| panic!("{}: {error}", path.display()));
    }
    path
}
