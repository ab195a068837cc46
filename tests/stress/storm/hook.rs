//! Sixteen senders deliver firing and resolved alerts as fast as the guard answers. No lease may get
//! lost, 503 is the only refusal allowed, the control loops must keep their beat, and memory must not
//! grow.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::beat::{Ticks, watch};
use super::books::{Alert, Leases, delivery, live, lost_and_left};
use super::{anonymous_memory, ends_well, is_full, millis, p99};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

const SENDERS: u64 = 16;

/// Together fewer than the lease table's 256 places: a full table refuses, as documented.
const ALERTS_EACH: u64 = 12;

/// In one delivery at most.
const AT_ONCE: usize = 4;

/// No delivery wakes the loop of the last GPU.
const GPUS: usize = 3;

/// Often enough for a 99th percentile within a minute.
const BEAT: Duration = Duration::from_millis(500);

/// Calm before the storm, and the storm.
const FULL: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];
const IN_CI: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// A delay that operators accept: a twentieth of the shipped period.
const LATENESS_BAR: Duration = Duration::from_millis(50);

/// KiB between the second and the last third: a few bytes kept of every delivery would be more.
const GROWTH_BAR: u64 = 512;

/// One connection, as of one of Alertmanager's notifiers: it repeats a refused delivery.
struct Sender {
    agent: ureq::Agent,
    url: String,
    credential: String,
    alerts: Vec<Alert>,
    /// How the alerts are chosen: the same each time.
    dice: u64,
}

impl Sender {
    fn new(guard: &Guard, number: u64) -> Self {
        let alert = |own| {
            let number = number * ALERTS_EACH + own;
            Alert::new(number + 1, usize::from(number % 2 == 1))
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None);
        Self {
            agent: config.build().new_agent(),
            url: guard.url("/hook"),
            credential: format!("Bearer {}", guard.token()),
            alerts: (0..ALERTS_EACH).map(alert).collect(),
            dice: number,
        }
    }

    fn below(&mut self, sides: usize) -> usize {
        // Knuth's multiplier; the high bits are the random ones.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005);
        self.dice = self.dice.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap() % sides
    }

    /// Some neighbouring alerts of its own, each once.
    fn next(&mut self) -> Value {
        let (first, count) = (self.below(self.alerts.len()), 1 + self.below(AT_ONCE));
        let mut news = Vec::new();
        for step in 0..count {
            let ends = self.below(2) == 0;
            let index = (first + step) % self.alerts.len();
            news.push(self.alerts[index].next(ends));
        }
        delivery(&news)
    }

    fn post(&self, body: &Value) -> u16 {
        let request = self.agent.post(&self.url);
        let request = request.header("Authorization", &self.credential);
        let mut answer = request.send_json(body).unwrap();
        // Read, so that the connection is used again.
        answer.body_mut().read_to_string().unwrap();
        answer.status().as_u16()
    }

    /// Delivers until then; how often each code came.
    fn rage(&mut self, until: Instant) -> BTreeMap<u16, u64> {
        let mut codes = BTreeMap::new();
        while Instant::now() < until {
            let body = self.next();
            loop {
                let code = self.post(&body);
                *codes.entry(code).or_default() += 1;
                match code {
                    200 => break,
                    503 => thread::sleep(Duration::from_millis(1)),
                    code => panic!("a valid delivery was answered {code}"),
                }
            }
        }
        codes
    }
}

/// The state after a storm.
struct Storm {
    codes: BTreeMap<u16, u64>,
    ticks: Ticks,
    /// KiB, at each sample.
    memory: Vec<u64>,
    books: Leases,
}

fn rage(guard: &Guard, senders: &mut [Sender], time: Duration) -> Storm {
    let until = Instant::now() + time;
    let codes = Mutex::new(BTreeMap::new());
    let mut memory = Vec::new();
    let ticks = thread::scope(|scope| {
        for sender in senders.iter_mut() {
            scope.spawn(|| {
                for (code, count) in sender.rage(until) {
                    *codes.lock().unwrap().entry(code).or_default() += count;
                }
            });
        }
        watch(guard, GPUS, until, || memory.push(anonymous_memory(guard)))
    });
    let alerts = senders.iter().flat_map(|sender| &sender.alerts);
    Storm {
        codes: codes.into_inner().unwrap(),
        ticks,
        memory,
        books: alerts.filter_map(Alert::lease).collect(),
    }
}

