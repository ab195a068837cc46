//! A node in virtual time: the real workers and the real policy over simulated GPUs. `simulate` and
//! the tests use it. A day passes in a second, and two runs of the same scenario are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::device::{Driver, Gpu, Identity, Uuid};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal::{Entry, Journal};
use crate::guard::gpu::worker::{Setup, Worker};
use crate::guard::state::{Live, Shared};
use crate::guard::tick::Tick;
use crate::policy::ask::chain::Expected;
use crate::policy::ask::lease::Holder;
use crate::policy::{Chain, Lease, Level, Settings};
use crate::sim::card::{Card, Conditions, Fault, Rack};
use crate::sim::plant::Load;
use crate::sim::profile::Profile;
use crate::units::{Celsius, Moment, Watts};

/// The time between two ticks.
pub const TICK: Duration = Duration::from_secs(1);

/// A room in which every card runs without a throttle at full load.
pub const COOL: Celsius = Celsius::new(18.0);

/// An idle card in a cool room: every card begins like this.
pub const AT_REST: Conditions = Conditions {
    load: Load::IDLE,
    ..Conditions::full_load(COOL)
};

/// Simulated cards, and a worker for each.
pub struct Node {
    pub rack: Rack,
    pub shared: Shared,
    driver: Arc<dyn Driver>,
    workers: Vec<Worker>,
    /// The journal of each.
    journals: Vec<Journal>,
    nanos: Arc<AtomicU64>,
}

impl Node {
    /// One card per profile. All are idle until `set`.
    pub fn new(profiles: &[&'static Profile], settings: &Settings) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let clock = nanos.clone();
        let cards = (0..)
            .zip(profiles)
            .map(|(index, profile)| Card::new(profile, index, Box::new(|_| AT_REST)));
        let rack = Rack::new(cards.collect(), move || now(&clock));
        let driver: Arc<dyn Driver> = Arc::new(rack.clone());
        let live = Live {
            settings: settings.clone(),
            ..Live::default()
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, live);
        // A rack always lists its cards.
        let inventory = driver.inventory().unwrap_or_default();
        let journals: Vec<_> = inventory.iter().map(|_| Journal::none()).collect();
        let workers = inventory
            .into_iter()
            .zip(&journals)
            .map(|(identity, journal)| worker(&driver, &shared, identity, journal, None));
        let workers: Vec<_> = workers.collect();
        Self {
            rack,
            shared,
            driver,
            workers,
            journals,
            nanos,
        }
    }

    pub fn now(&self) -> Moment {
        now(&self.nanos)
    }

    /// Sets the conditions around the card from now on.
    pub fn set(&self, card: usize, conditions: Conditions) {
        self.rack
            .card(card)
            .set_timeline(Box::new(move |_| conditions));
    }

    pub fn fault(&self, card: usize, fault: Fault) {
        self.rack.card(card).fault = fault;
    }

    pub fn limit(&self, card: usize) -> Watts {
        self.rack.card(card).limit
    }

    pub fn uuid(&self, card: usize) -> Uuid {
        self.rack.card(card).uuid().clone()
    }

    /// Another handle of a card, beside its worker's. `None`: the card is lost.
    pub fn open(&self, card: usize) -> Option<Box<dyn Gpu>> {
        self.driver.open(&self.uuid(card)).ok()
    }

    /// A tick of every GPU, [`TICK`] later.
    pub fn step(&mut self) -> Vec<Tick> {
        self.step_by(TICK)
    }

    /// A tick of every GPU, after `period`. If that is shorter than half a poll interval, the tick
    /// counts as a wake-up.
    pub fn step_by(&mut self, period: Duration) -> Vec<Tick> {
        self.let_pass(period);
        self.tick()
    }

    /// Lets `period` pass on the cards, without a tick.
    pub fn pass(&mut self, period: Duration) {
        let now = self.let_pass(period);
        for card in 0..self.workers.len() {
            self.rack.card(card).catch_up(now);
        }
    }

    /// A tick of every GPU, now.
    pub fn tick(&mut self) -> Vec<Tick> {
        let now = self.now();
        let workers = self.workers.iter_mut();
        workers
            .map(|worker| worker.tick(now, now, &self.shared))
            .collect()
    }

    /// Lets [`TICK`] pass without a guard.
    pub fn step_unguarded(&mut self) -> Moment {
        self.pass(TICK);
        self.now()
    }

    /// `kill -9`, and a new guard that finds the journal.
    pub fn restart(&mut self, card: usize) {
        let left = self.journal(card);
        let inventory = self.driver.inventory().unwrap_or_default();
        let (identity, journal) = (inventory[card].clone(), &self.journals[card]);
        self.workers[card] = worker(&self.driver, &self.shared, identity, journal, left);
    }

    /// The journal's entry for the card, if it has a claim.
    pub fn journal(&self, card: usize) -> Option<Entry> {
        let entry = self.journals[card].latest();
        entry.filter(|entry| !entry.claim.is_empty())
    }

    /// The guard leaves the card, and gives back what is safe to give back.
    pub fn leave(&mut self, card: usize) {
        let now = self.now();
        self.workers[card].leave(now, &self.shared);
    }

    /// The guard leaves the card, and time passes without ticks.
    pub fn detached(&mut self, card: usize, period: Duration) {
        let now = self.now();
        self.workers[card].leave(now, &self.shared);
        self.let_pass(period);
    }

    /// Runs for `seconds`, and returns the last ticks.
    pub fn run(&mut self, seconds: u64) -> Vec<Tick> {
        let mut last = self.step();
        for _ in 1..seconds {
            last = self.step();
        }
        last
    }

    /// A firing alert, or its renewal.
    pub fn fire(&self, card: usize, fingerprint: u64, level: Level, ttl: Duration) {
        let now = self.now();
        let lease = Lease {
            level,
            since: now,
            expires: now + ttl,
            starts_at: Duration::ZERO,
        };
        self.shared
            .grant(now, &self.uuid(card), Holder::Alert(fingerprint), lease);
    }

    fn let_pass(&self, period: Duration) -> Moment {
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.now()
    }
}

fn worker(
    driver: &Arc<dyn Driver>,
    shared: &Shared,
    identity: Arc<Identity>,
    journal: &Journal,
    left: Option<Entry>,
) -> Worker {
    let setup = Setup {
        actuation: Actuation::new(identity.uuid.clone(), journal.clone()),
        identity,
        driver: driver.clone(),
        left,
        may_write: true,
    };
    Worker::new(setup, shared.live())
}

fn now(nanos: &AtomicU64) -> Moment {
    Moment::from_start(Duration::from_nanos(nanos.load(Ordering::Relaxed)))
}
