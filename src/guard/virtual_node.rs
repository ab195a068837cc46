//! A node in virtual time: the real workers and the real policy over simulated GPUs. `simulate` and
//! the tests stand on it; a day passes in a second, and two runs of the same story are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::device::plant::Load;
use crate::device::profile::Profile;
use crate::device::sim::{Card, Conditions, Fault, Rack};
use crate::device::{Driver, Gpu, Identity, Uuid};
use crate::policy::chain::Expected;
use crate::policy::lease::Holder;
use crate::policy::{Chain, Lease, Level, Settings};
use crate::units::{Celsius, Moment, Watts};

use super::actuate::Hand;
use super::clock::Clock;
use super::journal::{Entry, Journal};
use super::shared::{Live, Shared};
use super::tick::Tick;
use super::worker::{Setup, Worker};

/// Between two ticks.
pub const TICK: Duration = Duration::from_secs(1);

/// A room in which every card runs free at full load.
pub const COOL: Celsius = Celsius::new(18.0);

/// A card that rests in a cool room: how every one begins.
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
    /// What is on disk of each.
    journals: Vec<Journal>,
    nanos: Arc<AtomicU64>,
}

impl Node {
    /// One card per profile, all at rest until told otherwise.
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
        let shared = Shared::new(Clock::start(1.0), chain, live, Box::new(|_, _| true));
        // A rack always tells its cards.
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

    /// From now on, `conditions` around the card.
    pub fn set(&self, card: usize, conditions: Conditions) {
        self.rack
            .card(card)
            .replace_world(Box::new(move |_| conditions));
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

    /// A handle of one's own on a card, beside its worker's. `None` while the card is lost.
    pub fn open(&self, card: usize) -> Option<Box<dyn Gpu>> {
        self.driver.open(&self.uuid(card)).ok()
    }

    /// A tick of every GPU, [`TICK`] later.
    pub fn step(&mut self) -> Vec<Tick> {
        self.step_by(TICK)
    }

    /// A tick of every GPU, after `period`: sooner than half a poll, it was woken.
    pub fn step_by(&mut self, period: Duration) -> Vec<Tick> {
        self.let_pass(period);
        self.tick()
    }

    /// Lets `period` pass on the cards, which no guard sees yet.
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

    /// What the journal says of the card, if anything is claimed.
    pub fn journal(&self, card: usize) -> Option<Entry> {
        let entry = self.journals[card].latest();
        entry.filter(|entry| !entry.claim.is_empty())
    }

    /// The guard lets go of the card, giving back what is safe to give back.
    pub fn leave(&mut self, card: usize) {
        let now = self.now();
        self.workers[card].leave(now, &self.shared);
    }

    /// The guard lets go of the card; time passes without ticks.
    pub fn detached(&mut self, card: usize, period: Duration) {
        let now = self.now();
        self.workers[card].leave(now, &self.shared);
        self.let_pass(period);
    }

    /// Ticks for `seconds`; the last ones.
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
            .leases()
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
        hand: Hand::new(identity.uuid.clone(), journal.clone()),
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
