//! `kill -9` at any moment, again and again, and then a new guard or `restore`: everything must be
//! as it was before the first one. The real program, real NVML calls, real files.
//!
//! A small fixed set of stories runs with the other tests; `make crash-test` runs a thousand.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

#[path = "../common/mod.rs"]
mod common;

mod steps;

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use thermal_guard::guard::{Apps, journal};

use common::dice::Dice;
use common::node::{Guard, Node, PATIENCE, stderr, stdout, wait_until};

/// How many stories; the environment's number is a slow proof's.
const STORIES: &str = "THERMAL_GUARD_CRASH_STORIES";
const STORIES_IN_CI: u64 = 24;

/// Stories told side by side: a guard mostly sleeps.
const LANES: usize = 4;

/// A guard's second lasts 10 ms, so that a random moment is as likely in a start, a write or a step
/// of a recovery as between them.
const SCALE: u32 = 100;

/// Longer than a start, a throttle or a recovery takes at that scale.
const LONGEST_LIFE: u64 = 700;

const PROFILES: [&str; 4] = ["a100-80gb", "v100-32gb", "l40s", "rtx-4090"];

/// What an edit of the application's file is called until it is done.
const UNNAMED_ENV: &str = ".app.env.thermal-guard";

const ENV_FILE: &str = "# the clinic's own\nbatch=4\n";

/// For people, past the test harness, which keeps what passing tests print to itself.
fn measured(what: &str) {
    let _ = writeln!(std::io::stdout(), "measured: {what}");
}

/// A card with an operator's odd limit, an application, and no guard yet.
struct Victim {
    node: Node,
    original: f64,
}

impl Victim {
    fn new(dice: &mut Dice) -> Self {
        let profile = PROFILES[usize::try_from(dice.below(4)).unwrap()];
        let node = Node::faster(&[profile], SCALE);
        let default = node.limit();
        // Not the default, not whole watts, and in every card's range.
        let odd = f64::from(u32::try_from(dice.below(20_000)).unwrap()) / 1000.0;
        node.machine
            .ctl(&["limit", &format!("{:.3}", default - odd)]);
        let original = node.limit();
        fs::write(node.directory.path().join("app.env"), ENV_FILE).unwrap();
        Self { node, original }
    }

    fn config(&self) -> PathBuf {
        let file = self.node.directory.path().join("guard.yml");
        let app =
            "apps: [{ name: app, env_file: { path: app.env, key: batch, normal: 4, gradual: 1 } }]";
        fs::write(&file, app).unwrap();
        file
    }

    fn serve(&self) -> Guard {
        let config = format!("--config.file={}", self.config().display());
        self.node.serve_with(&[&config])
    }

    /// Something that makes the guard act: heat, deadly heat, or a cool room to recover in.
    fn change(&self, dice: &mut Dice) {
        let room: &[&str] = match dice.below(4) {
            0 => &["load=1", "inlet=45", "airflow=1.2"],
            1 => &["load=1", "inlet=90"],
            2 => &["load=0.05", "inlet=20", "airflow=0.5"],
            _ => &["load=1", "inlet=30", "airflow=1"],
        };
        self.node.machine.ctl(&[&["set"][..], room].concat());
        if dice.below(2) == 0 {
            self.node.machine.ctl(&["advance", "60"]);
        }
    }

    /// What must hold at every moment after a death.
    fn assert_recoverable(&self, story: &str) {
        let state = self.node.state_dir();
        let (entries, errors) = journal::load_all(&state);
        assert!(errors.is_empty(), "{story}: {errors:?}");
        let throttled = self.node.limit() < self.original || self.node.is_locked();
        assert!(
            !throttled || !entries.is_empty(),
            "{story}: no journal of a throttle"
        );
        assert!(
            self.env() == ENV_FILE || Apps::may_be_left(&state),
            "{story}: no journal of what an application was told"
        );
        assert!(
            self.node.limit() <= self.original,
            "{story}: over the original"
        );
    }

    fn env(&self) -> String {
        fs::read_to_string(self.node.directory.path().join("app.env")).unwrap()
    }

