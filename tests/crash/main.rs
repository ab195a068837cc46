//! `kill -9` at any moment, again and again, and then a new guard or `restore`: everything must be
//! as it was before the first one. The real program, real NVML calls, real files.
//!
//! A small fixed set of stories runs with the other tests; `make crash-test` runs a thousand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

#[path = "../common/mod.rs"]
mod common;

mod card;
mod steps;

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thermal_guard::guard::{Apps, journal};
use thermal_guard::units::Watts;

use card::{Card, Knobs, Setter, Told, milliwatts};
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

/// What an edit of the application's file is called until it is done.
const UNNAMED_ENV: &str = ".app.env.thermal-guard";

const ENV_FILE: &str = "# the clinic's own\nbatch=4\n";

/// For people, past the test harness, which keeps what passing tests print to itself.
fn measured(what: &str) {
    let _ = writeln!(std::io::stdout(), "measured: {what}");
}

/// What a guard says that takes a limit on its card for somebody else's.
const FOREIGN: &str = "somebody else changed the limit";

/// A card with an operator's odd limit, an application, and no guard yet.
struct Victim {
    node: Node,
    card: Card,
    original: f64,
    /// The card refuses or ignores what it will take later.
    is_passing: bool,
    /// `restore` has said that somebody else set the limit.
    left_alone: bool,
}

impl Victim {
    fn new(dice: &mut Dice) -> Self {
        Self::with(Card::HONEST, dice)
    }

    fn with(card: Card, dice: &mut Dice) -> Self {
        let profiles = card.knobs.profiles();
        let profile = profiles[dice.index(profiles.len())];
        let node = Node::faster(&[profile], SCALE);
        let default = node.limit();
        // Not the default, not whole watts, and in every card's range.
        let odd = f64::from(u32::try_from(dice.below(20_000)).unwrap()) / 1000.0;
        node.machine
            .ctl(&["limit", &format!("{:.3}", default - odd)]);
        let original = node.limit();
        fs::write(node.directory.path().join("app.env"), ENV_FILE).unwrap();
        card.misbehave(&node, original);
        Self {
            node,
            card,
            original,
            is_passing: card.setter.passes(),
            left_alone: false,
        }
    }

    fn config(&self) -> PathBuf {
        let file = self.node.directory.path().join("guard.yml");
        let app =
            "apps: [{ name: app, env_file: { path: app.env, key: batch, normal: 4, gradual: 1 } }]";
        let actuators = self.card.knobs.actuators();
        fs::write(&file, format!("{app}\nactuators: {actuators}\n")).unwrap();
        file
    }

    fn serve(&self) -> Guard {
        let mut command = self
            .node
            .command(&["serve", "--web.listen-address=127.0.0.1:0"]);
        command.arg(format!("--config.file={}", self.config().display()));
        command.arg(format!("--debug.time-scale={SCALE}"));
        command.arg("--log.level=warn");
        let log = File::options().create(true).append(true).open(self.log());
        Guard(command.stderr(log.unwrap()).spawn().unwrap())
    }

    fn log(&self) -> PathBuf {
        self.node.directory.path().join("guard.log")
    }

    /// What a card makes of a write can look like somebody else's; then that is what is given back,
    /// and it is said.
    fn is_taken_for_foreign(&self) -> bool {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        self.left_alone || log.contains(FOREIGN)
    }

