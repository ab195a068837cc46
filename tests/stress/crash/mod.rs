//! `kill -9` at random moments, again and again, and then a new guard or `restore`: afterwards
//! everything must be as it was before the first guard. With the real program, real NVML calls and real
//! files.
//!
//! A small fixed set of stories runs with the other tests; `make crash-test` runs a thousand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

mod card;
mod steps;

use std::env;
use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use thermal_guard::apps::Apps;
use thermal_guard::guard::actuate::journal;
use thermal_guard::units::Watts;

use self::card::{Card, Knobs, Setter, Told, milliwatts};
use crate::common::dice::Dice;
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::{stderr, stdout};
use crate::common::wait::{PATIENCE, wait_for};

/// The environment variable with the number of stories.
const STORIES: &str = "THERMAL_GUARD_CRASH_STORIES";
const STORIES_IN_CI: u64 = 24;

/// Stories that run beside each other: a guard mostly sleeps.
const LANES: usize = 4;

/// A guard's second lasts 10 ms, so that a random moment is as likely in a start, a write or a step
/// of a recovery as between them.
const SCALE: u32 = 100;

/// Longer than a start, a throttle or a recovery takes at that scale.
const LONGEST_LIFE: u64 = 700;

/// The name of the application's new file until it replaces the old one.
const UNNAMED_ENV: &str = ".app.env.thermal-guard";

const ENV_FILE: &str = "# the clinic's own\nbatch=4\n";

/// Part of the guard's message about a limit that it takes for another program's.
const FOREIGN: &str = "somebody else changed the limit";

/// A card with an operator's odd limit, an application, and a guard that isn't running yet.
struct Victim {
    guard: Guard,
    card: Card,
    original: f64,
    /// What a program had set the fans to, in percent.
    fans: Option<u64>,
    /// The card refuses or ignores writes for now, and will accept them later.
    is_passing: bool,
    /// `restore` has said that another program set the limit.
    left_alone: bool,
}

impl Victim {
    fn new(dice: &mut Dice) -> Self {
        Self::with(Card::HONEST, dice)
    }

    fn with(card: Card, dice: &mut Dice) -> Self {
        let profiles = card.knobs.profiles();
        let profile = profiles[dice.index(profiles.len())];
        let guard = Guard::new(Machine::create(&[profile], &[]), SCALE, &card.config());
        let default = guard.limit();
        // Not the default, not whole watts, and in every card's range.
        let odd = f64::from(u32::try_from(dice.below(20_000)).unwrap()) / 1000.0;
        guard
            .machine
            .ctl(&["limit", &format!("{:.3}", default - odd)]);
        let original = guard.limit();
        fs::write(guard.path("app.env"), ENV_FILE).unwrap();
        let mut fans = None;
        if card.knobs == Knobs::Fans {
            guard.machine.ctl(&["fans", "top=60", "cools"]);
            fans = dice.one_in(2).then(|| 30 + dice.below(40));
            if let Some(percent) = fans {
                guard.machine.ctl(&["fans", &format!("set={percent}")]);
            }
        }
        card.misbehave(&guard, original);
        Self {
            guard,
            card,
            original,
            fans,
            is_passing: card.setter.passes(),
            left_alone: false,
        }
    }

    /// A limit that the card has changed can look like another program's. Then the guard gives back that
    /// limit, and says so.
    fn is_taken_for_foreign(&self) -> bool {
        self.left_alone || self.guard.log().contains(FOREIGN)
    }

    /// Something that makes the guard act: heat, deadly heat, or a cool room to recover in.
    fn change(&self, dice: &mut Dice) {
        // The guard can't know that the card ignored a reset of a lock. So it doesn't cool now.
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
        self.guard.machine.ctl(&[&["set"][..], room].concat());
        if dice.below(2) == 0 {
            self.guard.machine.ctl(&["advance", "60"]);
        }
    }

    /// Checks what must hold whenever a guard has died.
    fn assert_recoverable(&self, story: &str) {
        let (entries, errors) = journal::load_all(&self.guard.journal_dirs());
        assert!(errors.is_empty(), "{story}: {errors:?}");
        let throttled = !self.has_its_limit() || self.is_locked() || !self.has_its_fans();
        assert!(
            !throttled || !entries.is_empty() || self.is_taken_for_foreign(),
            "{story}: no journal of a throttle: {} W of {} W",
            self.guard.limit(),
            self.original
        );
        assert!(
            self.env() == ENV_FILE || Apps::may_be_left(&self.guard.state_dir()),
            "{story}: no journal of what an application was told"
        );
        assert!(
            self.guard.limit() <= self.original,
            "{story}: over the original"
        );
    }

    fn env(&self) -> String {
        fs::read_to_string(self.guard.path("app.env")).unwrap()
    }

    fn is_locked(&self) -> bool {
        let gpu = self.guard.machine.gpu(0);
        !gpu["sm_lock_mhz"].is_null() || !gpu["memory_lock_mhz"].is_null()
    }

