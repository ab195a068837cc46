use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::record::parse;
use super::writer::Writer;
use super::*;
use crate::clock::Clock;
use crate::device::{ByClock, ClockDomain, Fan, FanPolicy, FanSetting, Missing, Reading, Uuid};
use crate::guard::tests::put;
use crate::policy::{BySensor, Claim, Doubt, Sensor, State};
use crate::units::Watts;

fn entry(next: u32) -> Entry {
    let mut claim = Claim {
        locks: ByClock::only(ClockDomain::Gpu, true),
        ..Claim::default()
    };
    claim.writing(Watts::from_milliwatts(399_999), Watts::from_watts(next));
    Entry {
        uuid: Uuid::new("GPU-1"),
        claim,
        boot_id: boot_id(),
        energy_millijoules: Some(5),
        locks: ByClock::default(),
        confirmed: true,
        reason: Reason::default(),
        since: None,
    }
}

#[test]
fn a_recorded_entry_is_loaded_and_an_empty_claim_leaves_no_file() {
    let dir = tempfile::tempdir().expect("tempdir");
    let uuid = Uuid::new("GPU-1");
    let journal = Journal::open(&JournalDirs::only(dir.path()), &uuid);
    put(&journal, &entry(300));
    put(&journal, &entry(250));
    assert_eq!(
        load(&JournalDirs::only(dir.path()), &uuid).expect("readable"),
        Some(entry(250))
    );
    assert_eq!(load_all(&JournalDirs::only(dir.path())).0, [entry(250)]);
    let claim = Claim::default();
    put(&journal, &Entry { claim, ..entry(1) });
    assert_eq!(
        load(&JournalDirs::only(dir.path()), &uuid).expect("readable"),
        None
    );
}

#[test]
fn an_entry_keeps_why_and_since_when_the_claim_is_held() {
    let dir = tempfile::tempdir().expect("tempdir");
    let uuid = Uuid::new("GPU-1");
    let mut doubted = BySensor::default();
    doubted[Sensor::Core] = Some(Doubt::Frozen);
    doubted[Sensor::Memory] = Some(Doubt::Missing);
    let held = Entry {
        confirmed: false,
        reason: Reason {
            state: Some(State::Blind),
            doubted,
            hot_files: vec!["inlet".into()],
        },
        since: Some(Duration::from_millis(1_790_000_000_250)),
        ..entry(300)
    };
    put(&Journal::open(&JournalDirs::only(dir.path()), &uuid), &held);
    let loaded = load(&JournalDirs::only(dir.path()), &uuid)
        .expect("readable")
        .expect("there");
    assert_eq!(loaded, held);
    let doubts = [
        (Sensor::Core, Doubt::Frozen),
        (Sensor::Memory, Doubt::Missing),
    ];
    assert_eq!(loaded.reason.doubts(), doubts);
}

#[test]
fn fans_are_kept_with_who_set_them_and_show_that_no_driver_was_reloaded() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut held = entry(300);
    held.claim = Claim::default();
    held.claim.fans.set(0, Some(FanSetting::Automatic));
    let manual = FanSetting::Manual { percent: 45 };
    held.claim.fans.set(2, Some(manual));
    put(
        &Journal::open(&JournalDirs::only(dir.path()), &held.uuid),
        &held,
    );
    let loaded = load(&JournalDirs::only(dir.path()), &held.uuid).expect("readable");
    assert_eq!(loaded.as_ref(), Some(&held));
    // A counter that went back means a reload, which makes every fan automatic.
    let mut reading = Reading::missing(crate::units::Moment::START, Missing::NotSupported);
    reading.slow.energy_millijoules = Some(1);
    assert!(held.still_there(&reading).is_err());
    let fan = |policy| Fan {
        policy: Some(policy),
        ..Fan::default()
    };
    reading.slow.fans = vec![fan(FanPolicy::Automatic)];
    assert!(held.still_there(&reading).is_err());
    reading.slow.fans = vec![fan(FanPolicy::Manual)];
    assert_eq!(held.still_there(&reading), Ok(held.claim));
}

#[test]
fn a_journal_of_an_older_guard_is_readable_and_an_unknown_doubt_is_a_doubt() {
    let old = r#"{ "version": 1, "uuid": "GPU-1", "boot_id": "b", "energy_millijoules": 5,
        "limit": { "original_milliwatts": 400000, "previous_milliwatts": 400000, "next_milliwatts": 300000 },
        "gpu_clock_locked": true, "memory_clock_locked": false }"#;
    let Ok(entry) = parse(old.as_bytes()) else {
        panic!("readable");
    };
    assert!(entry.claim.limit.is_some() && entry.claim.locks[ClockDomain::Gpu]);
    assert!(entry.confirmed, "as it was taken to be then");
    assert_eq!((entry.reason, entry.since), (Reason::default(), None));
    let newer = old.replace(
        r#""version": 1,"#,
        r#""version": 1, "doubts": { "core": "haunted", "soul": "missing" },"#,
    );
    let Ok(entry) = parse(newer.as_bytes()) else {
        panic!("readable");
    };
    assert_eq!(entry.reason.doubts(), [(Sensor::Core, Doubt::Missing)]);
}

