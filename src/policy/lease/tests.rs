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
        table.resolve(&a, alert, Duration::from_secs(99)),
        Ended::Stale
    );
    assert_eq!(
        table.resolve(&a, alert, Duration::from_secs(100)),
        Ended::Released
    );
    assert_eq!(
        table.resolve(&a, alert, Duration::from_secs(100)),
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