    /// Something that makes the guard act: heat, deadly heat, or a cool room to recover in.
    fn change(&self, dice: &mut Dice) {
        // What resets a lock and is ignored can't be known to have been: not while it cools.
        let rooms = if self.card.ignores_resets() && self.is_passing {
            2
        } else {
            4
        };
        let room: &[&str] = match dice.below(rooms) {
            1 => &["load=1", "inlet=90"],
            0 if rooms == 2 => &["load=1", "inlet=95"],
            0 => &["load=1", "inlet=45", "airflow=1.2"],
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
        let throttled = !self.has_its_limit() || self.is_locked();
        assert!(
            !throttled || !entries.is_empty() || self.is_taken_for_foreign(),
            "{story}: no journal of a throttle: {} W of {} W",
            self.node.limit(),
            self.original
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

    fn is_locked(&self) -> bool {
        let gpu = self.node.machine.gpu(0);
        !gpu["sm_lock_mhz"].is_null() || !gpu["memory_lock_mhz"].is_null()
    }

    /// The original limit, or what a card that rounds has of it.
    fn has_its_limit(&self) -> bool {
        let (limit, original) = (milliwatts(self.node.limit()), milliwatts(self.original));
        self.card.setter.may_have(limit, original)
    }

    fn is_as_before(&self) -> bool {
        self.traces().is_empty()
    }

    /// What isn't as it was before the first guard.
    fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        let (limit, original) = (self.node.limit(), self.original);
        if !self.has_its_limit() {
            traces.push(format!("the limit is {limit} W instead of {original} W"));
        }
        if self.is_locked() {
            traces.push("a clock is locked".to_owned());
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
    fn recover(&self, story: &str, by_restore: bool, told: &Told) {
        self.cool();
        if by_restore {
            let mut output = self.restore(&[]);
            if is_doubted(&output) {
                told.count("kept for a doubted sensor, and forced");
                output = self.restore(&["--force"]);
            }
            let said = stdout(&output) + &stderr(&output);
            assert_eq!(output.status.code(), Some(0), "{story}: {said}");
            let traces = self.traces();
            let named = self.is_left_alone(&said) || self.is_taken_for_foreign();
            let named = named && !self.has_its_limit() && traces.len() == 1;
            assert!(
                traces.is_empty() || named,
                "{story}: {traces:?} after {said}"
            );
        } else {
            let _guard = self.serve();
            let end = Instant::now() + PATIENCE;
            let mut looks = 0;
            while !self.is_as_before() {
                let traces = self.traces();
                if self.is_taken_for_foreign() && !self.has_its_limit() && traces.len() == 1 {
                    return;
                }
                assert!(Instant::now() < end, "{story}: {traces:?} stay");
                // A sensor that the guard before doubted must be seen to move.
                looks += 1;
                let inlet = if looks / 50 % 2 == 0 { 20 } else { 24 };
                self.node.machine.ctl(&["set", &format!("inlet={inlet}")]);
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn cool(&self) {
        let cool = ["set", "load=0", "inlet=20", "airflow=0.5"];
        self.node.machine.ctl(&cool);
        self.node.machine.ctl(&["advance", "2000"]);
    }

    fn restore(&self, more: &[&str]) -> Output {
        let config = format!("--config.file={}", self.config().display());
        self.node
            .run(&[&["restore", "--wait=20s", &config], more].concat())
    }

    /// With both limits, for whoever knows better.
    fn is_left_alone(&self, said: &str) -> bool {
        said.contains("left alone") && self.names_both_limits(said)
    }

    fn names_both_limits(&self, said: &str) -> bool {
        let named =
            |watts: f64| said.contains(&Watts::from_milliwatts(milliwatts(watts)).to_string());
        named(self.node.limit()) && named(self.original)
    }

    /// The card doesn't take back what it had: all that is wrong is named, by `restore` or, beside a
    /// guard, by the journal. True: something was wrong.
    fn name_what_is_kept(&mut self, story: &str, by_restore: bool) -> bool {
        self.cool();
        if by_restore {
            let output = self.restore(&[]);
            let said = stdout(&output) + &stderr(&output);
            if is_doubted(&output) {
                return true;
            }
            let (limit, lock) = (!self.has_its_limit(), self.is_locked());
            assert!(!limit || self.names_both_limits(&said), "{story}: {said}");
            assert!(!lock || said.contains("clock"), "{story}: {said}");
            self.left_alone = self.is_left_alone(&said);
            let kept = output.status.code() == Some(1);
            assert!(
                kept || (self.left_alone && !lock) || !(limit || lock),
                "{story}: {said}"
            );
            return limit || lock;
        }
        let guard = self.serve();
        thread::sleep(Duration::from_millis(LONGEST_LIFE));
        drop(guard);
        self.assert_recoverable(story);
        let (entries, _) = journal::load_all(&self.node.state_dir());
        let claim = entries.first().map(|entry| entry.claim).unwrap_or_default();
        let names = claim
            .limit
            .is_some_and(|limit| limit.original.milliwatts() == milliwatts(self.original));
        let (limit, lock) = (!self.has_its_limit(), self.is_locked());
        let foreign = self.is_taken_for_foreign();
        assert!(!limit || names || foreign, "{story}: {claim:?}");
        let locks = claim.gpu_clock || claim.memory_clock;
        assert!(!lock || locks, "{story}: {claim:?}");
        limit || lock
    }

    /// What passes may pass now.
    fn pass(&mut self, dice: &mut Dice) {
        if self.is_passing && dice.one_in(2) {
            self.is_passing = false;
            Card::behave(&self.node);
        }
    }
}

/// `restore` keeps what a guard held that doubted a sensor, and names it.
fn is_doubted(output: &Output) -> bool {
    let said = stdout(output);
    let named = said.contains("sensor isn't believed (") || said.contains("sensor can't be read");
    output.status.code() == Some(1) && named && said.contains("--force")
}

/// One to three guards, each killed at some moment.
fn tell(seed: u64, told: &Told) {
    let mut dice = Dice(seed);
    let card = Card {
        knobs: Knobs::draw(&mut dice),
        setter: Setter::of_story(seed),
    };
    told.card(card);
    let mut victim = Victim::with(card, &mut dice);
    let deaths = 1 + dice.below(3);
    let mut story = format!("story {seed}, {card:?}");
    let mut throttled = false;
    for _ in 0..deaths {
        let mut guard = victim.serve();
        for _ in 0..=dice.below(2) {
            victim.change(&mut dice);
            let life = dice.below(LONGEST_LIFE);
            story = format!("{story}, {life} ms");
            thread::sleep(Duration::from_millis(life));
            victim.pass(&mut dice);
        }
        assert!(
            guard.0.try_wait().unwrap().is_none(),
            "{story}: died by itself"
        );
        drop(guard);
        victim.assert_recoverable(&story);
        throttled |= !victim.has_its_limit() || victim.is_locked();
    }
    if throttled {
        told.count("throttled at a death");
    }
    let lasts = card.setter.keeps() && (victim.is_passing || !card.setter.passes());
    if lasts && !card.ignores_resets() && victim.name_what_is_kept(&story, dice.one_in(2)) {
        told.count("kept and named");
    }
    if card.setter.keeps() {
        Card::behave(&victim.node);
    }
    victim.recover(&story, dice.below(2) == 0, told);
    if !victim.has_its_limit() {
        told.count("named as somebody else's");
    }
}

#[test]
fn a_guard_killed_at_any_moment_leaves_nothing_that_cannot_be_given_back() {
    let stories = env::var(STORIES).ok().map(|number| number.parse().unwrap());
    let stories: u64 = stories.unwrap_or(STORIES_IN_CI);
    let told = Told::default();
    thread::scope(|scope| {
        for lane in 0..LANES {
            let mine = (lane as u64..stories).step_by(LANES);
            let told = &told;
            scope.spawn(move || mine.for_each(|seed| tell(seed, told)));
        }
    });
    measured(&format!(
        "{stories} stories of guards killed at random, 0 limits or locks left wrong and not named, 0 journals unreadable; {}",
        told.text()
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

/// Each call that touches the card takes so long, which leaves time to see a write and kill the
/// guard before it has read it back.
const SLOW_MICROSECONDS: &str = "200000";

#[test]
fn a_guard_killed_before_it_read_its_write_back_is_recovered_from() {
    let setters = [Setter::RoundsALittle, Setter::RoundsTo5W, Setter::ClampsLow];
    thread::scope(|scope| {
        for setter in setters {
            for by_restore in [true, false] {
                scope.spawn(move || die_before_the_read_back(setter, by_restore));
            }
        }
    });
}

fn die_before_the_read_back(setter: Setter, by_restore: bool) {
    let knobs = Knobs::Both;
    let story = format!("{setter:?}, restore: {by_restore}");
    let victim = Victim::with(Card { knobs, setter }, &mut Dice(7));
    let sets = |to: &[&str]| victim.node.machine.ctl(to);
    // Not so fast that a tick is over before anybody has looked.
    sets(&["time-scale", "1"]);
    let guard = victim.serve();
    wait_until("a guard at work", || {
        victim.node.machine.gpu(0)["calls"].as_u64() > Some(300)
    });
    sets(&["latency", SLOW_MICROSECONDS]);
    victim.node.heat();
    sets(&["advance", "300"]);
    let end = Instant::now() + PATIENCE;
    while victim.has_its_limit() {
        assert!(Instant::now() < end, "{story}: not throttled");
    }
    drop(guard);
    sets(&["latency", "0"]);
    let (entries, _) = journal::load_all(&victim.node.state_dir());
    let [entry] = &entries[..] else {
        panic!("{story}: {entries:?}");
    };
    let limit = entry.claim.limit.unwrap();
    let has = Watts::from_milliwatts(milliwatts(victim.node.limit()));
    assert!(
        !entry.confirmed && !limit.owns(has),
        "{story}: {has} is read back: {entry:?}"
    );
    sets(&["time-scale", "100"]);
    victim.recover(&story, by_restore, &Told::default());
    assert!(
        victim.has_its_limit() && !victim.is_taken_for_foreign(),
        "{story}"
    );
}

/// It would lose a step with each throttle if what it was rounded to were taken for the original.
#[test]
fn a_card_that_rounds_loses_no_more_with_each_throttle() {
    let (knobs, setter) = (Knobs::Limit, Setter::RoundsTo5W);
    let victim = Victim::with(Card { knobs, setter }, &mut Dice(1));
    let _guard = victim.serve();
    let mut given_back = Vec::new();
    for _ in 0..3 {
        victim.node.heat();
        wait_until("throttled", || victim.node.limit() < victim.original - 50.0);
        victim.cool();
        wait_until("given back", || victim.node.journals() == 0);
        given_back.push(victim.node.limit());
    }
    assert!(given_back[0] > victim.original - 5.0, "{given_back:?}");
    let first = given_back[0].to_bits();
    assert!(
        given_back.iter().all(|it| it.to_bits() == first),
        "{given_back:?}"
    );
}
