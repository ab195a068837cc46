//! What the disk is asked for: the journal before a write, and the configuration at a start or a
//! reload. The journal's figure is mostly this machine's fsync.

use std::hint::black_box;
use std::path::Path;

use criterion::Criterion;
use tempfile::TempDir;
use thermal_guard::config::Config;
use thermal_guard::device::{ByClock, Uuid};
use thermal_guard::guard::actuate::journal::{Entry, Journal, JournalDirs, Reason, boot_id};
use thermal_guard::policy::Claim;
use thermal_guard::units::Watts;

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/deploy/thermal-guard.example.yml"
);

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("disk");
    let uuid = Uuid::new("GPU-00000000-0000-4000-8000-000000000001");
    let mut claim = Claim::default();
    claim.writing(Watts::from_watts(400), Watts::from_watts(300));
    let entry = Entry {
        uuid: uuid.clone(),
        claim,
        boot_id: boot_id(),
        energy_millijoules: Some(1),
        locks: ByClock::default(),
        confirmed: true,
        reason: Reason::default(),
        since: None,
    };
    let places = [
        ("journal, this disk", tempfile::tempdir()),
        ("journal, tmpfs", TempDir::new_in("/dev/shm")),
    ];
    for (name, place) in places {
        let place = place.expect("a directory");
        let journal = Journal::open(&JournalDirs::only(place.path()), &uuid);
        // A disk that takes too long is reported as late, and is as slow as that.
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(journal.record(entry.clone())));
        });
    }
    group.bench_function("configuration, the shipped example", |bencher| {
        bencher.iter(|| black_box(Config::load(Path::new(EXAMPLE))).expect("a valid one"));
    });
    group.finish();
}
