//! The log on disk: what survives, what it may cost, what it refuses.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::events::log::{NAME_BEFORE, path};

/// Notes and waits until it is on disk. How many were written, and how many dropped.
fn write(dir: &TempDir, whats: impl IntoIterator<Item = What>) -> (u64, u64) {
    let events = Events::new();
    events.write_to(dir.path());
    for what in whats {
        events.note(None, what);
    }
    let log = lock(&events.log).take().unwrap();
    log.close().unwrap().join().unwrap();
    let counters = &events.log_counters;
    (counters.written.get(), counters.dropped.get())
}

fn read(dir: &TempDir) -> (Vec<What>, usize) {
    let history = history(dir.path()).unwrap();
    let whats = history.events.into_iter().map(|event| event.what);
    (whats.collect(), history.unreadable)
}

#[test]
fn what_was_noted_is_there_after_a_restart_and_for_the_group_only() {
    let dir = TempDir::new().unwrap();
    assert!(!history(dir.path()).unwrap().found);
    write(&dir, [xid(1), xid(2)]);
    let counts = write(&dir, [xid(3)]);
    assert_eq!(read(&dir), (vec![xid(1), xid(2), xid(3)], 0));
    assert_eq!(counts, (1, 0));
    let mode = fs::metadata(path(dir.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777 & !0o640, 0, "{mode:o}");
}

#[test]
fn a_torn_line_costs_itself_and_nothing_after_it() {
    let dir = TempDir::new().unwrap();
    write(&dir, [xid(1), xid(2)]);
    let whole = fs::read(path(dir.path())).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in first + 1..whole.len() - 1 {
        fs::write(path(dir.path()), &whole[..length]).unwrap();
        assert_eq!(read(&dir), (vec![xid(1)], 1), "{length}");
        write(&dir, [xid(3)]);
        assert_eq!(read(&dir), (vec![xid(1), xid(3)], 1), "{length}");
    }
}

#[test]
fn the_log_stays_within_its_size_and_keeps_the_newest() {
    let dir = TempDir::new().unwrap();
    let long = || What::Chain {
        from: Word::Newer("x".repeat(1000)),
        to: ChainState::Ok.into(),
    };
    for batch in 0..30 {
        let events = (0..400).map(|_| long()).chain([xid(batch)]);
        assert_eq!(write(&dir, events).1, 0);
    }
    for path in [path(dir.path()), dir.path().join(NAME_BEFORE)] {
        let size = fs::metadata(path).unwrap().len();
        assert!(size <= MAX_BYTES, "{size}");
    }
    let (whats, unreadable) = read(&dir);
    assert_eq!(unreadable, 0);
    assert_eq!(whats.last(), Some(&xid(29)));
    // 30 batches of 400 kB don't fit into two generations: the oldest are gone, and a whole one
    // always stays.
    assert!(!whats.contains(&xid(0)) && whats.contains(&xid(20)));
}

#[test]
fn a_link_is_not_followed_neither_to_write_nor_to_read() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let target = elsewhere.path().join("passwd");
    fs::write(&target, "precious\n").unwrap();
    symlink(&target, path(dir.path())).unwrap();
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    let error = history(dir.path()).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("symbolic link"), "{why}");
    // One that leads nowhere isn't filled either.
    fs::remove_file(&target).unwrap();
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert!(!target.exists());
    // Rotation replaces a link instead of writing through it.
    fs::remove_file(path(dir.path())).unwrap();
    fs::write(&target, "precious\n").unwrap();
    symlink(&target, dir.path().join(NAME_BEFORE)).unwrap();
    fs::write(
        path(dir.path()),
        vec![b'\n'; usize::try_from(MAX_BYTES).unwrap()],
    )
    .unwrap();
    assert_eq!(write(&dir, [xid(2)]).1, 0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    assert_eq!(read(&dir).0, [xid(2)]);
}

#[test]
fn a_pipe_in_its_place_does_not_hang_the_guard() {
    let dir = TempDir::new().unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "only a program makes a pipe with a name"
    )]
    let made = std::process::Command::new("mkfifo")
        .arg(path(dir.path()))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert!(history(dir.path()).is_err());
}

#[test]
fn what_could_not_be_written_leaves_a_hole_that_says_its_size() {
    let dir = TempDir::new().unwrap();
    let events = Events::new();
    // A directory in its place: nothing can be written until it is gone.
    fs::create_dir_all(path(dir.path()).join("in-the-way")).unwrap();
    events.write_to(dir.path());
    for code in 0..3 {
        events.note(None, xid(code));
    }
    let clock = Clock::start(1.0);
    while events.log_counters.dropped.get() < 3 {
        assert!(clock.wall() < Moment::from_secs_f64(20.0));
        thread::sleep(Duration::from_millis(2));
    }
    fs::remove_dir_all(path(dir.path())).unwrap();
    events.note(None, xid(3));
    events.close();
    let hole = What::Unrecorded { count: 3 };
    assert_eq!(read(&dir), (vec![hole, xid(3)], 0));
}

#[test]
fn a_hung_disk_costs_events_and_no_time() {
    // Nothing takes from the queue, as if its thread were inside a write.
    let (queue, _unread) = std::sync::mpsc::sync_channel(2);
    let events = Events::new();
    *lock(&events.log) = Some(Log::over(queue, events.log_counters.clone()));
    let clock = Clock::start(1.0);
    for code in 0..10_000 {
        events.note(None, xid(code));
    }
    assert!(clock.wall() < Moment::from_secs_f64(2.0), "never waits");
    assert_eq!(events.log_counters.dropped.get(), 10_000 - 2);
    assert_eq!(events.recent().len(), RECENT);
    assert_eq!(events.recent()[RECENT - 1].what, xid(9_999));
}
