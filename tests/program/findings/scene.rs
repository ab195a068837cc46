//! What these tests share: cards, waiting for them, and watching them.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::common::card::{die, limit};
use crate::common::delivery;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// With a short recovery, so that cards are given back soon.
pub(crate) const CONFIG: &str = "policy: { recovery_delay: 5s }";

/// Plant and guard, times as fast as the wall.
pub(crate) const SCALE: u32 = 20;

/// Of the A100 of most tests here, as its driver tells them.
pub(crate) const ALERT: f64 = 78.0;
pub(crate) const CRITICAL: f64 = 85.0;

/// From the first sign of heat to something that holds the card.
pub(crate) const REACTION: f64 = 10.0;

/// Seconds on the wall that the guard may take for work that takes no time on an idle machine.
const BUSY: f64 = 0.5;

/// Seconds on the wall between two looks at a card, on an idle machine.
const LOOK: f64 = 0.05;

/// How long this machine kept the test from looking, and the guard probably from working as well: it
/// is added to every bound in seconds, so that no test fails because something else runs here.
#[derive(Debug)]
struct Delays {
    last: Instant,
    seconds: f64,
}

impl Delays {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            seconds: 0.0,
        }
    }

    /// At each look.
    fn look(&mut self) {
        let passed = self.last.elapsed().as_secs_f64();
        self.seconds += (passed - LOOK).max(0.0);
        self.last = Instant::now();
    }

    /// The extra seconds of a bound, on the plant's clock.
    fn slack(&self, guard: &Guard) -> f64 {
        f64::from(guard.scale()) * (BUSY + self.seconds)
    }
}

/// The record of a card while it was watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) hottest: f64,
    pub(crate) hottest_memory: f64,
    pub(crate) smallest_margin: f64,
    /// The longest time over alert with nothing that holds the card.
    pub(crate) unheld: f64,
    /// Share of the time over alert, by more than the rounding of a sensor.
    pub(crate) over_alert: f64,
    /// Seconds with a clock lock.
    pub(crate) locked: f64,
    pub(crate) highest_limit: f64,
    /// The lowest clock that the card's own slowdown left it.
    pub(crate) slowed_to: f64,
    pub(crate) states: Vec<String>,
    /// The extra seconds of the bounds: see [`Delays`].
    slack: f64,
}

/// An A100 that has run under these conditions, with these facts, without a guard.
pub(crate) fn a100(settings: &[&str], facts: &[&str]) -> Machine {
    card("a100-80gb", settings, facts)
}

pub(crate) fn card(profile: &str, settings: &[&str], facts: &[&str]) -> Machine {
    let machine = Machine::create(&[profile], &["--time-scale", "0"]);
    if !facts.is_empty() {
        machine.ctl(&[&["facts"][..], facts].concat());
    }
    machine.ctl(&[&["set"][..], settings].concat());
    machine.ctl(&["advance", "900"]);
    machine
}

/// The same without a memory sensor.
pub(crate) fn core_only(settings: &[&str], facts: &[&str]) -> Machine {
    let machine = a100(settings, facts);
    machine.ctl(&["fault", "unsupported:memory-temperature"]);
    machine
}

/// The guard holds it, as the card has it.
pub(crate) fn is_held(guard: &Guard, card: &Value) -> bool {
    limit(card) < guard.original(0) || is_locked(card)
}

pub(crate) fn is_locked(card: &Value) -> bool {
    !card["sm_lock_mhz"].is_null()
}

pub(crate) fn seconds(guard: &Guard) -> f64 {
    guard.machine.show()["elapsed_seconds"].as_f64().unwrap()
}

