//! Files that hang, are slow, or answer too late, without a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::config::Config;
use crate::device::Driver;
use crate::sim::card::{Card, Rack};
use crate::sim::node::AT_REST;
use crate::sim::profile;

const POLL: Duration = Duration::from_secs(1);

/// A sensor that answers what it is handed, when it is handed it.
struct Bench {
    probes: Probes,
    actuation: Sender<Answer>,
    reads: Arc<AtomicU32>,
    gpu: Arc<Identity>,
}

impl Bench {
    fn new() -> Self {
        let yaml = "sensors: [{ name: inlet, file: /x, unit: celsius, critical: 45 }]";
        let config = Config::from_yaml(yaml).expect("a sensor").sensors.remove(0);
        let (actuation, handed) = channel();
        let reads = Arc::new(AtomicU32::new(0));
        let counted = reads.clone();
        let reader = Reader::spawn(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            handed.recv().unwrap_or(Err(FileSensorError::NotAFile))
        });
        let card = Card::new(
            profile::named("l40s").expect("a card"),
            0,
            Box::new(|_| AT_REST),
        );
        let rack = Rack::new(vec![card], || Moment::START);
        Self {
            probes: Probes(vec![Watch::new(&config, reader)]),
            actuation,
            reads,
            gpu: rack.inventory().expect("a GPU").remove(0),
        }
    }

    fn say(&self, degrees: f64) {
        let said = self.actuation.send(Ok(Celsius::new(degrees)));
        said.expect("its thread lives");
    }

    fn at(&mut self, second: u32) -> Option<f64> {
        let now = Moment::from_secs_f64(f64::from(second));
        let probe = self.probes.read(now, POLL, &self.gpu).remove(0);
        probe.now.map(Celsius::degrees)
    }

    fn error(&self) -> Option<&str> {
        self.probes.0[0].error.as_deref()
    }
}

#[test]
fn a_file_that_hangs_is_asked_once_and_missing_after_two_polls() {
    let mut bench = Bench::new();
    bench.say(20.0);
    assert_eq!(bench.at(0), Some(20.0));
    // From here on it hangs.
    assert_eq!([bench.at(1), bench.at(2)], [Some(20.0); 2]);
    assert_eq!(bench.error(), None, "it may just be slow");
    for second in 3..50 {
        assert_eq!(bench.at(second), None, "{second}");
    }
    // The second question is still out until it is in time no more.
    assert_eq!(bench.error(), Some("no answer"));
    assert_eq!(bench.reads.load(Ordering::SeqCst), 2, "the one that hangs");
}

#[test]
fn an_answer_that_came_too_late_says_nothing_about_now() {
    let mut bench = Bench::new();
    assert_eq!(bench.at(0), None);
    assert_eq!(bench.at(10), None);
    bench.say(20.0);
    let reads = bench.reads.clone();
    // Whenever its thread comes to hand it over, it is void; the next question is another.
    while reads.load(Ordering::SeqCst) < 2 {
        assert_eq!(bench.at(10), None);
    }
    bench.say(44.0);
    while bench.at(11).is_none() {
        thread::yield_now();
    }
    assert_eq!(bench.at(11), Some(44.0));
    assert_eq!(bench.error(), None);
}

#[test]
fn a_slow_file_is_a_tick_behind_and_costs_no_more_waiting() {
    let mut bench = Bench::new();
    assert_eq!(bench.at(0), None, "not yet");
    bench.say(30.0);
    while bench.at(1).is_none() {
        thread::yield_now();
    }
    bench.say(31.0);
    while bench.at(2) != Some(31.0) {
        thread::yield_now();
    }
}

#[test]
fn a_reload_keeps_what_is_known_of_a_sensor_by_its_name() {
    let yaml = |name: &str, critical: u32| {
        let yaml = format!(
            "sensors: [{{ name: {name}, file: /proc/loadavg, unit: celsius, critical: {critical} }}]"
        );
        Config::from_yaml(&yaml).expect("a sensor").sensors
    };
    let gpu = Bench::new().gpu;
    let mut probes = Probes::default();
    probes.choose(&yaml("load", 120), &gpu);
    probes.read(Moment::START, POLL, &gpu);
    let last = |probes: &Probes| probes.0[0].last.is_some();
    assert!(last(&probes), "{:?}", probes.0[0].error);
    probes.choose(&yaml("load", 120), &gpu);
    assert!(last(&probes));
    // Other trips, perhaps because its file is lost: what it said last may still be so.
    probes.choose(&yaml("load", 121), &gpu);
    assert!(last(&probes));
    probes.choose(&yaml("another", 121), &gpu);
    assert!(!last(&probes));
}
