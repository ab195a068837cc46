//! A disk that refuses the journal.

use thermal_guard::guard::outcomes::{Action, ActionResult};

use super::*;

/// A busy disk may need more than one tick.
#[track_caller]
fn in_ticks(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("never");
}

#[test]
fn a_claim_the_disk_refused_is_written_once_it_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("gpus"), "in the way").unwrap();
    let mut bench = Bench::new(|uuid| Journal::open(&JournalDirs::only(dir.path()), uuid));
    let uuid = bench.rack.card(0).uuid().clone();
    bench.apply(&limit(300));
    assert_eq!(bench.rack.card(0).limit, W(300), "protection goes ahead");
    fs::remove_file(dir.path().join("gpus")).unwrap();
    let on_disk = || journal::load(&JournalDirs::only(dir.path()), &uuid).unwrap();
    in_ticks(|| {
        bench.apply(&limit(300));
        on_disk().is_some()
    });
    let entry = on_disk().expect("on disk");
    assert_eq!(entry.claim, *bench.actuation.claim());
}

#[test]
fn a_raise_that_the_disk_refuses_waits_until_it_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (gpus, aside) = (dir.path().join("gpus"), dir.path().join("aside"));
    let mut bench = Bench::new(|uuid| Journal::open(&JournalDirs::only(dir.path()), uuid));
    bench.apply(&limit(300));
    // That the limit was read back gets to the disk when there is time.
    let uuid = bench.rack.card(0).uuid().clone();
    let is_confirmed = || {
        journal::load(&JournalDirs::only(dir.path()), &uuid)
            .is_ok_and(|it| it.is_some_and(|it| it.confirmed))
    };
    in_ticks(is_confirmed);
    fs::rename(&gpus, &aside).unwrap();
    fs::write(&gpus, "in the way").unwrap();
    for raised in [limit(350), Targets::default()] {
        bench.apply(&raised);
        assert_eq!(bench.rack.card(0).limit, W(300));
    }
    let waited = (Action::PowerLimit, ActionResult::Unjournaled);
    assert_eq!(bench.counters.actions[waited], 2);
    fs::remove_file(&gpus).unwrap();
    in_ticks(|| {
        bench.apply(&limit(350));
        bench.rack.card(0).limit == W(350)
    });
}