/// Waits for `condition` of the first card, no longer than so many seconds of the plant's. Returns
/// how many it took.
#[track_caller]
pub(crate) fn within(
    guard: &Guard,
    limit: f64,
    what: &str,
    mut condition: impl FnMut(&Value) -> bool,
) -> f64 {
    let mut delays = Delays::new();
    let began = seconds(guard);
    loop {
        delays.look();
        let machine = guard.machine.show();
        let took = machine["elapsed_seconds"].as_f64().unwrap() - began;
        let card = &machine["gpus"][0];
        if condition(card) {
            return took;
        }
        assert!(
            took < limit + delays.slack(guard),
            "not in {limit} s: {what}: {}",
            brief(card)
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// The important values of a card, in a line.
pub(crate) fn brief(card: &Value) -> String {
    let of = |key: &str| format!("{key}={}", card[key]);
    let keys = [
        "die",
        "hbm",
        "margin",
        "draw_watts",
        "limit_watts",
        "sm_lock_mhz",
        "load",
        "inlet",
    ];
    keys.map(of).join(" ")
}

/// Watches the first card for so many seconds.
pub(crate) fn watch(guard: &Guard, length: f64) -> Watch {
    let mut seen = Watch {
        smallest_margin: f64::INFINITY,
        slowed_to: 1.0,
        ..Watch::default()
    };
    let mut delays = Delays::new();
    let began = seconds(guard);
    let (mut last, mut unheld, mut over) = (began, 0.0, 0.0);
    while last < began + length {
        delays.look();
        let machine = guard.machine.show();
        let now = machine["elapsed_seconds"].as_f64().unwrap();
        let card = &machine["gpus"][0];
        let number = |key: &str| card[key].as_f64();
        let passed = now - last;
        last = now;
        seen.hottest = seen.hottest.max(die(card));
        seen.hottest_memory = seen.hottest_memory.max(number("hbm").unwrap_or(0.0));
        let margin = number("margin").unwrap_or(f64::INFINITY);
        seen.smallest_margin = seen.smallest_margin.min(margin);
        let limit = number("limit_watts").unwrap_or(0.0);
        seen.highest_limit = seen.highest_limit.max(limit);
        seen.slowed_to = seen.slowed_to.min(number("thermal_speed").unwrap_or(1.0));
        seen.locked += if is_locked(card) { passed } else { 0.0 };
        over += if die(card) > ALERT + 1.0 { passed } else { 0.0 };
        unheld = if die(card) >= ALERT && !is_held(guard, card) {
            unheld + passed
        } else {
            0.0
        };
        seen.unheld = seen.unheld.max(unheld);
        let metrics = guard.metrics();
        let state = metrics.state(0).unwrap_or("none").to_owned();
        if seen.states.last() != Some(&state) {
            seen.states.push(state);
        }
        thread::sleep(Duration::from_millis(10));
    }
    seen.over_alert = over / (last - began);
    seen.slack = delays.slack(guard);
    seen
}

impl Watch {
    /// The guard held it whenever it was over alert; it was never critical, and not over alert for long.
    #[track_caller]
    pub(crate) fn assert_protected(&self, guard: &Guard) {
        let card = guard.machine.gpu(0);
        let all = format!("{self:?}, now {}", brief(&card));
        assert!(
            self.unheld <= REACTION + self.slack,
            "over alert and not held: {all}"
        );
        assert!(self.hottest < CRITICAL, "critical: {all}");
        assert!(self.over_alert < 0.2, "over alert for long: {all}");
    }
}

/// A body of Alertmanager's webhook with one alert on a GPU, which began now.
pub(crate) fn delivery(status: &str, action: &str, gpu: usize) -> Value {
    delivery::delivery(status, action, gpu, SystemTime::now())
}

/// The state that a one-hot family of this card's shows for `which`.
pub(crate) fn shown(guard: &Guard, family: &str, which: (&str, &str)) -> Option<String> {
    let metrics = guard.metrics();
    let mut series = metrics.series_of(family);
    let is = |labels: &std::collections::BTreeMap<String, String>| {
        labels["gpu"] == "0" && labels.get(which.0).is_some_and(|value| value == which.1)
    };
    let state = series.find(|(labels, value)| *value == 1.0 && is(labels));
    state.map(|(labels, _)| labels["state"].clone())
}

pub(crate) fn knob(guard: &Guard, name: &str) -> Option<String> {
    shown(guard, "thermal_guard_knob_state", ("knob", name))
}

pub(crate) fn sensor(guard: &Guard, name: &str) -> Option<String> {
    shown(guard, "thermal_guard_sensor_state", ("sensor", name))
}

/// The sentence of the board about the first GPU.
pub(crate) fn why(guard: &Guard) -> String {
    let why = guard.status()["gpus"][0]["why"].clone();
    why.as_str().unwrap_or_default().to_owned()
}

/// A number of the first GPU's.
pub(crate) fn of(guard: &Guard, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    guard.metrics().of(0, name, labels)
}

/// Both outputs of a program.
pub(crate) fn said(output: &std::process::Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}