#[test]
fn a_rounded_limit_belongs_to_an_unconfirmed_write_and_not_to_a_confirmed_one() {
    let reads = |watts| Reading {
        limit: Ok(Watts::from_watts(watts)),
        ..Reading::missing(crate::units::Moment::START, Missing::NotSupported)
    };
    let ours = |confirmed, watts| {
        let left = Entry {
            confirmed,
            ..entry(283)
        };
        let claim = left.still_there(&reads(watts)).expect("this boot");
        assert!(claim.locks[ClockDomain::Gpu], "which can't be read");
        claim.limit.is_some()
    };
    // Rounded down or up, or clamped on its way.
    for watts in [280, 285, 350] {
        assert!(ours(false, watts), "{watts} W");
        assert!(!ours(true, watts), "{watts} W");
    }
    assert!(ours(true, 283) && ours(false, 283), "as it was asked");
    assert!(!ours(false, 200), "far under it is somebody else's");
}

#[test]
fn a_torn_or_empty_file_is_an_error_not_a_claim() {
    let dir = tempfile::tempdir().expect("tempdir");
    let uuid = Uuid::new("GPU-1");
    put(
        &Journal::open(&JournalDirs::only(dir.path()), &uuid),
        &entry(300),
    );
    let path = JournalDirs::only(dir.path()).path_of(&uuid);
    let whole = fs::read(&path).expect("file");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("torn");
        assert!(
            load(&JournalDirs::only(dir.path()), &uuid).is_err(),
            "{length}"
        );
    }
}

