use super::*;

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn lease(level: Level, now: u64, starts_at: u64) -> Lease {
    let starts_at = Duration::from_secs(starts_at);
    Lease {
        level,
        since: at(now),
        expires: at(now + 30),
        starts_at,
    }
}

fn gpu(name: &str) -> Uuid {
    Uuid::new(name)
}

#[test]
fn the_same_alert_twice_is_one_lease() {
    let mut table = LeaseTable::default();
    let alert = Holder::Alert(7);
    assert_eq!(
        table.grant(at(0), &gpu("a"), alert, lease(Level::Gradual, 0, 0)),
        Granted::New
    );
    let again = lease(Level::Gradual, 20, 0);
    assert_eq!(
        table.grant(at(20), &gpu("a"), alert, again),
        Granted::Renewed
    );
    assert_eq!(table.of(&gpu("a")).count(), 1);
    assert_eq!(table.asked(at(49), &gpu("a")).alert, Level::Gradual);
    assert_eq!(table.asked(at(50), &gpu("a")).alert, Level::None);
    assert_eq!(table.endings().expired, 1);
}

#[test]
fn a_lease_is_on_its_own_gpu_only() {
    let mut table = LeaseTable::default();
    table.grant(
        at(0),
        &gpu("b"),
        Holder::Alert(u64::MAX),
        lease(Level::Emergency, 0, 0),
    );
    table.grant(
        at(0),
        &gpu("b"),
        Holder::Manual,
        lease(Level::Gradual, 0, 0),
    );
    assert_eq!(table.asked(at(1), &gpu("a")), Asked::default());
    assert_eq!(table.asked(at(1), &gpu("c")), Asked::default());
    let asked = Asked {
        alert: Level::Emergency,
        manual: Level::Gradual,
    };
    assert_eq!(table.asked(at(1), &gpu("b")), asked);
}

#[test]
fn a_late_resolved_of_an_earlier_firing_ends_nothing() {
    let mut table = LeaseTable::default();
    let (a, alert) = (gpu("a"), Holder::Alert(7));
    table.grant(at(0), &a, alert, lease(Level::Gradual, 0, 100));
    assert_eq!(
        table.resolve(at(3), &a, alert, Duration::from_secs(99)),
        Ended::Stale
    );
    assert_eq!(
        table.resolve(at(3), &a, alert, Duration::from_secs(100)),
        Ended::Released
    );
    assert_eq!(
        table.resolve(at(3), &a, alert, Duration::from_secs(100)),
        Ended::Unknown
    );
}

#[test]
fn a_flood_evicts_the_lowest_and_never_an_emergency() {
    let mut table = LeaseTable::default();
    let a = gpu("a");
    table.grant(at(0), &a, Holder::Alert(0), lease(Level::Emergency, 0, 0));
    for fingerprint in 1..10 * CAPACITY as u64 {
        table.grant(
            at(1),
            &a,
            Holder::Alert(fingerprint),
            lease(Level::Gradual, 1, 0),
        );
    }
    assert_eq!(table.of(&a).count(), CAPACITY);
    assert_eq!(table.asked(at(2), &a).alert, Level::Emergency);
    for fingerprint in 0..CAPACITY as u64 {
        let emergency = lease(Level::Emergency, 2, 0);
        table.grant(at(2), &a, Holder::Alert(1 << 32 | fingerprint), emergency);
    }
    let refused = table.grant(
        at(3),
        &a,
        Holder::Alert(u64::MAX),
        lease(Level::Gradual, 3, 0),
    );
    assert_eq!(refused, Granted::Refused);
}

#[test]
fn the_highest_level_of_all_leases_counts() {
    let asked = |alert, manual| Asked { alert, manual }.level();
    assert_eq!(asked(Level::None, Level::None), Level::None);
    assert_eq!(asked(Level::Gradual, Level::None), Level::Gradual);
    assert_eq!(asked(Level::Gradual, Level::Emergency), Level::Emergency);
}

#[test]
fn a_renewal_keeps_since_when_and_the_newest_start() {
    let mut table = LeaseTable::default();
    let (a, alert) = (gpu("a"), Holder::Alert(7));
    table.grant(at(0), &a, alert, lease(Level::Gradual, 0, 100));
    table.grant(at(9), &a, alert, lease(Level::Emergency, 9, 90));
    let held = table.of(&a).next().map(|(_, lease)| *lease);
    let renewed = Lease {
        level: Level::Emergency,
        since: at(0),
        expires: at(39),
        starts_at: Duration::from_secs(100),
    };
    assert_eq!(held, Some(renewed));
}

/// A full table: gradual leases, number 3 the first to expire.
fn full() -> LeaseTable {
    let mut table = LeaseTable::default();
    for number in 0..CAPACITY as u64 {
        let since = if number == 3 { 1 } else { 2 };
        let lease = lease(Level::Gradual, since, 0);
        let granted = table.grant(at(2), &gpu("a"), Holder::Alert(number), lease);
        assert_eq!(granted, Granted::New, "{number}");
    }
    table
}

#[test]
fn a_full_gpu_makes_room_for_a_higher_level_only() {
    let (a, new) = (gpu("a"), Holder::Alert(1 << 32));
    let mut table = full();
    let same = table.grant(at(3), &a, new, lease(Level::Gradual, 3, 0));
    assert_eq!((same, table.endings().evicted), (Granted::Refused, 0));
    let higher = table.grant(at(3), &a, new, lease(Level::Emergency, 3, 0));
    assert_eq!((higher, table.endings().evicted), (Granted::New, 1));
    let first = table.resolve(at(3), &a, Holder::Alert(3), Duration::ZERO);
    assert_eq!(first, Ended::Unknown, "the first to expire went");
    assert_eq!(table.of(&a).count(), CAPACITY);
}

