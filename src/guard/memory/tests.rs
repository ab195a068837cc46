use super::*;
use crate::device::Uuid;
use crate::policy::Level;
use crate::policy::cooling::Remembered;

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
    let writer = Writer::start(path(dir.path())).unwrap().unwrap();
    writer.write(record());
    writer.settle(Duration::from_secs(10));
    assert_eq!(load(dir.path()), record());
    assert!(load(dir.path()).detached);
}

#[test]
fn two_guards_do_not_write_one_memory() {
    let dir = tempfile::tempdir().unwrap();
    let first = Writer::start(path(dir.path())).unwrap();
    assert!(first.is_some());
    assert!(Writer::start(path(dir.path())).unwrap().is_none());
}

#[test]
fn a_clock_step_within_a_boot_changes_nothing_that_is_remembered() {
    let at = |boot_id: &str, seconds: f64| SinceBoot {
        boot_id: boot_id.to_owned(),
        seconds,
    };
    let record = record().saved_at(at("one", 100.0));
    let (hour, day) = (3600.0, hours(24));
    for unix in [NOW, NOW + day, NOW.saturating_sub(day)] {
        let present = record.present(unix, &at("one", 100.0 + hour));
        assert_eq!(record.leases(present), [kept(Level::Emergency, hours(5))]);
        // Another boot, or a clock that can't be: the wall clock counts.
        assert_eq!(record.present(unix, &at("two", 100.0 + hour)), unix);
        assert_eq!(record.present(unix, &at("one", 0.0)), unix);
    }
    assert_eq!(record.ended(NOW), 0);
    assert_eq!(record.ended(NOW + hours(2)), 1);
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

fn coolings() -> Coolings {
    let known = CardCooling {
        name: "H100".to_owned(),
        pci_bus_id: "00000000:17:00.0".to_owned(),
        remembered: Remembered {
            pictures: [
                crate::policy::cooling::Kept {
                    fits: vec![0.1; 24],
                    baseline: Some(0.08),
                },
                crate::policy::cooling::Kept::default(),
            ],
            air_offset: Some(4.5),
            fans_score: 0.0,
        },
        ratio: Some(1.25),
        is_present: false,
    };
    Coolings::from([(Uuid::new("GPU-1"), known)])
}

#[test]
fn how_well_a_card_was_cooled_outlives_the_guard() {
    let text = serde_json::to_vec(&record().cooled(&coolings())).unwrap();
    assert_eq!(Record::parse(&text).unwrap().coolings(), coolings());
    assert!(text.len() < 2000, "{} bytes a card", text.len());
    // A record from before has none, and one of another version is forgotten.
    let text = serde_json::to_string(&record()).unwrap();
    assert_eq!(
        Record::parse(text.as_bytes()).unwrap().coolings(),
        Coolings::new()
    );
    let newer = r#"{"version": 1, "saved_unix_seconds": 1, "cooling": {"version": 2, "cards": {"GPU-1": {"fits": 7}}}}"#;
    assert_eq!(
        Record::parse(newer.as_bytes()).unwrap().coolings(),
        Coolings::new()
    );
}

/// Half a file is no JSON, and `newest` takes the one before. What is JSON and nonsense is no baseline,
/// and costs nothing else.
#[test]
fn a_damaged_record_of_the_cooling_costs_no_lease() {
    let cards = [
        "7",
        "[]",
        r#"{"GPU-1": 7}"#,
        r#"{"GPU-1": {"fixed": {"kelvin_per_watt": ["cold"]}}}"#,
        r#"{"GPU-1": {"fixed": {"kelvin_per_watt": [-1, 1e300, 0], "baseline_kelvin_per_watt": -3}}}"#,
    ];
    for cards in cards {
        let text = format!(
            r#"{{"version": 1, "saved_unix_seconds": 1, "cooling": {{"version": 1, "cards": {cards}}},
            "leases": [{{"uuid": "GPU-1", "level": "gradual", "ends_unix_seconds": 60}}]}}"#
        );
        let record = Record::parse(text.as_bytes()).unwrap();
        assert_eq!(record.leases(Duration::ZERO).len(), 1, "{cards}");
        let known = record.coolings();
        assert!(known.values().all(|it| it.ratio.is_none()), "{known:?}");
    }
}

#[test]
fn a_disk_that_takes_nothing_costs_only_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("state");
    std::fs::create_dir(&place).unwrap();
    let writer = Writer::start(path(&place)).unwrap().unwrap();
    std::fs::remove_dir_all(&place).unwrap();
    writer.write(record().cooled(&coolings()));
    writer.settle(Duration::from_secs(10));
    assert_eq!(load(&place), Record::default());
    // As soon as it takes something again, all of it is there.
    std::fs::create_dir(&place).unwrap();
    writer.write(record().cooled(&coolings()));
    writer.settle(Duration::from_secs(10));
    assert_eq!(load(&place).coolings(), coolings());
    assert_eq!(load(&place).leases(NOW).len(), 1);
}