/// A guard that was killed between the two may have written to the card already.
#[test]
fn a_whole_file_counts_before_it_has_its_name_and_a_torn_one_does_not() {
    let dir = tempfile::tempdir().expect("tempdir");
    let uuid = Uuid::new("GPU-1");
    let journal = Journal::open(&JournalDirs::only(dir.path()), &uuid);
    put(&journal, &entry(300));
    let unnamed = dir.path().join("gpus/.GPU-1.json.thermal-guard");
    fs::rename(JournalDirs::only(dir.path()).path_of(&uuid), &unnamed).expect("renamed");
    assert_eq!(
        load(&JournalDirs::only(dir.path()), &uuid).expect("readable"),
        Some(entry(300))
    );
    assert_eq!(load_all(&JournalDirs::only(dir.path())).0, [entry(300)]);

    let newer = fs::read(&unnamed).expect("file");
    put(&journal, &entry(250));
    assert!(!unnamed.exists(), "replaced");
    fs::write(&unnamed, &newer[..newer.len() - 1]).expect("torn");
    assert_eq!(
        load(&JournalDirs::only(dir.path()), &uuid).expect("readable"),
        Some(entry(250))
    );
    assert_eq!(load_all(&JournalDirs::only(dir.path())).0, [entry(250)]);

    fs::write(&unnamed, &newer).expect("whole");
    let claim = Claim::default();
    let nothing = Entry { claim, ..entry(1) };
    put(&journal, &nothing);
    assert_eq!(
        load(&JournalDirs::only(dir.path()), &uuid).expect("readable"),
        None,
        "neither"
    );
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error() {
    let dir = tempfile::tempdir().expect("tempdir");
    fs::write(dir.path().join("gpus"), "in the way").expect("file");
    let result =
        Journal::open(&JournalDirs::only(dir.path()), &Uuid::new("GPU-1")).record(entry(300));
    assert!(matches!(result, Err(JournalError::Io { .. })), "{result:?}");
}

/// The actuation treats this like a full disk: protective writes go ahead, a raise waits.
#[test]
fn a_journal_without_its_thread_reports_an_error_and_forgets_nothing() {
    let no_threads = Arc::new(io::Error::from(io::ErrorKind::WouldBlock));
    let journal = Journal {
        writer: Writer::Failed(no_threads),
        ..Journal::none()
    };
    let result = journal.record(entry(300));
    assert!(
        matches!(result, Err(JournalError::NoWriter(_))),
        "{result:?}"
    );
    assert_eq!(journal.latest(), Some(entry(300)));
}

/// A state directory that takes nothing until it is made well, and a lock directory.
struct Spared {
    state: tempfile::TempDir,
    _lock: tempfile::TempDir,
    dirs: JournalDirs,
    uuid: Uuid,
}

impl Spared {
    fn new() -> Self {
        let (state, lock) = (tempfile::tempdir(), tempfile::tempdir());
        let (state, lock) = (state.expect("tempdir"), lock.expect("tempdir"));
        Self {
            dirs: JournalDirs::new(state.path(), Some(lock.path())),
            uuid: Uuid::new("GPU-1"),
            state,
            _lock: lock,
        }
    }

    fn break_state(&self) {
        let gpus = self.state.path().join("gpus");
        if gpus.is_dir() {
            fs::rename(&gpus, self.state.path().join("away")).expect("renamed");
        }
        fs::write(gpus, "in the way").expect("file");
    }

    fn mend_state(&self) {
        let gpus = self.state.path().join("gpus");
        fs::remove_file(&gpus).expect("removed");
        let away = self.state.path().join("away");
        if away.is_dir() {
            fs::rename(away, gpus).expect("renamed");
        }
    }

    fn load(&self) -> Option<Entry> {
        load(&self.dirs, &self.uuid).expect("readable")
    }

    fn in_spare(&self) -> bool {
        self.dirs.spare_of(&self.uuid).expect("has one").exists()
    }
}

#[test]
fn an_entry_that_the_state_directory_refuses_is_kept_in_the_spare() {
    let it = Spared::new();
    it.break_state();
    let journal = Journal::open(&it.dirs, &it.uuid);
    let recorded = journal.record(entry(300)).expect("in the spare");
    assert!(matches!(
        recorded,
        Written::InSpare(JournalError::Io { .. })
    ));
    drop(journal);
    it.mend_state();
    assert_eq!(it.load(), Some(entry(300)), "known to the next guard");
    assert_eq!(load_all(&it.dirs).0, [entry(300)]);

    put(&Journal::open(&it.dirs, &it.uuid), &entry(250));
    assert!(!it.in_spare());
    assert_eq!(it.load(), Some(entry(250)));
}

#[test]
fn the_spare_is_newer_than_what_the_state_directory_kept() {
    let it = Spared::new();
    put(&Journal::open(&it.dirs, &it.uuid), &entry(300));
    it.break_state();
    put(&Journal::open(&it.dirs, &it.uuid), &entry(200));
    it.mend_state();
    assert_eq!(it.load(), Some(entry(200)));
    assert_eq!(load_all(&it.dirs).0, [entry(200)]);

    // A directory can't be unlinked, as nothing can on a read-only disk.
    let path = it.dirs.path_of(&it.uuid);
    let left = fs::read(&path).expect("file");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("directory");
    let claim = Claim::default();
    let nothing = Entry { claim, ..entry(1) };
    put(&Journal::open(&it.dirs, &it.uuid), &nothing);
    fs::remove_dir(&path).expect("removed");
    fs::write(&path, left).expect("file");
    assert_eq!(it.load(), None, "given back, although the file is there");
    assert!(load_all(&it.dirs).0.is_empty());
    put(&Journal::open(&it.dirs, &it.uuid), &nothing);
    assert!(!it.in_spare() && !it.dirs.path_of(&it.uuid).exists());
}

#[test]
fn what_is_not_read_yet_is_not_hidden_by_a_spare() {
    let it = Spared::new();
    let journal = Journal::open(&it.dirs, &it.uuid);
    journal.set_unread(true);
    let refused = journal.record(entry(300));
    assert!(matches!(refused, Err(JournalError::Unread)), "{refused:?}");
    assert!(!it.in_spare());
}

#[test]
fn a_spare_that_fails_leaves_the_reason_of_the_state_directory() {
    let it = Spared::new();
    it.break_state();
    let spare = it.dirs.spare_of(&it.uuid).expect("has one");
    let folder = spare.parent().expect("has one");
    fs::write(folder, "in the way").expect("file");
    let refused = Journal::open(&it.dirs, &it.uuid).record(entry(300));
    assert!(
        matches!(&refused, Err(JournalError::Io { path, .. }) if path.starts_with(it.state.path())),
        "{refused:?}"
    );
    it.mend_state();
    let recorded = Journal::open(&it.dirs, &it.uuid).record(entry(300));
    assert!(matches!(recorded, Ok(Written::InPlace)), "{recorded:?}");
}

#[test]
fn a_journal_set_aside_in_this_boot_is_named_and_an_older_one_is_not() {
    let it = Spared::new();
    put(&Journal::open(&it.dirs, &it.uuid), &entry(300));
    fs::write(it.dirs.path_of(&it.uuid), "in a future tongue").expect("file");
    put(&Journal::open(&it.dirs, &it.uuid), &entry(250));
    let (entries, errors) = load_all(&it.dirs);
    assert_eq!(entries, [entry(250)]);
    let [JournalError::SetAside { path }] = &errors[..] else {
        panic!("{errors:?}");
    };
    let booted = Clock::unix().saturating_sub(Clock::since_boot());
    let before = SystemTime::UNIX_EPOCH + booted.saturating_sub(Duration::from_secs(60));
    let file = fs::File::open(path).expect("there");
    file.set_modified(before).expect("set");
    assert!(load_all(&it.dirs).1.is_empty(), "gone with its boot");
}

#[test]
fn a_hostile_uuid_stays_in_its_directory() {
    let path = JournalDirs::only(Path::new("/state")).path_of(&Uuid::new("../../etc/passwd"));
    assert_eq!(path, Path::new("/state/gpus/______etc_passwd.json"));
}
