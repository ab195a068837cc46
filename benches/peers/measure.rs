//! The measurements: all programs in the same run, at the same time or in turn.

use std::thread;
use std::time::{Duration, Instant};

use crate::client::flood;
use crate::page::quantile;
use crate::program::{Calls, Kind, Running};
use crate::usage::{Memory, memory, processor};

/// How often and how long.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) starts: usize,
    pub(crate) windows: usize,
    pub(crate) window: Duration,
    pub(crate) rounds: usize,
    pub(crate) flood: Duration,
    pub(crate) changes: usize,
}

impl Plan {
    /// About six minutes for everything.
    pub(crate) const FULL: Self = Self {
        starts: 3,
        windows: 3,
        window: Duration::from_secs(6),
        rounds: 5,
        flood: Duration::from_millis(1200),
        changes: 8,
    };
    /// To see whether it works.
    pub(crate) const QUICK: Self = Self {
        starts: 1,
        windows: 1,
        window: Duration::from_secs(8),
        rounds: 2,
        flood: Duration::from_millis(800),
        changes: 2,
    };
}

/// What one program showed with NVML answering in one way; each value once a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) starts: Vec<f64>,
    /// Share of a core, scraped once a second.
    pub(crate) idle: Vec<f64>,
    /// Share of a core, scraped by nobody.
    pub(crate) alone: Vec<f64>,
    /// A second.
    pub(crate) calls: Vec<f64>,
    /// Scrapes for a second of processor time.
    pub(crate) scrapes: Vec<f64>,
    pub(crate) p50: Vec<f64>,
    pub(crate) p99: Vec<f64>,
    /// From a change of the true temperature to the first scrape that shows it.
    pub(crate) ages: Vec<f64>,
}

/// All that one program showed.
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    pub(crate) gpus: usize,
    pub(crate) bytes: usize,
    pub(crate) series: usize,
    /// After the first round of scrapes, and after the last.
    pub(crate) memory: [Memory; 2],
    /// Scrapes between those two.
    pub(crate) scraped: usize,
    /// In [`Calls::BOTH`]'s order.
    pub(crate) figures: [Figures; 2],
}

impl Measured {
    fn new(running: &mut Running) -> Self {
        let (bytes, series) = running.page();
        Self {
            kind: running.kind,
            gpus: running.gpus,
            bytes,
            series,
            memory: [Memory::default(); 2],
            scraped: 0,
            figures: [Figures::default(), Figures::default()],
        }
    }
}

/// Measures these programs, each on so many GPUs, beside each other.
pub(crate) fn compare(plan: Plan, who: &[(Kind, usize)]) -> Vec<Measured> {
    let started = starts(plan, who);
    let begin = |&(kind, gpus): &_| Running::start(kind, gpus, Calls::Instant);
    let mut running: Vec<_> = who.iter().map(begin).collect();
    let mut all: Vec<_> = running.iter_mut().map(Measured::new).collect();
    for (measured, started) in all.iter_mut().zip(started) {
        for (figures, started) in measured.figures.iter_mut().zip(started) {
            figures.starts = started;
        }
    }
    for (place, calls) in Calls::BOTH.into_iter().enumerate() {
        for one in &running {
            one.set(calls);
        }
        thread::sleep(SETTLE);
        for _ in 0..plan.windows {
            alone(plan.window, &running, &mut all, place);
            idle(plan.window, &mut running, &mut all, place);
        }
        for change in 0..plan.changes {
            ages(change, &mut running, &mut all, place);
        }
    }
    for round in 0..plan.rounds {
        floods(plan.flood, &running, &mut all);
        // The first round is when room is made for two connections.
        for (one, measured) in running.iter().zip(&mut all) {
            let memory = memory(one.id());
            measured.memory[1] = memory;
            if round == 0 {
                measured.memory[0] = memory;
                measured.scraped = 0;
            }
        }
    }
    all
}

/// What a program is given to get used to how NVML answers now: longer than the longest interval.
const SETTLE: Duration = Duration::from_secs(4);

