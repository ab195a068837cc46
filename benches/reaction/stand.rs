//! A machine on a test stand: cards that jump from one temperature to another at a moment that is
//! known to the nanosecond, and a trace of who then wrote what.
//!
//! A jump is steeper than any heat, and that is its point: nobody can see it coming, so what passes
//! until the write is reaction and nothing else.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::trace::{Deed, Trace, now};

/// An A100 80GB: alert 78 °C, critical 85 °C, safe 72 °C.
const CARD: &str = "a100-80gb";
pub(crate) const ORIGINAL: f64 = 400.0;

/// Under safe, and a fall from critical that is still believed.
const COOL: f64 = 71.2;

/// Over alert: there the governor regulates, by its estimate.
pub(crate) const HOT: f64 = 79.5;

/// Over critical: there one reading suffices, as it does a script over its only threshold.
pub(crate) const CRITICAL: f64 = 85.5;

/// Over what alert rules ask for, under the guard's own set point of 77 °C: nothing but an alert
/// brings a limit about.
pub(crate) const WARM: f64 = 76.2;

/// Where the cards' states and traces lie: not on a disk, whose pauses aren't the guard's.
const MEMORY: &str = "/dev/shm";

pub(crate) struct Stand {
    pub(crate) machine: Machine,
    pub(crate) trace: Trace,
    /// What an idle card is warmer than its air.
    rise: f64,
}

impl Stand {
    pub(crate) fn new(cards: usize) -> Self {
        let machine = Machine::create_in(Path::new(MEMORY), &vec![CARD; cards], &["--inlet=25"]);
        let path = machine.trace();
        File::create(&path).expect("a trace");
        let stand = Self {
            trace: Trace::follow(&path),
            rise: machine.gpu(0)["die"].as_f64().expect("a temperature") - 25.0,
            machine,
        };
        for gpu in 0..cards {
            stand.jump(gpu, COOL);
        }
        stand
    }

    /// NVML calls take as long as people report of a real driver.
    pub(crate) fn slow(self) -> Self {
        self.machine.ctl(&["latency", "reported"]);
        self
    }

    /// A guard for it, ready; its state in memory, too, if no other place is named.
    pub(crate) fn guard(&self, config: &str, state: Option<&Path>) -> Guard {
        let mut guard = Guard::new(self.machine.same(), 1, config);
        let own = self.machine.trace().with_file_name("guard");
        let state = state.unwrap_or(&own);
        fs::create_dir_all(state).expect("a state directory");
        symlink(state, guard.path("state")).expect("a state directory");
        guard.start();
        guard
    }

    /// Puts an idle card into air in which it has this temperature, as if for long. When it jumped.
    fn jump(&self, gpu: usize, celsius: f64) -> Duration {
        let asked = now();
        let card = gpu.to_string();
        let inlet = format!("inlet={}", celsius - self.rise);
        self.machine.ctl(&["set", "--gpu", &card, &inlet]);
        self.machine.ctl(&["rest", "--gpu", &card]);
        let jump = self.trace.first(gpu, asked, Deed::is_jump);
        jump.expect("a jump in the trace").at
    }

    /// From a jump to the first limit under the original one.
    fn react(&self, gpu: usize, trial: &Trial) -> Duration {
        let jumped = self.jump(gpu, trial.celsius);
        let lower = |deed: &Deed| deed.is_limit() && deed.watts < ORIGINAL;
        let limited = self.trace.wait(gpu, jumped, trial.patience, lower);
        limited.expect("a reaction").at.saturating_sub(jumped)
    }

    /// All is as before the reaction.
    fn settle(&self, gpu: usize, trial: &Trial) {
        let cooled = self.jump(gpu, COOL);
        if !trial.gives_back {
            let watts = ORIGINAL.to_string();
            self.machine
                .ctl(&["limit", "--gpu", &gpu.to_string(), &watts]);
        }
        let back = |deed: &Deed| deed.is_limit() && deed.watts >= ORIGINAL;
        let back = self.trace.wait(gpu, cooled, trial.patience, back);
        back.expect("the original limit");
    }

    /// The same again and again, each card for itself and out of step with whoever watches it.
    pub(crate) fn reactions(&self, cards: usize, until: Instant, trial: &Trial) -> Vec<Duration> {
        let repeat = |gpu| {
            let mut times = Vec::new();
            loop {
                thread::sleep(crate::chance(trial.period));
                times.push(self.react(gpu, trial));
                if Instant::now() >= until {
                    return times;
                }
                self.settle(gpu, trial);
            }
        };
        thread::scope(|scope| {
            let cards: Vec<_> = (0..cards)
                .map(|gpu| scope.spawn(move || repeat(gpu)))
                .collect();
            let times = cards.into_iter().map(|card| card.join().expect("a card"));
            times.flatten().collect()
        })
    }
}

/// What is done to a card, and what is expected of who watches it.
pub(crate) struct Trial {
    pub(crate) celsius: f64,
    /// What repeats itself there.
    pub(crate) period: Duration,
    /// For a reaction, and for giving back.
    pub(crate) patience: Duration,
    /// A guard gives back by itself; for a script it is done.
    pub(crate) gives_back: bool,
}
