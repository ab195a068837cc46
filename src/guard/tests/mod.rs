//! Files that can't be had as they should be: what is said then, and that nothing is guessed.

mod life;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::apps::envfile;
use crate::apps::envfile::EnvFileError;
use crate::clock::Clock;
use crate::config::EnvFileConfig;
use crate::device::{ByClock, Identity, Uuid};
use crate::disk::atomic_file::replace;
use crate::disk::gpu_lock::{GpuLock, LockError};
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::{Entry, Journal, JournalDirs, JournalError, Reason};
use crate::guard::state::{Applications, Live, Shared};
use crate::policy::ask::chain::Expected;
use crate::policy::ask::lease;
use crate::policy::ask::lease::Holder;
use crate::policy::{AppMode, Chain, Claim, Lease, Level};
use crate::units::{Moment, Watts};

fn uuid() -> Uuid {
    Uuid::new("GPU-1")
}

fn shared() -> Shared {
    let chain = Chain::new(Expected::Auto, None, Moment::START);
    Shared::new(Clock::start(1.0), chain, Live::default())
}

/// What applications were told.
#[derive(Default)]
struct Told(Mutex<Vec<AppMode>>);

impl Applications for Told {
    fn tell(&self, _: &Arc<Identity>, mode: AppMode) -> bool {
        self.0.lock().push(mode);
        true
    }

    fn list(&self, _: &[Arc<Identity>]) {}
}

/// A file where a directory ought to be.
fn in_the_way(dir: &TempDir, name: &str) {
    fs::write(dir.path().join(name), "in the way").unwrap();
}

fn entry(claim: Claim) -> Entry {
    Entry {
        uuid: uuid(),
        claim,
        boot_id: journal::boot_id(),
        energy_millijoules: None,
        locks: ByClock::default(),
        confirmed: true,
        reason: Reason::default(),
        since: None,
    }
}

/// Has it on disk, tried again as by a guard's ticks: a busy disk may need more than the patience, and where
/// the spare one does, the error is the other disk's.
pub(crate) fn put(journal: &Journal, entry: &Entry) {
    let mut last = None;
    for _ in 0..500 {
        match journal.record(entry.clone()) {
            Ok(_) => return,
            Err(error) => last = Some(error),
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("never on disk: {last:?}");
}

/// On disk, a claim on a limit.
fn recorded(state_dir: &Path) {
    let mut claim = Claim::default();
    claim.writing(Watts::from_watts(400), Watts::from_watts(300));
    let journal = Journal::open(&JournalDirs::only(state_dir), &uuid());
    put(&journal, &entry(claim));
}

#[test]
fn a_lock_that_cannot_be_made_says_where() {
    let dir = TempDir::new().unwrap();
    in_the_way(&dir, "locks");
    let error = GpuLock::acquire(&dir.path().join("locks"), &uuid()).unwrap_err();
    assert!(matches!(error, LockError::Io { .. }));
    assert!(error.to_string().contains("locks/GPU-1.lock"), "{error}");
}

#[test]
fn a_holder_that_did_not_say_who_it_is_still_holds() {
    let dir = TempDir::new().unwrap();
    let mut silent = File::create(dir.path().join("GPU-1.lock")).unwrap();
    silent.lock().unwrap();
    let error = GpuLock::acquire(dir.path(), &uuid())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("another thermal-guard holds GPU-1"),
        "{error}"
    );
    writeln!(silent, "4711").unwrap();
    let error = GpuLock::acquire(dir.path(), &uuid())
        .unwrap_err()
        .to_string();
    assert!(error.contains("(pid 4711) holds GPU-1"), "{error}");
}

#[test]
fn a_journal_of_another_version_is_reported_and_not_guessed_at() {
    let dir = TempDir::new().unwrap();
    recorded(dir.path());
    let path = dir.path().join("gpus/GPU-1.json");
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace("\"version\": 1", "\"version\": 2");
    assert_ne!(other, text);
    fs::write(&path, other).unwrap();
    let error = journal::load(&JournalDirs::only(dir.path()), &uuid()).unwrap_err();
    assert!(error.to_string().contains("version 2"), "{error}");
    let (entries, errors) = journal::load_all(&JournalDirs::only(dir.path()));
    assert_eq!((entries.len(), errors.len()), (0, 1));
}

#[test]
fn journals_that_cannot_be_listed_are_not_taken_for_none() {
    let dir = TempDir::new().unwrap();
    in_the_way(&dir, "gpus");
    let (entries, errors) = journal::load_all(&JournalDirs::only(dir.path()));
    assert!(entries.is_empty());
    assert!(matches!(&errors[..], [JournalError::Io { path, .. }] if path.ends_with("gpus")));
}

#[test]
fn a_journal_that_cannot_be_read_is_not_taken_for_none() {
    let dir = TempDir::new().unwrap();
    fs::create_dir_all(dir.path().join("gpus/GPU-1.json")).unwrap();
    let error = journal::load(&JournalDirs::only(dir.path()), &uuid()).unwrap_err();
    assert!(error.to_string().contains("GPU-1.json"), "{error}");
}

#[test]
fn a_claim_on_nothing_that_never_was_on_disk_is_no_error() {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(&JournalDirs::only(dir.path()), &uuid());
    put(&journal, &entry(Claim::default()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_env_file_that_cannot_be_replaced_stays_and_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("app.env");
    fs::write(&file, "K=4\n").unwrap();
    // A directory where the new content would be written first.
    fs::create_dir(dir.path().join(".app.env.thermal-guard")).unwrap();
    let set = |path: &Path| {
        let config = EnvFileConfig {
            path: path.to_owned(),
            key: "K".to_owned(),
            normal: "4".to_owned(),
            gradual: "1".to_owned(),
            emergency: "1".to_owned(),
        };
        envfile::take(&config, "1", None)?.0.carry_out()
    };
    let error = set(&file).unwrap_err();
    assert!(matches!(error, EnvFileError::Io { .. }), "{error}");
    assert!(error.to_string().contains("app.env"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "K=4\n");
    let error = set(&file.join("below")).unwrap_err();
    assert!(error.to_string().contains("app.env/below"), "{error}");
}

#[test]
fn a_replaced_file_keeps_an_owner_that_is_not_the_guards() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("app.env");
    fs::write(&file, "K=4\n").unwrap();
    if chown(&file, Some(12_345), Some(23_456)).is_err() {
        return; // Only root can give a file away.
    }
    let like = fs::metadata(&file).unwrap();
    replace(&file, b"K=1\n", Some(&like)).unwrap();
    let now = fs::metadata(&file).unwrap();
    assert_eq!((now.uid(), now.gid()), (12_345, 23_456));
    assert_eq!(fs::read_to_string(&file).unwrap(), "K=1\n");
}

/// Names come with each alert, from outside.
#[test]
fn of_too_many_alert_names_only_those_of_leases_stay() {
    let shared = shared();
    let lease = Lease {
        level: Level::Gradual,
        since: Moment::START,
        expires: Moment::START + Duration::from_secs(600),
        starts_at: Duration::ZERO,
    };
    let held = Holder::Alert(0);
    shared.grant(Moment::START, &uuid(), held, lease);
    for fingerprint in 0..10 * lease::CAPACITY as u64 {
        shared.name_alert(fingerprint, "GpuHot");
    }
    let kept = (0..10 * lease::CAPACITY as u64).filter(|it| shared.alert_name(*it).is_some());
    assert!(kept.count() <= 2 * lease::CAPACITY);
    assert_eq!(shared.alert_name(0).as_deref(), Some("GpuHot"));
}
