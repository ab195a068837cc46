use super::*;
use crate::device::Uuid;
use crate::policy::Level;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

fn kept<T>(what: T, left: Duration) -> Kept<T> {
    let uuid = Uuid::new("GPU-1");
    Kept { uuid, what, left }
}

fn record() -> Record {
    let leases = [kept(Level::Emergency, hours(6))];
    Record::new(NOW, &leases, &[kept((), hours(1))], Some(NOW), true)
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load(dir.path()), Record::default());
    let writer = Writer::start(path(dir.path())).unwrap();
    writer.write(record());
    writer.settle(Duration::from_secs(10));
    assert_eq!(load(dir.path()), record());
    assert!(load(dir.path()).detached);
}

#[test]
fn the_time_without_a_guard_counts() {
    let later = NOW + hours(2);
    assert_eq!(record().leases(later), [kept(Level::Emergency, hours(4))]);
    assert_eq!(record().pauses(later), []);
    assert_eq!(record().heartbeat_age(later), Some(hours(2)));
}

#[test]
fn a_clock_that_went_back_makes_nothing_longer() {
    let before = NOW.saturating_sub(hours(100));
    assert_eq!(record().leases(before), [kept(Level::Emergency, hours(6))]);
    assert_eq!(record().heartbeat_age(before), Some(Duration::ZERO));
}

#[test]
fn what_is_no_record_is_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["", "{}", r#"{"version": 2, "saved_unix_seconds": 1}"#, "\0"] {
        std::fs::write(path(dir.path()), text).unwrap();
        assert_eq!(load(dir.path()), Record::default(), "{text}");
    }
    let odd = r#"{"version": 1, "saved_unix_seconds": 1e300, "leases": [
        {"uuid": "GPU-1", "level": "emergency", "ends_unix_seconds": 1e301},
        {"uuid": "GPU-1", "level": "colder", "ends_unix_seconds": 1.8e9},
        {"uuid": "GPU-1", "level": "gradual", "ends_unix_seconds": -5}]}"#;
    std::fs::write(path(dir.path()), odd).unwrap();
    assert_eq!(load(dir.path()).leases(NOW), []);
}
