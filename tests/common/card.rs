//! A guard's cards: what a test does to them, and what it sees of them, past all sensors.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests wait by the wall clock, fail by panic, and compare limits exactly"
)]

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::guard::Guard;
use super::wait::{PATIENCE, wait_for};

/// A limit that an operator may have set before the guard came: not the default, not whole watts.
pub(crate) const ORIGINAL_WATTS: f64 = 387.654;

/// The limit in force on a card.
pub(crate) fn limit(card: &Value) -> f64 {
    card["limit_watts"].as_f64().expect("a limit")
}

/// The true temperature of a card.
pub(crate) fn die(card: &Value) -> f64 {
    card["die"].as_f64().expect("a temperature")
}

/// How often any program wrote to a card.
pub(crate) fn writes(card: &Value) -> u64 {
    let count = |name: &str| card[name].as_u64().expect("a count");
    count("limit_writes") + count("lock_writes") + count("refused_writes")
}

/// To make cards hot and cool.
impl Guard {
    /// Work that heats the GPU, in a hot room with a failing fan.
    pub(crate) fn heat(&self, gpu: usize) {
        self.set(gpu, &["load=1", "inlet=38", "airflow=1.6"]);
    }

    /// The work ends, in a cool room.
    pub(crate) fn cool(&self, gpu: usize) {
        self.set(gpu, &["load=0.05", "inlet=20", "airflow=0.5"]);
    }

    fn set(&self, gpu: usize, conditions: &[&str]) {
        let gpu = gpu.to_string();
        let set = [&["set", "--gpu", &gpu][..], conditions].concat();
        self.machine.ctl(&set);
    }

    /// All GPUs work in air that is over critical by itself: no throttling brings them under safe.
    pub(crate) fn overheat(&self) {
        self.machine.ctl(&["set", "load=1", "inlet=90"]);
    }

    /// All GPUs are idle and cold.
    pub(crate) fn cool_down(&self) {
        self.machine.ctl(&["set", "load=0", "inlet=20"]);
        self.machine.ctl(&["advance", "1000"]);
    }

    /// A guard that held a GPU by all that it has, and was killed. The GPU is still hot.
    pub(crate) fn killed_in_the_heat() -> Self {
        let mut guard = Self::on(&["a100-80gb"]);
        guard.machine.ctl(&["limit", &ORIGINAL_WATTS.to_string()]);
        guard.originals_are_now(&[ORIGINAL_WATTS]);
        let running = guard.spawn();
        guard.overheat();
        wait_for("throttled", || {
            guard.limit() < ORIGINAL_WATTS && guard.is_locked()
        });
        drop(running);
        assert!(guard.limit() < ORIGINAL_WATTS && guard.is_locked());
        assert_eq!(guard.journals(), 1);
        guard
    }
}

/// To see what the cards have.
impl Guard {
    /// The limit in force on the first GPU.
    pub(crate) fn limit(&self) -> f64 {
        limit(&self.machine.gpu(0))
    }

    /// The SM clock of the first GPU is locked.
    pub(crate) fn is_locked(&self) -> bool {
        !self.machine.gpu(0)["sm_lock_mhz"].is_null()
    }

    /// Waits for `condition` of the hardware's truth about one GPU, and returns what met it.
    #[track_caller]
    pub(crate) fn wait_gpu(
        &self,
        gpu: usize,
        what: &str,
        mut condition: impl FnMut(&Value) -> bool,
    ) -> Value {
        let began = Instant::now();
        loop {
            let card = self.machine.gpu(gpu);
            if condition(&card) {
                return card;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}: {card:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the limit is under the original one.
    #[track_caller]
    pub(crate) fn wait_throttled(&self, gpu: usize) -> Value {
        let original = self.original(gpu);
        self.wait_gpu(gpu, "throttled", |card| limit(card) < original)
    }

    /// Every GPU gets back exactly the limit that it had before the guard, and has no lock.
    #[track_caller]
    pub(crate) fn assert_given_back(&self) {
        let originals = self.originals();
        if self.runs() {
            // Not just between two throttles.
            self.wait("normal again", |metrics| {
                let normal = metrics.all("thermal_guard_state", &[("state", "normal")]);
                normal.len() == originals.len() && normal.iter().all(|is| *is == 1.0)
            });
        }
        let began = Instant::now();
        while !self.is_given_back() {
            assert!(
                began.elapsed() < PATIENCE,
                "not given back, wanted {originals:?}: {:#}",
                self.machine.show()
            );
            thread::sleep(Duration::from_millis(50));
        }
        if self.runs() {
            self.wait("nothing is claimed any more", |metrics| {
                let claimed = metrics.all("thermal_guard_action_active", &[]);
                claimed.iter().all(|value| *value == 0.0)
            });
        }
        // Giving back doesn't wait for a disk that hangs: the spare journal says that it is done.
        let began = Instant::now();
        while self.journals() > 0 {
            let left = began.elapsed() < PATIENCE;
            assert!(left, "the journal still claims something");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_given_back(&self) -> bool {
        let machine = self.machine.show();
        let gpus = machine["gpus"].as_array().expect("GPUs");
        let unlocked =
            |card: &Value| card["sm_lock_mhz"].is_null() && card["memory_lock_mhz"].is_null();
        let limits: Vec<_> = gpus
            .iter()
            .map(|card| card["limit_watts"].as_f64())
            .collect();
        limits == self.originals() && gpus.iter().all(unlocked)
    }
}
