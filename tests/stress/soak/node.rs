//! The node under soak: simulated cards, each with an observer, the guard, the alert chain, an
//! application, and which of them are stopped at the moment.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use thermal_guard::guard::actuate::journal;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;

use super::footprint::Footprint;
use super::mending::Absences;
use super::observer::Observer;
use super::odd_limit;
use super::truth::{look, set_limit};
use super::views::Views;
use crate::common::chain::{Chain, Timing};
use crate::common::dice::Dice;
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::Machine;

/// Margins and absolute thresholds, core and memory the hotter, fans and none.
const PROFILES: [&str; 5] = ["a100-80gb", "h100", "v100-32gb", "rtx-4090", "l40s"];

/// Seconds of the cards, one of the wall clock: ten ticks, and some delay by a busy machine.
const REACTION: f64 = 10.0;

/// Sensors tell whole degrees.
const ROUNDED: f64 = 0.5;

/// Seconds of the cards at work before anything else.
const WARM: f64 = 900.0;

/// Seconds until a guard that is ready trusts its judgement of a card.
const ARRIVAL: f64 = 20.0;

const ENV_FILE: &str = "# the clinic's own\nbatch=4\n";

/// A fault of a card.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) since: Instant,
    pub(crate) until: Instant,
}

/// One simulated card.
pub(crate) struct Card {
    pub(crate) profile: &'static Profile,
    pub(crate) observer: Observer,
    pub(crate) fault: Option<Fault>,
    /// On its own clock: from when on a fault that is over is no excuse any more.
    pub(crate) well_from: f64,
}

impl Card {
    pub(crate) fn has(&self, fault: &str) -> bool {
        self.fault.is_some_and(|it| it.name == fault)
    }

    /// Inside the driver.
    pub(crate) fn hangs_for(&self) -> Duration {
        let hang = self.fault.filter(|fault| fault.name == "hang");
        hang.map_or(Duration::ZERO, |fault| fault.since.elapsed())
    }
}

pub(crate) struct Node {
    pub(crate) guard: Guard,
    pub(crate) chain: Chain,
    pub(crate) app: Listener,
    /// 0: well. 1: refuses everything. 2: never answers.
    pub(crate) mood: Arc<AtomicU8>,
    pub(crate) cards: Vec<Card>,
    pub(crate) absences: Absences,
    pub(crate) dice: Dice,
    pub(crate) views: Views,
    /// The cards' clock.
    pub(crate) now: f64,
    /// When the guard was first seen ready.
    pub(crate) ready_at: Option<Instant>,
    /// On the cards' clock: since when the guard is ready, and the driver there.
    pub(crate) guard_from: Option<f64>,
    pub(crate) driver_from: f64,
    /// Each life of the guard.
    pub(crate) lives: Vec<Vec<Footprint>>,
    pub(crate) happened: BTreeMap<&'static str, u64>,
    pub(crate) broken: Vec<String>,
    pub(crate) looks: u64,
    /// Between two looks, at the longest, on the cards' clock.
    pub(crate) longest_gap: f64,
}

