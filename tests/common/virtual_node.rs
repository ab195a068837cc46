//! A node in virtual time: the real workers and the real policy over simulated GPUs.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thermal_guard::device::profile::Profile;
use thermal_guard::device::sim::{Card, Conditions, Fault, Rack};
use thermal_guard::device::{Driver, Uuid};
use thermal_guard::guard::actuate::Hand;
use thermal_guard::guard::journal::{Entry, Journal, boot_id};
use thermal_guard::guard::worker::{Setup, Worker};
use thermal_guard::guard::{Clock, Live, Shared, Tick};
use thermal_guard::policy::chain::Expected;
use thermal_guard::policy::lease::Holder;
use thermal_guard::policy::{Chain, Claim, Lease, Level, Settings};
use thermal_guard::units::{Celsius, Moment, Watts};

pub(crate) const TICK: Duration = Duration::from_secs(1);

/// A room in which every card runs free at full load.
pub(crate) const COOL: Celsius = Celsius::new(18.0);

pub(crate) struct Node {
    pub(crate) rack: Rack,
    pub(crate) shared: Shared,
    workers: Vec<Worker>,
    /// What each worker held after its last tick.
    claims: Vec<Claim>,
    nanos: Arc<AtomicU64>,
}

impl Node {
    /// One card per profile, all idle in a cool room until told otherwise.
    pub(crate) fn new(profiles: &[&'static Profile], settings: &Settings) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let clock = nanos.clone();
        let idle = Conditions {
            load: thermal_guard::device::plant::Load::IDLE,
            ..room(COOL)
        };
        let cards = (0..)
            .zip(profiles)
            .map(|(index, profile)| Card::new(profile, index, Box::new(move |_| idle)));
        let rack = Rack::new(cards.collect(), move || now(&clock));
        let driver: Arc<dyn Driver> = Arc::new(rack.clone());
        let inventory = driver.inventory().expect("simulated");
        let live = Live {
            settings: settings.clone(),
            ..Live::default()
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, live, Box::new(|_, _| {}));
        let workers = inventory.into_iter().map(|identity| {
            let setup = Setup {
                hand: Hand::new(identity.uuid.clone(), Journal::none()),
                identity,
                driver: driver.clone(),
                left: None,
                may_write: true,
            };
            Worker::new(setup, shared.live())
        });
        let workers: Vec<_> = workers.collect();
        Self {
            rack,
            shared,
            claims: vec![Claim::default(); workers.len()],
            workers,
            nanos,
        }
    }

    /// `kill -9`, and a new guard that finds the journal.
    pub(crate) fn restart(&mut self, card: usize) {
        let driver: Arc<dyn Driver> = Arc::new(self.rack.clone());
        let identity = driver.inventory().expect("simulated")[card].clone();
        let claim = self.claims[card];
        let left = (!claim.is_empty()).then(|| Entry {
            uuid: identity.uuid.clone(),
            claim,
            boot_id: boot_id(),
            energy_millijoules: None,
        });
        let setup = Setup {
            hand: Hand::new(identity.uuid.clone(), Journal::none()),
            identity,
            driver,
            left,
            may_write: true,
        };
        self.workers[card] = Worker::new(setup, self.shared.live());
    }

    /// The guard lets go of the card; time passes without ticks.
    pub(crate) fn detached(&mut self, card: usize, period: Duration) {
        let now = self.now();
        self.workers[card].leave(now, &self.shared);
        let passed = u64::try_from(period.as_nanos()).expect("a period");
        self.nanos.fetch_add(passed, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Moment {
        now(&self.nanos)
    }

    /// From now on, `conditions` around the card.
    pub(crate) fn set(&self, card: usize, conditions: Conditions) {
        self.rack
            .card(card)
            .replace_world(Box::new(move |_| conditions));
    }

    pub(crate) fn fault(&self, card: usize, fault: Fault) {
        self.rack.card(card).fault = fault;
    }

    pub(crate) fn limit(&self, card: usize) -> Watts {
        self.rack.card(card).limit
    }

    pub(crate) fn uuid(&self, card: usize) -> Uuid {
        self.rack.card(card).uuid().clone()
    }

    /// One tick of every GPU, a second later.
    pub(crate) fn step(&mut self) -> Vec<Tick> {
        self.step_by(TICK)
    }

    /// One tick of every GPU, after `period`: woken early.
    pub(crate) fn step_by(&mut self, period: Duration) -> Vec<Tick> {
        let passed = u64::try_from(period.as_nanos()).expect("a period");
        self.nanos.fetch_add(passed, Ordering::Relaxed);
        let now = now(&self.nanos);
        let ticks: Vec<_> = self
            .workers
            .iter_mut()
            .map(|worker| worker.tick(now, now, &self.shared))
            .collect();
        for (claim, tick) in self.claims.iter_mut().zip(&ticks) {
            // Before the card is open, the journal is as the guard before left it.
            if tick.up {
                *claim = tick.claim;
            }
        }
        ticks
    }

    /// Ticks for `seconds`; the last ones.
    pub(crate) fn run(&mut self, seconds: u64) -> Vec<Tick> {
        let mut last = self.step();
        for _ in 1..seconds {
            last = self.step();
        }
        last
    }

    /// Ticks until `done`, at most `seconds`; how long it took.
    #[track_caller]
    pub(crate) fn run_until(&mut self, seconds: u64, done: impl Fn(&[Tick]) -> bool) -> u64 {
        for second in 1..=seconds {
            let ticks = self.step();
            if done(&ticks) {
                return second;
            }
        }
        panic!(
            "not within {seconds} s: {:?}",
            self.step().iter().map(|t| t.decision).collect::<Vec<_>>()
        );
    }

    /// A firing alert, or its renewal.
    pub(crate) fn fire(&self, card: usize, fingerprint: u64, level: Level, ttl: Duration) {
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
}

/// Full load in a room of `inlet`.
pub(crate) const fn room(inlet: Celsius) -> Conditions {
    Conditions::full_load(inlet)
}

fn now(nanos: &AtomicU64) -> Moment {
    Moment::from_start(Duration::from_nanos(nanos.load(Ordering::Relaxed)))
}