    fn is_as_before(&self) -> bool {
        self.traces().is_empty()
    }

    /// What isn't as it was before the first guard.
    fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        let (limit, original) = (self.node.limit(), self.original);
        if (limit - original).abs() > 1e-9 {
            traces.push(format!("the limit is {limit} W instead of {original} W"));
        }
        if self.node.is_locked() {
            traces.push("the SM clock is locked".to_owned());
        }
        if self.env() != ENV_FILE {
            traces.push(format!("the application's file says {:?}", self.env()));
        }
        let state = self.node.state_dir();
        let (entries, errors) = journal::load_all(&state);
        traces.extend(entries.iter().map(|entry| format!("{entry:?}")));
        traces.extend(errors.iter().map(ToString::to_string));
        if Apps::may_be_left(&state) {
            traces.push("the applications' journal".to_owned());
        }
        if self.node.directory.path().join(UNNAMED_ENV).exists() {
            traces.push(format!("{UNNAMED_ENV} is left"));
        }
        traces
    }

    /// The cause is gone; a new guard, or `restore`, gives everything back.
    fn recover(&self, story: &str, by_restore: bool) {
        let cool = ["set", "load=0", "inlet=20", "airflow=0.5"];
        self.node.machine.ctl(&cool);
        self.node.machine.ctl(&["advance", "2000"]);
        if by_restore {
            let config = format!("--config.file={}", self.config().display());
            let output = self.node.run(&["restore", "--wait=20s", &config]);
            let said = stdout(&output) + &stderr(&output);
            assert_eq!(output.status.code(), Some(0), "{story}: {said}");
            let traces = self.traces();
            assert!(traces.is_empty(), "{story}: {traces:?} after {said}");
        } else {
            let _guard = self.serve();
            let end = Instant::now() + PATIENCE;
            while !self.is_as_before() {
                let traces = self.traces();
                assert!(Instant::now() < end, "{story}: {traces:?} stay");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// One to three guards, each killed at some moment.
fn tell(seed: u64) {
    let mut dice = Dice(seed);
    let victim = Victim::new(&mut dice);
    let deaths = 1 + dice.below(3);
    let mut story = format!("story {seed}");
    for _ in 0..deaths {
        let mut guard = victim.serve();
        for _ in 0..=dice.below(2) {
            victim.change(&mut dice);
            let life = dice.below(LONGEST_LIFE);
            story = format!("{story}, {life} ms");
            thread::sleep(Duration::from_millis(life));
        }
        assert!(
            guard.0.try_wait().unwrap().is_none(),
            "{story}: died by itself"
        );
        drop(guard);
        victim.assert_recoverable(&story);
    }
    victim.recover(&story, dice.below(2) == 0);
}

#[test]
fn a_guard_killed_at_any_moment_leaves_nothing_that_cannot_be_given_back() {
    let stories = env::var(STORIES).ok().map(|number| number.parse().unwrap());
    let stories: u64 = stories.unwrap_or(STORIES_IN_CI);
    thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn(move || (lane as u64..stories).step_by(LANES).for_each(tell));
        }
    });
    measured(&format!(
        "{stories} stories of guards killed at random, 0 limits or locks left wrong, 0 journals unreadable"
    ));
}

/// The control: what the stories look for is there to be found.
#[test]
fn a_lost_journal_would_be_noticed() {
    let mut dice = Dice(1);
    let victim = Victim::new(&mut dice);
    let guard = victim.serve();
    victim.node.heat();
    wait_until("throttled", || {
        victim.node.limit() < victim.original && victim.node.journals() == 1
    });
    drop(guard);
    fs::remove_dir_all(victim.node.state_dir().join("gpus")).unwrap();
    victim.node.cool();
    let restored = victim.node.command(&["restore", "--wait=1s"]);
    let mut restored = { restored }.stdout(Stdio::null()).spawn().unwrap();
    assert!(
        restored.wait().unwrap().success(),
        "nothing left, as it thinks"
    );
    assert!(!victim.is_as_before());
}