#[test]
fn room_is_each_gpus_own() {
    let (b, held) = (gpu("b"), Holder::Alert(1 << 32));
    let mut table = LeaseTable::default();
    table.grant(at(2), &b, held, lease(Level::Gradual, 2, 0));
    for number in 0..2 * CAPACITY as u64 {
        let lease = lease(Level::Emergency, 2, 0);
        table.grant(at(2), &gpu("a"), Holder::Alert(number), lease);
    }
    assert_eq!(table.asked(at(3), &b).alert, Level::Gradual);
    let more = table.grant(at(3), &b, Holder::Alert(7), lease(Level::Gradual, 3, 0));
    assert_eq!((more, table.endings().evicted), (Granted::New, 0));
    assert_eq!(table.count(), CAPACITY + 2);
    let began = |holder| (holder, Level::Gradual, Turn::Began);
    let turns = table.take_turns(&b);
    assert_eq!(turns, [began(held), began(Holder::Alert(7))]);
}

#[test]
fn an_operators_lease_has_room_and_no_alert_evicts_it() {
    let (a, operator) = (gpu("a"), Holder::Manual);
    let mut table = full();
    let manual = table.grant(at(3), &a, operator, lease(Level::Gradual, 3, 0));
    assert_eq!((manual, table.endings().evicted), (Granted::New, 0));
    for number in 0..2 * CAPACITY as u64 {
        let emergency = lease(Level::Emergency, 3, 0);
        table.grant(at(3), &a, Holder::Alert(1 << 32 | number), emergency);
    }
    assert_eq!(table.asked(at(4), &a).manual, Level::Gradual);
    assert_eq!(table.of(&a).count(), CAPACITY + 1);
}

#[test]
fn endings_are_counted_each_for_itself() {
    let mut table = LeaseTable::default();
    let a = gpu("a");
    for number in 0..3 {
        table.grant(
            at(0),
            &a,
            Holder::Alert(number),
            lease(Level::Gradual, 0, 0),
        );
    }
    table.resolve(at(3), &a, Holder::Alert(0), Duration::ZERO);
    table.expire(at(30));
    let endings = Endings {
        expired: 2,
        resolved: 1,
        evicted: 0,
    };
    assert_eq!(table.endings(), endings);
}

#[test]
fn a_change_of_a_lease_is_reported_once_and_to_its_gpu() {
    let mut table = LeaseTable::default();
    let (a, b) = (gpu("a"), gpu("b"));
    let (one, two) = (Holder::Alert(1), Holder::Alert(2));
    let (gradual, emergency) = (Level::Gradual, Level::Emergency);
    table.grant(at(0), &a, one, lease(gradual, 0, 0));
    table.grant(at(0), &b, one, lease(gradual, 0, 0));
    table.grant(at(1), &a, one, lease(gradual, 1, 0));
    table.grant(at(2), &a, one, lease(emergency, 2, 0));
    table.grant(at(3), &a, two, lease(gradual, 3, 0));
    table.resolve(at(3), &a, one, Duration::ZERO);
    table.expire(at(33));
    let of_a = [
        (one, gradual, Turn::Began),
        (one, emergency, Turn::Changed),
        (two, gradual, Turn::Began),
        (one, emergency, Turn::Resolved),
        (two, gradual, Turn::Expired),
    ];
    assert_eq!(table.take_turns(&a), of_a);
    assert_eq!(table.take_turns(&a), []);
    let of_b = [(one, gradual, Turn::Began), (one, gradual, Turn::Expired)];
    assert_eq!(table.take_turns(&b), of_b);
}

#[test]
fn of_too_many_changes_the_oldest_are_dropped_first() {
    let mut table = full();
    let new = lease(Level::Emergency, 3, 0);
    table.grant(at(3), &gpu("a"), Holder::Alert(1 << 32), new);
    let turns = table.take_turns(&gpu("a"));
    assert_eq!(turns.first().map(|turn| turn.0), Some(Holder::Alert(2)));
    let evicted = (Holder::Alert(3), Level::Gradual, Turn::Evicted);
    let began = (Holder::Alert(1 << 32), Level::Emergency, Turn::Began);
    assert_eq!(turns[turns.len() - 2..], [evicted, began]);
    assert_eq!(turns.len(), CAPACITY);
}

#[test]
fn turns_are_told_in_words() {
    let words = [
        Turn::Began,
        Turn::Changed,
        Turn::Expired,
        Turn::Resolved,
        Turn::Evicted,
    ]
    .map(Turn::name);
    assert_eq!(words, ["began", "changed", "expired", "ended", "evicted"]);
}

#[test]
fn an_alert_holds_something_while_any_gpu_has_its_lease() {
    let mut table = LeaseTable::default();
    table.grant(
        at(0),
        &gpu("b"),
        Holder::Alert(7),
        lease(Level::Gradual, 0, 9),
    );
    assert!(table.holds(7) && !table.holds(8));
    table.resolve(at(3), &gpu("b"), Holder::Alert(7), Duration::from_secs(9));
    assert!(!table.holds(7));
}

#[test]
fn a_lease_whose_time_is_over_is_counted_once_however_late_its_end_is_told() {
    let mut table = LeaseTable::default();
    let (a, alert) = (gpu("a"), Holder::Alert(7));
    table.grant(at(0), &a, alert, lease(Level::Gradual, 0, 0));
    let shown = |table: &LeaseTable, second| {
        let mut copy = table.clone();
        copy.expire(at(second));
        (copy.endings().expired, copy.endings().resolved)
    };
    assert_eq!(shown(&table, 31), (1, 0));
    let late = table.resolve(at(32), &a, alert, Duration::ZERO);
    assert_eq!(late, Ended::Unknown);
    assert_eq!(shown(&table, 32), (1, 0));
}
