//! Names that try to leave their quotes, and changes that must show.

use thermal_guard::config::Mode;

use super::*;

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let mut snapshot = fleet::snapshot();
    let name = "x\"} 1\nthermal_guard_nvml_up 0\n# \\";
    let tick = fleet::bare(fleet::identity(0, name));
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    snapshot.gpus = vec![GpuView::new(
        &identity,
        Some(Arc::new(tick)),
        fleet::now(),
        poll,
    )];
    snapshot.service.apps[0].status.name = name.to_owned();
    for text in [classic(snapshot.clone()), open(snapshot)] {
        assert_eq!(samples(&text, "thermal_guard_nvml_up").len(), 1);
        let escaped = r#"name="x\"} 1\nthermal_guard_nvml_up 0\n# \\""#;
        assert!(text.contains(escaped), "the GPU's");
        assert!(
            text.contains(&escaped.replace("name=", "app=")),
            "the app's"
        );
    }
}

/// Changes of what a scrape shows, each after the ones before.
const CHANGES: [fn(&mut Snapshot); 20] = [
    |it| it.now = it.now + Duration::from_secs(10),
    |it| it.unix += Duration::from_secs(10),
    |it| it.last_scrape = Some(it.unix),
    |it| it.gpus[0].up = false,
    |it| it.gpus[0].hung = true,
    |it| it.gpus[0].paused = true,
    |it| it.gpus[0].panics += 1,
    |it| {
        let mut tick = fleet::bare(fleet::identity(1, "NVIDIA GeForce RTX 4090"));
        tick.reading.core = Ok(thermal_guard::units::Celsius::new(61.0));
        it.gpus[1].tick = Some(Arc::new(tick));
    },
    |it| it.gpus[1].identity = Arc::new(fleet::identity(9, "moved")),
    |it| it.gpus.swap(0, 1),
    |it| it.gpus.truncate(2),
    |it| it.leases.clear(),
    |it| it.endings.resolved += 1,
    |it| it.driver.up = false,
    |it| it.driver.expected += 1,
    |it| it.detached = true,
    |it| it.chain.state = thermal_guard::policy::ChainState::Down,
    |it| it.chain.heartbeat_age = Some(Duration::from_secs(99)),
    |it| it.service.mode = Mode::Observe,
    |it| it.service.apps[0].status.well = Some(true),
];

#[test]
fn every_change_shows() {
    let mut snapshot = fleet::snapshot();
    let mut before = open(snapshot.clone());
    for (number, change) in CHANGES.iter().enumerate() {
        change(&mut snapshot);
        let text = open(snapshot.clone());
        assert!(text != before, "change {number} tests nothing");
        before = text;
    }
}