impl Node {
    pub(crate) fn start(seed: u64) -> Self {
        let timing = Timing::TEN_TIMES;
        let mut dice = Dice(seed);
        let machine = Machine::create(&PROFILES, &["--time-scale", "0"]);
        // Long at work, so that trouble comes soon.
        machine.ctl(&["set", "load=1", "airflow=0.85"]);
        machine.ctl(&["advance", &WARM.to_string()]);
        let card = |(index, key): (usize, &&str)| {
            let profile = profile::named(key).unwrap();
            let original = odd_limit(profile, &mut dice);
            set_limit(&machine, index, original);
            Card {
                profile,
                observer: Observer::new(profile, original, REACTION, ROUNDED),
                fault: None,
                well_from: 0.0,
            }
        };
        let cards = PROFILES.iter().enumerate().map(card).collect();
        let mood = Arc::new(AtomicU8::new(0));
        let app = moody(mood.clone());
        let mut guard = Guard::new(machine, timing.time_scale, "");
        fs::write(guard.path("app.env"), ENV_FILE).unwrap();
        guard.configure(&config(&app, 10));
        guard.start();
        let chain = Chain::start(guard.address(), &guard.token_file(), timing);
        Self {
            views: Views::new(),
            guard,
            chain,
            app,
            mood,
            cards,
            absences: Absences::default(),
            dice,
            now: WARM,
            ready_at: Some(Instant::now()),
            guard_from: Some(0.0),
            driver_from: 0.0,
            lives: vec![Vec::new()],
            happened: BTreeMap::new(),
            broken: Vec::new(),
            looks: 0,
            longest_gap: 0.0,
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    pub(crate) fn break_rule(&mut self, what: String) {
        println!("BROKEN at {:.1} s of the cards: {what}", self.now);
        self.broken.push(what);
    }

    /// Looks at the truth about all cards, and tells each observer.
    pub(crate) fn look(&mut self) {
        let machine = self.guard.machine.show();
        let now = machine["elapsed_seconds"].as_f64().unwrap();
        self.longest_gap = self.longest_gap.max(now - self.now);
        self.now = now;
        self.looks += 1;
        let gpus = machine["gpus"].as_array().unwrap();
        let guard_from = self.guard_from.filter(|_| self.absences.driver.is_none());
        let mut broken = Vec::new();
        for (card, truth) in self.cards.iter_mut().zip(gpus) {
            let node_from = guard_from.map(|from| (from + ARRIVAL).max(self.driver_from));
            let from = node_from.filter(|_| card.fault.is_none());
            card.observer
                .guarded(from.map(|from| from.max(card.well_from)));
            if card.has("frozen-temperature") {
                card.observer.lied_to(now);
            }
            broken.extend(card.observer.look(&look(truth, now)));
        }
        for what in broken {
            self.break_rule(what);
        }
    }

    /// Whether the guard has been at this card without excuse for so long, by the cards' clock.
    pub(crate) fn is_well_for(&self, card: usize, seconds: f64) -> bool {
        let Some(guard_from) = self.guard_from else {
            return false;
        };
        let card = &self.cards[card];
        let from = guard_from.max(self.driver_from).max(card.well_from);
        card.fault.is_none() && self.absences.driver.is_none() && self.now >= from + seconds
    }

    /// Everything is as it was before the first guard.
    pub(crate) fn is_given_back(&mut self) -> bool {
        let env = fs::read_to_string(self.guard.path("app.env")).unwrap();
        let told = self.app.requests();
        let told = told.iter().rfind(|request| request.starts_with("POST"));
        let cards = self.cards.iter_mut();
        // Each is asked, so that each knows its limit to be its own.
        let back = cards
            .filter_map(|card| card.observer.is_given_back().then_some(()))
            .count();
        back == self.cards.len()
            && self.guard.journals() == 0
            && env == ENV_FILE
            && told.is_none_or(|last| last == "POST /mode?mode=normal")
    }

    /// The journals of a dead guard must be readable.
    pub(crate) fn read_journal(&mut self) {
        let (_, errors) = journal::load_all(&self.guard.journal_dirs());
        for error in errors {
            self.break_rule(format!("unreadable journal: {error}"));
        }
        self.count("journals read after a death");
    }

    pub(crate) fn configure(&self, recovery_seconds: u64) {
        self.guard.configure(&config(&self.app, recovery_seconds));
    }

    pub(crate) fn someone_sets(&mut self, card: usize) {
        let limit = odd_limit(self.cards[card].profile, &mut self.dice);
        set_limit(&self.guard.machine, card, limit);
        let crossing = self.guard_from.is_some();
        self.cards[card].observer.foreign(limit, crossing);
    }

    /// Lets the beat pass.
    pub(crate) fn wait(began: Instant, beat: Duration) {
        std::thread::sleep(beat.saturating_sub(began.elapsed()));
    }
}

fn config(app: &Listener, recovery_seconds: u64) -> String {
    let url = format!("http://{}", app.address);
    format!(
        "policy: {{ recovery_delay: {recovery_seconds}s }}
hook: {{ lease: 6s }}
alertmanager: {{ heartbeat_timeout: {}s }}
apps:
  - name: app
    env_file: {{ path: app.env, key: batch, normal: 4, gradual: 1, emergency: 1 }}
    http: {{ url: '{url}/mode?mode={{mode}}', health_url: '{url}/health' }}
",
        super::views::HEARTBEAT_TIMEOUT.as_secs()
    )
}

fn moody(mood: Arc<AtomicU8>) -> Listener {
    Listener::start(move |_| match mood.load(Ordering::SeqCst) {
        0 => Some(("text/plain", String::new())),
        1 => Some(("", String::new())),
        _ => None,
    })
}
