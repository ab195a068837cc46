//! Sensors beside the cards' own, in virtual time: files that say they are hot, and files that say
//! nothing any more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use thermal_guard::config::{Config, SensorConfig};
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::Live;
use thermal_guard::policy::{Doubt, Level, Settings, State};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Watts};

use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// Longer than any recovery takes.
const LONG: u64 = 1200;

/// Two cards at work in a cool room, and an inlet probe: alert 38 °C, safe 32 °C.
struct Bench {
    node: Node,
    dir: TempDir,
    original: Watts,
}

impl Bench {
    fn new(gpus: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let a100 = profile::named("a100-80gb").unwrap();
        let node = Node::new(&[a100, a100], &Settings::default());
        node.set(0, room(COOL));
        node.set(1, room(COOL));
        let bench = Self {
            original: node.limit(0),
            node,
            dir,
        };
        bench.inlet(25.0);
        bench.configure(gpus);
        bench
    }

    /// Throttled by a hot inlet, whose probe is gone then; and the limit that is held.
    fn held_by_a_lost_probe() -> (Self, Watts) {
        let mut bench = Self::new("all");
        bench.node.run(30);
        bench.inlet(40.0);
        bench.node.run(120);
        let held = bench.node.limit(0);
        assert!(held < bench.original);
        bench.lose();
        (bench, held)
    }

    /// With an inlet probe for these GPUs.
    fn configure(&self, gpus: &str) {
        self.node.shared.reload(Live {
            sensors: self.sensors(gpus),
            ..Live::default()
        });
    }

    fn sensors(&self, gpus: &str) -> Vec<SensorConfig> {
        let yaml = format!(
            "sensors: [{{ name: inlet, gpus: {gpus}, file: inlet, unit: millicelsius, critical: 45 }}]"
        );
        Config::from_yaml_in(&yaml, self.dir.path())
            .unwrap()
            .sensors
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("inlet")
    }

    fn inlet(&self, degrees: f64) {
        // As a kernel would: never half.
        let new = self.dir.path().join("new");
        fs::write(&new, format!("{:.0}\n", degrees * 1000.0)).unwrap();
        fs::rename(new, self.file()).unwrap();
    }

    fn lose(&self) {
        fs::remove_file(self.file()).unwrap();
    }

    /// Ticks until the first card is in `state`, for at most some minutes.
    #[track_caller]
    fn until(&mut self, state: State) {
        self.node
            .run_until(LONG, |ticks| ticks[0].decision.state == state);
    }

    /// Ticks for `seconds`, `holds` on every one.
    #[track_caller]
    fn all_along(&mut self, seconds: u64, holds: impl Fn(&Tick, Watts) -> bool) {
        for second in 0..seconds {
            let tick = self.node.step().swap_remove(0);
            let limit = self.node.limit(0);
            assert!(holds(&tick, limit), "{second}: {limit} {:?}", tick.decision);
        }
    }

    #[track_caller]
    fn assert_untouched(&self, card: usize) {
        let card = self.node.rack.card(card);
        assert_eq!(card.limit, self.original);
        assert_eq!((card.gpu_clock, card.memory_clock), (None, None));
    }
}

#[test]
fn a_hot_inlet_throttles_a_cool_card_and_gives_back_when_it_cools() {
    let mut bench = Bench::new("all");
    bench.all_along(60, |tick, _| tick.decision.state == State::Normal);
    bench.inlet(37.0);
    let ticks = bench.node.step();
    assert_eq!(ticks[0].decision.state, State::Gradual, "one under alert");
    assert!(ticks[0].decision.heat.unwrap().to_alert <= Celsius::new(1.0));
    bench.inlet(40.0);
    let original = bench.original;
    bench.node.run(120);
    assert!(bench.node.limit(0) < original && bench.node.limit(1) < original);
    bench.inlet(45.0);
    let ticks = bench.node.step();
    assert_eq!(ticks[0].decision.state, State::Emergency, "at critical");
    bench.inlet(25.0);
    bench.until(State::Normal);
    bench.assert_untouched(0);
}

#[test]
fn a_probe_counts_for_its_own_gpus_only() {
    let mut bench = Bench::new("[1]");
    bench.inlet(50.0);
    let ticks = bench.node.run(30);
    assert_eq!(ticks[0].decision.state, State::Normal);
    assert!(ticks[0].probes.is_empty());
    assert_eq!(ticks[1].decision.state, State::Emergency);
    assert_eq!(bench.node.rack.card(0).limit_writes, 0);
}

#[test]
fn a_missing_probe_throttles_nothing_blinds_nothing_and_is_seen() {
    let mut bench = Bench::new("all");
    bench.node.run(30);
    bench.lose();
    bench.all_along(600, |tick, _| {
        let decision = &tick.decision;
        let own = decision
            .heat
            .is_some_and(|heat| heat.to_alert > Celsius::new(2.0));
        decision.state == State::Normal && decision.doubt == Some(Doubt::ExtraSensor) && own
    });
    assert_eq!(bench.node.rack.card(0).limit_writes, 0);
    // Its own sensor protects it as ever.
    bench.node.set(0, room(Celsius::new(42.0)));
    bench.until(State::Gradual);
    bench.node.set(0, Conditions::full_load(COOL));
    bench.until(State::Normal);
    bench.assert_untouched(0);
    bench.inlet(25.0);
    assert_eq!(bench.node.run(3)[0].decision.doubt, None);
}