    /// The original limit, or its rounded form on a card that rounds.
    fn has_its_limit(&self) -> bool {
        let (limit, original) = (milliwatts(self.guard.limit()), milliwatts(self.original));
        self.card.setter.may_have(limit, original)
    }

    /// Each fan is set by whoever set it before.
    fn has_its_fans(&self) -> bool {
        let gpu = self.guard.machine.gpu(0);
        let fans = gpu["fans"]["each"].as_array().unwrap();
        fans.iter()
            .all(|fan| fan["manual_percent"].as_u64() == self.fans)
    }

    fn is_as_before(&self) -> bool {
        self.traces().is_empty()
    }

    /// Everything that differs from the time before the first guard.
    fn traces(&self) -> Vec<String> {
        let mut traces = Vec::new();
        let (limit, original) = (self.guard.limit(), self.original);
        if !self.has_its_limit() {
            traces.push(format!("the limit is {limit} W instead of {original} W"));
        }
        if self.is_locked() {
            traces.push("a clock is locked".to_owned());
        }
        if !self.has_its_fans() {
            let fans = self.guard.machine.gpu(0)["fans"].to_string();
            traces.push(format!("the fans are {fans} instead of {:?}", self.fans));
        }
        if self.env() != ENV_FILE {
            traces.push(format!("the application's file says {:?}", self.env()));
        }
        let (entries, errors) = journal::load_all(&self.guard.journal_dirs());
        traces.extend(entries.iter().map(|entry| format!("{entry:?}")));
        traces.extend(errors.iter().map(ToString::to_string));
        if Apps::may_be_left(&self.guard.state_dir()) {
            traces.push("the applications' journal".to_owned());
        }
        if self.guard.path(UNNAMED_ENV).exists() {
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
            let _running = self.guard.spawn();
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
                self.guard.machine.ctl(&["set", &format!("inlet={inlet}")]);
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn cool(&self) {
        let cool = ["set", "load=0", "inlet=20", "airflow=0.5"];
        self.guard.machine.ctl(&cool);
        self.guard.machine.ctl(&["advance", "2000"]);
    }

    fn restore(&self, more: &[&str]) -> Output {
        let arguments = [&["--wait=20s"], more].concat();
        self.guard.run("restore", &arguments)
    }

    /// With both limits, so that an operator can decide.
    fn is_left_alone(&self, said: &str) -> bool {
        said.contains("left alone") && self.names_both_limits(said)
    }

    fn names_both_limits(&self, said: &str) -> bool {
        let named =
            |watts: f64| said.contains(&Watts::from_milliwatts(milliwatts(watts)).to_string());
        named(self.guard.limit()) && named(self.original)
    }

    /// The card doesn't accept its old values: `restore`, or beside a guard the journal, must name all
    /// that differs. True: something differs.
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
        let running = self.guard.spawn();
        thread::sleep(Duration::from_millis(LONGEST_LIFE));
        drop(running);
        self.assert_recoverable(story);
        let (entries, _) = journal::load_all(&self.guard.journal_dirs());
        let claim = entries.first().map(|entry| entry.claim).unwrap_or_default();
        let names = claim
            .limit
            .is_some_and(|limit| limit.original.milliwatts() == milliwatts(self.original));
        let (limit, lock) = (!self.has_its_limit(), self.is_locked());
        let foreign = self.is_taken_for_foreign();
        assert!(!limit || names || foreign, "{story}: {claim:?}");
        let locks = claim.has_lock();
        assert!(!lock || locks, "{story}: {claim:?}");
        limit || lock
    }

    /// A fault that ends by itself may end now.
    fn pass(&mut self, dice: &mut Dice) {
        if self.is_passing && dice.one_in(2) {
            self.is_passing = false;
            Card::behave(&self.guard);
        }
    }
}

/// The dead guard doubted a sensor: `restore` keeps its hold, and says why.
fn is_doubted(output: &Output) -> bool {
    let said = stdout(output);
    let named = said.contains("sensor isn't believed (") || said.contains("sensor can't be read");
    output.status.code() == Some(1) && named && said.contains("--force")
}

/// One to three guards, each killed at some moment.
fn run_story(seed: u64, told: &Told) {
    let mut dice = Dice(seed);
    let card = Card {
        knobs: Knobs::draw(&mut dice),
        setter: Setter::of_story(seed),
    };
    run(seed, card, dice, told);
}

/// The same with the fans among the knobs, on a card that takes each write or refuses for a while.
fn run_fan_story(seed: u64, told: &Told) {
    let card = Card {
        knobs: Knobs::Fans,
        setter: match seed % 4 {
            0 => Setter::Refuses(3),
            1 => Setter::RoundsALittle,
            _ => Setter::Honest,
        },
    };
    run(seed, card, Dice(seed + 1_000_000), told);
}

fn run(seed: u64, card: Card, mut dice: Dice, told: &Told) {
    told.card(card);
    let mut victim = Victim::with(card, &mut dice);
    let deaths = 1 + dice.below(3);
    let mut story = format!("story {seed}, {card:?}");
    let mut throttled = false;
    for _ in 0..deaths {
        let mut running = victim.guard.spawn();
        for _ in 0..=dice.below(2) {
            victim.change(&mut dice);
            let life = dice.below(LONGEST_LIFE);
            story = format!("{story}, {life} ms");
            thread::sleep(Duration::from_millis(life));
            victim.pass(&mut dice);
        }
        assert!(running.ended().is_none(), "{story}: died by itself");
        drop(running);
        victim.assert_recoverable(&story);
        throttled |= !victim.has_its_limit() || victim.is_locked();
        if !victim.has_its_fans() {
            told.count("fans set at a death");
        }
    }
    if throttled {
        told.count("throttled at a death");
    }
    let lasts = card.setter.keeps() && (victim.is_passing || !card.setter.passes());
    if lasts && !card.ignores_resets() && victim.name_what_is_kept(&story, dice.one_in(2)) {
        told.count("kept and named");
    }
    if card.setter.keeps() {
        Card::behave(&victim.guard);
    }
    victim.recover(&story, dice.below(2) == 0, told);
    if !victim.has_its_limit() {
        told.count("named as somebody else's");
    }
}

/// Returns how many there were.
fn tell_stories(story: fn(u64, &Told), told: &Told) -> u64 {
    let stories = env::var(STORIES).ok().map(|number| number.parse().unwrap());
    let stories: u64 = stories.unwrap_or(STORIES_IN_CI);
    thread::scope(|scope| {
        for lane in 0..LANES {
            let mine = (lane as u64..stories).step_by(LANES);
            scope.spawn(move || mine.for_each(|seed| story(seed, told)));
        }
    });
    stories
}

#[test]
fn a_guard_killed_with_its_fans_at_full_speed_leaves_none_manual_on_a_cool_card() {
    let told = Told::default();
    let stories = tell_stories(run_fan_story, &told);
    tell(&format!(
        "{stories} stories of guards with the fan knob killed at random, 0 fans left manual, 0 limits or locks wrong; {}",
        told.text()
    ));
}

#[test]
fn a_guard_killed_at_any_moment_leaves_nothing_that_cannot_be_given_back() {
    let told = Told::default();
    let stories = tell_stories(run_story, &told);
    tell(&format!(
        "{stories} stories of guards killed at random, 0 limits or locks left wrong and not named, 0 journals unreadable; {}",
        told.text()
    ));
}

/// The control: the stories would notice a loss.
#[test]
fn a_lost_journal_would_be_noticed() {
    let mut dice = Dice(1);
    let victim = Victim::new(&mut dice);
    let running = victim.guard.spawn();
    victim.guard.overheat();
    wait_for("throttled", || {
        victim.guard.limit() < victim.original && victim.guard.journals() == 1
    });
    drop(running);
    fs::remove_dir_all(victim.guard.state_dir().join("gpus")).unwrap();
    victim.guard.cool_down();
    let restored = victim.guard.run("restore", &["--wait=1s"]);
    assert!(restored.status.success(), "nothing left, as it thinks");
    assert!(!victim.is_as_before());
}

/// Each call that touches the card takes this long. So there is time to see a write and to kill the
/// guard before it reads the value back.
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
    let sets = |to: &[&str]| victim.guard.machine.ctl(to);
    // Not so fast that a tick is over before anybody has looked.
    sets(&["time-scale", "1"]);
    let running = victim.guard.spawn();
    wait_for("a guard at work", || {
        victim.guard.machine.gpu(0)["calls"].as_u64() > Some(300)
    });
    sets(&["latency", SLOW_MICROSECONDS]);
    victim.guard.overheat();
    sets(&["advance", "300"]);
    let end = Instant::now() + PATIENCE;
    while victim.has_its_limit() {
        assert!(Instant::now() < end, "{story}: not throttled");
    }
    drop(running);
    sets(&["latency", "0"]);
    let (entries, _) = journal::load_all(&victim.guard.journal_dirs());
    let [entry] = &entries[..] else {
        panic!("{story}: {entries:?}");
    };
    let limit = entry.claim.limit.unwrap();
    let has = Watts::from_milliwatts(milliwatts(victim.guard.limit()));
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

/// The limit would lose a step with each throttle if the guard took the rounded limit for the original.
#[test]
fn a_card_that_rounds_loses_no_more_with_each_throttle() {
    let (knobs, setter) = (Knobs::Limit, Setter::RoundsTo5W);
    let victim = Victim::with(Card { knobs, setter }, &mut Dice(1));
    let _running = victim.guard.spawn();
    let mut given_back = Vec::new();
    for _ in 0..3 {
        victim.guard.overheat();
        wait_for("throttled", || {
            victim.guard.limit() < victim.original - 50.0
        });
        victim.cool();
        wait_for("given back", || victim.guard.journals() == 0);
        given_back.push(victim.guard.limit());
    }
    assert!(given_back[0] > victim.original - 5.0, "{given_back:?}");
    let first = given_back[0].to_bits();
    assert!(
        given_back.iter().all(|it| it.to_bits() == first),
        "{given_back:?}"
    );
}