#[test]
fn a_storm_of_deliveries_loses_no_lease_and_delays_no_tick() {
    let [calm, storm] = if is_full() { FULL } else { IN_CI };
    let machine = Machine::create(&["a100-80gb", "h100", "l40s"], &[]);
    let guard = Guard::started(
        machine,
        1,
        &format!("poll_interval: {}ms", BEAT.as_millis()),
    );
    let calm = rage(&guard, &mut [], calm);
    let mut senders: Vec<_> = (0..SENDERS).map(|n| Sender::new(&guard, n)).collect();
    let storm = rage(&guard, &mut senders, storm);

    let held = live(&guard);
    assert_eq!(lost_and_left(&storm.books, &held), (0, 0), "lost, left");
    assert!(!held.is_empty() && held.len() < senders.len() * senders[0].alerts.len());
    assert!(held.keys().all(|(gpu, _)| *gpu != GPUS - 1));
    assert_taken(&guard, &storm);
    assert_told_in_few_lines(&guard);
    would_be_noticed(&senders[0], &storm.books, &guard);
    if is_full() {
        report(&calm, &storm);
    }
    ends_well(guard);
}

/// The guard's own counts say the same as the senders'.
fn assert_taken(guard: &Guard, storm: &Storm) {
    let metrics = guard.metrics();
    for (code, count) in &storm.codes {
        let labels = [("code", &*code.to_string())];
        let counted = metrics.get("thermal_guard_hook_requests_total", &labels);
        assert_eq!(counted, Some(*count as f64), "code {code}");
    }
    for reason in ["ttl", "evicted"] {
        let ended = metrics.get(
            "thermal_guard_lease_expirations_total",
            &[("reason", reason)],
        );
        assert_eq!(ended, Some(0.0), "ended by {reason}");
    }
}

/// Leases come and go by the hundred; the log has a few of each kind a minute, and says so.
fn assert_told_in_few_lines(guard: &Guard) {
    let minutes = 3; // of the full version, begun ones
    let lines = ["an alert took a lease", "the alert's lease ended"];
    let told = lines.map(|line| guard.logged(&[line]).len());
    let metrics = guard.metrics();
    let count = |result| {
        let labels = [("result", result)];
        metrics
            .all("thermal_guard_hook_alerts_total", &labels)
            .iter()
            .sum::<f64>()
    };
    let happened = count("accepted") + count("released");
    let told_of = told[0] + told[1];
    assert!(told_of <= 3 * 20 * minutes, "{told:?}");
    assert!(
        happened > 2.0 * told_of as f64,
        "{happened}, {told:?}: no storm"
    );
    if is_full() {
        tell(&format!(
            "hook storm: {happened} leases came and went, {told_of} log lines of them, {} lines in all",
            guard.log().lines().count()
        ));
    }
}

/// The control: an alert that is resolved without a record counts as a lost lease, and one that fires
/// without a record as a lease too many.
fn would_be_noticed(sender: &Sender, books: &Leases, guard: &Guard) {
    let mut alerts = sender.alerts.clone();
    let which = |fires| {
        alerts
            .iter()
            .position(|alert| alert.lease().is_some() == fires)
    };
    let [ended, began] = [which(true), which(false)];
    let ended = ended.map(|index| alerts[index].next(true));
    let began = began.map(|index| alerts[index].next(false));
    let planted = [usize::from(ended.is_some()), usize::from(began.is_some())];
    let news: Vec<_> = ended.into_iter().chain(began).collect();
    assert_eq!(sender.post(&delivery(&news)), 200);
    let noticed = lost_and_left(books, &live(guard));
    assert_eq!([noticed.0, noticed.1], planted, "lost, left");
}

fn report(calm: &Storm, storm: &Storm) {
    let [before, during] = [calm, storm].map(|these| p99(&these.ticks.lateness(&calm.ticks, BEAT)));
    let beats = storm.ticks.lateness(&calm.ticks, BEAT).len();
    let third = storm.memory.len() / 3;
    let peak = |samples: &[u64]| samples.iter().copied().max().unwrap();
    let second = peak(&storm.memory[third..2 * third]);
    let last = peak(&storm.memory[2 * third..]);
    tell(&format!(
        "hook storm, {SENDERS} connections: answers by code {:?}, {} leases live at the end, 0 lost, 0 left over",
        storm.codes,
        storm.books.len()
    ));
    tell(&format!(
        "hook storm: tick lateness p99 {:.1} ms of {beats} beats (bar {} ms), {:.1} ms before the storm",
        millis(during),
        LATENESS_BAR.as_millis(),
        millis(before)
    ));
    tell(&format!(
        "hook storm: RssAnon at most {second} KiB in the second third, {last} KiB in the last (bar {GROWTH_BAR} more), {} KiB before",
        peak(&calm.memory)
    ));
    assert!(during <= LATENESS_BAR, "{during:?}");
    assert!(last <= second + GROWTH_BAR, "{second} to {last} KiB");
}
