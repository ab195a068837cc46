//! An hour of the wall clock, in chapters: trouble for a while, then calm, in which everything must be
//! given back. In the first third guards die. The last one lives on, so that the test can see whether
//! it grows.

use std::thread;
use std::time::{Duration, Instant};

use super::footprint::{Footprint, trends};
use super::node::Node;
use super::{is_full, seed};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::needs::needs;

/// The whole, and the trouble of a chapter.
const FULL: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(45)];
const IN_CI: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// A card's second.
const BEAT: Duration = Duration::from_millis(100);

/// Beats between two scrapes, and between two samples of the process.
const SCRAPE_EVERY: u64 = 10;
const WEIGH_EVERY: u64 = 50;

/// Beats between two events, on average.
const HAPPENS_EVERY: u64 = 7;

/// The longest delay of a recovery is 32 times ten seconds of the card's, its steps come on top.
const CALM_PATIENCE: Duration = Duration::from_secs(90);

/// Looks at a process, 25 min of them, of which the first quarter is enough to warm up: the charts' hour
/// is full after six. The allocator's arenas are filled by [`crowd`], or rare coincidences would do it
/// all the life long.
const JUDGED: usize = 300;

/// More clients at once than ever later, and the path that each asks for.
const CROWD: usize = 16;

/// Fills the arenas that an allocator keeps for each thread.
fn crowd(guard: &Guard) {
    thread::scope(|scope| {
        for _ in 0..CROWD {
            scope.spawn(|| {
                for _ in 0..CROWD {
                    // It may just be starting, or dying.
                    let _ = guard.get("/metrics");
                    let _ = guard.get("/api/v1/status");
                }
            });
        }
    });
}

impl Node {
    fn beat(&mut self, number: u64) {
        let began = Instant::now();
        self.look();
        let away = self.absences.alertmanager.or(self.absences.prometheus);
        self.views.follow_chain(away.is_none());
        if number.is_multiple_of(SCRAPE_EVERY) {
            self.compare();
        }
        if number.is_multiple_of(WEIGH_EVERY) && self.absences.guard.is_none() {
            let life = self.lives.last_mut().unwrap();
            if life.is_empty() {
                crowd(&self.guard);
            }
            life.extend(Footprint::of(self.guard.pid()));
        }
        Self::wait(began, BEAT);
    }

    fn trouble(&mut self, time: Duration, deaths: bool) {
        let until = Instant::now() + time;
        for number in 0.. {
            if Instant::now() >= until {
                break;
            }
            self.end(false);
            if self.dice.one_in(HAPPENS_EVERY) {
                self.happen(deaths);
            }
            self.beat(number);
        }
    }

    fn calm(&mut self) {
        self.calm_down();
        self.views.all_normal = false;
        let began = Instant::now();
        for number in 0.. {
            self.beat(number);
            if self.views.all_normal && self.is_given_back() {
                return;
            }
            if began.elapsed() > CALM_PATIENCE {
                let wants: Vec<_> = self
                    .cards
                    .iter()
                    .map(|card| card.observer.wants())
                    .collect();
                let journals = self.guard.journals();
                let app = self.app.requests().last().cloned();
                self.break_rule(format!(
                    "not given back: {wants:#?}, {journals} journals, app told {app:?}"
                ));
                return;
            }
        }
    }

    fn report(&self, began: Instant) {
        let (minutes, hours) = (began.elapsed().as_secs_f64() / 60.0, self.now / 3600.0);
        let [throttles, recoveries] = [self.views.throttles(), self.views.recoveries()];
        tell(&format!(
            "soak, {minutes:.1} min over nvml-sim at x10: {hours:.2} h of {} cards, {} looks (at most {:.1} s of the cards apart), {} scrapes (slowest {:.0} ms), {throttles} throttles, {recoveries} recoveries, {} violations",
            self.cards.len(),
            self.looks,
            self.longest_gap,
            self.views.scrapes,
            self.views.slowest.as_secs_f64() * 1e3,
            self.broken.len()
        ));
        tell(&format!("soak, what happened: {:?}", self.happened));
        for life in self.lives.iter().filter(|life| life.len() >= JUDGED) {
            for trend in trends(life) {
                tell(&format!(
                    "soak, a guard of {} looks: {}",
                    life.len(),
                    trend.tell()
                ));
            }
        }
    }

    fn assert_flat(&self) {
        let long = self.lives.iter().filter(|life| life.len() >= JUDGED);
        for trend in long.flat_map(|life| trends(life)) {
            assert!(trend.is_flat(), "{}", trend.tell());
        }
        let longest = self.lives.iter().map(Vec::len).max();
        assert!(!is_full() || longest >= Some(JUDGED), "no life to judge");
    }
}

#[test]
fn a_node_in_trouble_is_protected_given_back_and_its_guard_stays_small() {
    needs!("prometheus", "prometheus-alertmanager");
    let [whole, trouble] = if is_full() { FULL } else { IN_CI };
    let began = Instant::now();
    let mut node = Node::start(seed());
    let mut chapters = 0;
    while began.elapsed() < whole {
        let deaths = !is_full() || began.elapsed() < whole / 3;
        node.trouble(trouble, deaths);
        node.calm();
        chapters += 1;
        if is_full() {
            println!(
                "chapter {chapters}, {:.1} min: {} violations, {:?}",
                began.elapsed().as_secs_f64() / 60.0,
                node.broken.len(),
                node.lives.last().and_then(|life| life.last())
            );
        }
    }
    if is_full() {
        node.report(began);
    }
    assert!(node.broken.is_empty(), "{:#?}", node.broken);
    assert!(node.views.throttles() > 0.0, "nothing happened");
    node.assert_flat();
    ends_well(node);
}

/// A clean stop, after which no value of the guard is left. And the control: the observer sees a limit
/// that the test raises.
fn ends_well(mut node: Node) {
    assert_eq!(node.guard.stop(), Some(0), "{}", node.guard.log());
    node.guard_from = None;
    node.look();
    assert!(node.is_given_back());
    // The observer knows of the first of these.
    node.someone_sets(0);
    node.look();
    node.guard.machine.ctl(&["limit", "--gpu", "0", "400"]);
    node.look();
    assert_eq!(node.broken.len(), 1, "{:?}", node.broken);
    assert!(!node.is_given_back());
}
