//! Single odd answers of a driver, each plausible by itself: none of them becomes what is given back, or
//! ends a claim.

use thermal_guard::policy::FanTarget;
use thermal_guard::sim::card::Fault;

use super::*;

fn full_fans() -> Targets {
    Targets {
        fans: FanTarget::Full,
        ..Targets::default()
    }
}

#[test]
fn a_limit_that_was_odd_once_before_the_first_write_is_not_given_back() {
    for odd in [350, 260, 120] {
        let mut bench = Bench::new(|_| Journal::none());
        bench.rack.card(0).limit = W(300);
        bench.script.lock().unwrap().odd_limit = Some(W(odd));
        bench.apply(&limit(odd.min(250) - 10));
        let claim = bench.actuation.claim().limit.unwrap();
        assert_eq!(claim.original, W(300), "{odd}");
        bench.apply(&Targets::default());
        assert_eq!(bench.rack.card(0).limit, W(300), "{odd}");
        assert!(bench.actuation.claim().is_empty(), "{odd}");
    }
}

#[test]
fn a_target_below_an_odd_limit_and_above_the_true_one_is_not_written() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.rack.card(0).limit = W(300);
    bench.script.lock().unwrap().odd_limit = Some(W(350));
    bench.apply(&limit(340));
    assert_eq!(bench.rack.card(0).limit, W(300));
    assert!(bench.actuation.claim().is_empty());
}

#[test]
fn a_fan_that_was_odd_once_is_given_back_to_the_firmware() {
    for percent in [35, 100, u32::MAX] {
        let mut bench = Bench::on("gtx-1080-ti", |_| Journal::none());
        bench.actuation.set_range(bench.gpu.facts());
        bench.script.lock().unwrap().odd_fan = Some(FanSetting::Manual { percent });
        bench.apply(&full_fans());
        let originals: Vec<_> = bench.actuation.claim().fans.iter().collect();
        assert_eq!(originals, [(0, FanSetting::Automatic)], "{percent}");
        bench.apply(&Targets::default());
        assert_eq!(bench.gpu.fan(0), Ok(FanSetting::Automatic), "{percent}");
        assert!(bench.actuation.claim().is_empty(), "{percent}");
    }
}

/// The power follows at once if the fans weren't taken: so a claim on them must say the truth.
#[test]
fn fans_whose_claim_the_disk_refuses_are_not_claimed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("gpus"), "in the way").unwrap();
    let journal = |uuid: &Uuid| Journal::open(&JournalDirs::only(dir.path()), uuid);
    let mut bench = Bench::on("gtx-1080-ti", journal);
    bench.actuation.set_range(bench.gpu.facts());
    bench.apply(&full_fans());
    assert!(!bench.actuation.claim().fans.any());
    assert_eq!(bench.gpu.fan(0), Ok(FanSetting::Automatic));
}

#[test]
fn an_energy_count_that_was_odd_once_is_not_believed_on_fast_ticks_either() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    let mut energy = |seconds| {
        let now = Moment::from_start(Duration::from_secs(seconds));
        worker
            .tick(now, now, &shared)
            .reading
            .slow
            .energy_millijoules
    };
    let believed = energy(1);
    bench.script.lock().unwrap().odd_energy = Some(500_000_000_000_000);
    for second in 2..10 {
        assert_eq!(energy(second), believed, "{second}");
    }
    assert_eq!(bench.script.lock().unwrap().odd_energy, None, "it was told");
}

#[test]
fn a_limit_that_is_odd_once_ends_no_claim_at_a_takeover_or_on_leaving() {
    for at_takeover in [true, false] {
        let mut bench = Bench::new(|_| Journal::none());
        let odd = Some(W(351));
        bench.script.lock().unwrap().odd_limit = odd.filter(|_| at_takeover);
        let (mut worker, shared) = holding(&mut bench);
        bench.script.lock().unwrap().odd_limit = odd.filter(|_| !at_takeover);
        worker.leave(Moment::START, &shared);
        assert_eq!(bench.rack.card(0).limit, W(400), "{at_takeover}");
    }
}

#[test]
fn a_lost_card_that_the_configuration_no_longer_names_is_let_go() {
    let bench = Bench::new(|_| Journal::none());
    let driver = ScriptedDriver(bench.rack.clone(), bench.script.clone());
    let identity = driver.inventory().unwrap().remove(0);
    let told = Arc::new(Told::default());
    let shared = shared(Live::default(), 1.0).with_apps(told.clone());
    let setup = Setup {
        actuation: Actuation::new(identity.uuid.clone(), Journal::none()),
        identity,
        driver: Arc::new(driver),
        left: None,
        may_write: true,
    };
    let mut worker = Worker::new(setup, shared.live());
    let mut tick = |seconds: std::ops::Range<u64>| {
        for second in seconds {
            let now = Moment::from_start(Duration::from_secs(second));
            worker.tick(now, now, &shared);
        }
        worker.is_retired()
    };
    tick(0..5);
    bench.rack.card(0).fault = Fault::Lost;
    assert!(!tick(5..10), "it is named");
    shared.reload(Live {
        gpus: GpuSelection::Listed(vec![GpuRef::Uuid("GPU-another".to_owned())]),
        ..Live::default()
    });
    assert!(tick(10..12));
    assert_eq!(told.0.lock().unwrap().last(), Some(&AppMode::Gradual));
    worker.retire(Moment::from_start(Duration::from_secs(12)), &shared);
    assert_eq!(told.0.lock().unwrap().last(), Some(&AppMode::Normal));
    let events = shared.events.recent();
    let count = |is: fn(&What) -> bool| events.iter().filter(|it| is(&it.what)).count();
    let began = count(|what| matches!(what, What::TroubleBegan { .. }));
    let ended = count(|what| matches!(what, What::TroubleEnded { .. }));
    assert!(began > 0 && began == ended, "{events:#?}");
    let throttles = count(|what| matches!(what, What::Blinded(_)));
    assert_eq!(
        throttles,
        count(|what| matches!(what, What::Left { capped: false }))
    );
}