#[test]
fn what_a_probe_held_when_it_was_lost_is_not_given_back_before_it_is_read_again() {
    let (mut bench, held) = Bench::held_by_a_lost_probe();
    bench.all_along(LONG, |tick, limit| {
        tick.decision.state == State::Gradual && limit == held
    });
    bench.inlet(25.0);
    bench.until(State::Normal);
    bench.assert_untouched(0);
}

#[test]
fn what_a_lost_probe_held_is_not_given_back_by_another_guard_or_under_another_configuration() {
    for restarts in [true, false] {
        let (mut bench, held) = Bench::held_by_a_lost_probe();
        bench.node.run(5);
        if restarts {
            bench.node.restart(0);
        } else {
            let mut sensors = bench.sensors("all");
            sensors[0].trips.critical = Celsius::new(46.0);
            bench.node.shared.reload(Live {
                sensors,
                ..Live::default()
            });
        }
        bench.all_along(LONG, |tick, limit| {
            tick.decision.state == State::Gradual && limit == held
        });
        bench.inlet(25.0);
        bench.until(State::Normal);
        bench.assert_untouched(0);
    }
}

#[test]
fn a_probe_that_was_never_there_keeps_nothing_from_the_next_guard() {
    let mut bench = Bench::new("all");
    bench.lose();
    bench.node.set(0, room(Celsius::new(42.0)));
    bench.until(State::Gradual);
    bench.node.restart(0);
    bench.node.set(0, Conditions::full_load(COOL));
    bench.until(State::Normal);
    bench.assert_untouched(0);
}

#[test]
fn a_probe_lost_above_safe_does_not_keep_what_only_a_lease_held() {
    let mut bench = Bench::new("all");
    bench.inlet(34.0);
    let tick = bench.node.run(30).remove(0);
    assert_eq!(tick.decision.state, State::Normal);
    bench.lose();
    bench
        .node
        .fire(0, 1, Level::Gradual, Duration::from_secs(30));
    bench.until(State::Gradual);
    bench.until(State::Normal);
    bench.assert_untouched(0);
}

#[test]
fn an_emergency_of_a_lost_probe_stays_one() {
    let mut bench = Bench::new("all");
    bench.inlet(46.0);
    bench.until(State::Emergency);
    bench.lose();
    bench.all_along(LONG, |tick, _| tick.decision.state == State::Emergency);
}

#[test]
fn an_operator_can_do_without_a_lost_probe() {
    let throttled = || {
        let mut bench = Bench::new("all");
        bench.inlet(40.0);
        bench.node.run(120);
        bench.lose();
        bench.node.run(10);
        assert!(bench.node.limit(0) < bench.original);
        bench
    };
    let mut paused = throttled();
    let until = paused.node.now() + Duration::from_secs(LONG);
    paused.node.shared.pause(&paused.node.uuid(0), until);
    paused.until(State::Normal);
    paused.assert_untouched(0);
    let mut unconfigured = throttled();
    unconfigured.node.shared.reload(Live::default());
    unconfigured.until(State::Normal);
    unconfigured.assert_untouched(0);
}

#[test]
fn garbage_is_missing_and_never_cool() {
    let mut bench = Bench::new("all");
    bench.inlet(40.0);
    bench.node.run(120);
    let held = bench.node.limit(0);
    for garbage in ["", "N/A\n", "-128000\n", "20\u{0}000\n", "1e4\n"] {
        fs::write(bench.file(), garbage).unwrap();
        bench.all_along(60, |tick, limit| {
            tick.probes[0].now.is_none() && tick.decision.state == State::Gradual && limit == held
        });
    }
}

#[test]
fn a_probe_at_critical_makes_a_blind_card_an_emergency() {
    let mut bench = Bench::new("all");
    bench.node.run(30);
    bench.node.fault(0, Fault::NoTemperature);
    bench.until(State::Blind);
    let cap = bench.node.run(10)[0].decision.targets.limit.unwrap();
    bench.inlet(46.0);
    let decision = bench.node.run(2)[0].decision;
    assert_eq!(decision.state, State::Blind, "whatever stands beside it");
    assert!(decision.targets.limit.unwrap() < cap);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let mut bench = Bench::new("all");
    bench.node.run(30);
    // Opening a pipe without a writer would wait for ever.
    fs::remove_file(bench.file()).unwrap();
    assert!(make_pipe(&bench.file()), "no pipe");
    bench.all_along(60, |tick, _| {
        tick.decision.state == State::Normal && tick.probes[0].now.is_none()
    });
}

#[expect(clippy::disallowed_methods, reason = "a test may start mkfifo")]
fn make_pipe(path: &std::path::Path) -> bool {
    std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .is_ok_and(|status| status.success())
}