/// What each took from its start to its first sample, in [`Calls::BOTH`]'s order.
fn starts(plan: Plan, who: &[(Kind, usize)]) -> Vec<[Vec<f64>; 2]> {
    let mut started = vec![[Vec::new(), Vec::new()]; who.len()];
    for _ in 0..plan.starts {
        for (&(kind, gpus), started) in who.iter().zip(&mut started) {
            for (calls, started) in Calls::BOTH.into_iter().zip(started) {
                let running = Running::start(kind, gpus, calls);
                started.push(running.started.as_secs_f64());
            }
        }
    }
    started
}

/// All of them at the same time, doing nothing but their own work.
fn alone(window: Duration, running: &[Running], all: &mut [Measured], place: usize) {
    let before: Vec<_> = running.iter().map(|one| processor(one.id())).collect();
    let began = Instant::now();
    thread::sleep(window);
    for ((one, before), measured) in running.iter().zip(before).zip(all) {
        let used = processor(one.id()).saturating_sub(before);
        let share = used.as_secs_f64() / began.elapsed().as_secs_f64();
        measured.figures[place].alone.push(share);
    }
}

/// The same, with a scrape a second.
fn idle(window: Duration, running: &mut [Running], all: &mut [Measured], place: usize) {
    let calls: Vec<f64> = running.iter().map(Running::calls).collect();
    let before: Vec<_> = running.iter().map(|one| processor(one.id())).collect();
    let began = Instant::now();
    while began.elapsed() < window {
        let next = Instant::now() + Duration::from_secs(1);
        for one in &mut *running {
            one.sample();
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let passed = began.elapsed().as_secs_f64();
    for (at, one) in running.iter().enumerate() {
        let used = processor(one.id()).saturating_sub(before[at]);
        let figures = &mut all[at].figures[place];
        figures.idle.push(used.as_secs_f64() / passed);
        figures.calls.push((one.calls() - calls[at]) / passed);
    }
}

/// One at a time, and at once with both kinds of calls, so that a ratio is of neighbours in time.
fn floods(span: Duration, running: &[Running], all: &mut [Measured]) {
    let scraped = running.iter().zip(all);
    for (one, measured) in scraped.filter(|(one, _)| one.is_scraped()) {
        for (calls, figures) in Calls::BOTH.into_iter().zip(&mut measured.figures) {
            one.set(calls);
            thread::sleep(Duration::from_millis(100));
            let before = processor(one.id());
            let took = flood(one.address(), span);
            let used = processor(one.id()).saturating_sub(before);
            measured.scraped += took.len();
            figures.scrapes.push(took.len() as f64 / used.as_secs_f64());
            figures.p50.push(quantile(&took, 0.5).as_secs_f64());
            figures.p99.push(quantile(&took, 0.99).as_secs_f64());
        }
        one.set(Calls::Instant);
    }
}

/// Between cold and warm air.
const INLETS: [f64; 2] = [35.0, 25.0];

/// How often it is looked whether a change shows.
const LOOK: Duration = Duration::from_millis(20);

/// The same for all of them, at the same time: their GPUs get warmer, or cooler, at once.
fn ages(change: usize, running: &mut [Running], all: &mut [Measured], place: usize) {
    // Anywhere within the longest interval, and never twice at the same place.
    let phase = (change as f64 * 0.618).fract() * 3.0;
    thread::sleep(Duration::from_secs_f64(phase));
    let inlet = INLETS[change % 2];
    thread::scope(|scope| {
        for (one, measured) in running.iter_mut().zip(all) {
            let ages = &mut measured.figures[place].ages;
            scope.spawn(move || ages.push(age(one, inlet).as_secs_f64()));
        }
    });
}

fn age(one: &mut Running, inlet: f64) -> Duration {
    let before = loop {
        // The scripts' file is empty while it is being written.
        if let Some(sample) = one.sample() {
            break sample;
        }
    };
    one.move_to(inlet);
    let changed = Instant::now();
    loop {
        let now = one.sample();
        if now.is_some_and(|now| (now - before).abs() > 5.0) {
            return changed.elapsed();
        }
        let late = changed.elapsed() > Duration::from_secs(60);
        assert!(!late, "{} shows no change", one.kind.name);
        thread::sleep(LOOK);
    }
}
