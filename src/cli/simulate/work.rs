//! All stories and policies, on all cores; the results in their order, whoever is done first.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::units::Celsius;

use super::oracle::{self, Bound};
use super::run::{self, Played, Policy, Run};
use super::scene::Story;

/// A story, what physics allows in it, and what each policy made of it.
pub(super) struct Result {
    pub(super) story: Story,
    pub(super) feasible: bool,
    pub(super) bound: Bound,
    /// What is left of it for whoever stays a degree under alert.
    pub(super) bound_a_degree_under: Bound,
    pub(super) played: Vec<Played>,
    pub(super) runs: Vec<Run>,
}

#[derive(Clone, Copy)]
enum Job {
    Feasible,
    /// This many degrees under alert.
    Bound(u8),
    Play(Policy),
}

enum Done {
    Feasible(bool),
    Bound(u8, Bound),
    Played(Box<Played>),
}

/// Plays everything.
pub(super) fn all(stories: &[Story], policies: &[Policy], traced: bool) -> Vec<Result> {
    let jobs: Vec<(usize, Job)> = (0..stories.len())
        .flat_map(|story| {
            let fixed = [Job::Bound(0), Job::Bound(1), Job::Feasible];
            let played = policies.iter().map(|&policy| Job::Play(policy));
            fixed.into_iter().chain(played).map(move |job| (story, job))
        })
        .collect();
    let done = in_parallel(&jobs, |&(story, job)| {
        (story, work(stories[story], job, traced))
    });
    let mut results: Vec<Result> = stories.iter().copied().map(Result::new).collect();
    for (story, done) in done {
        results[story].take(done);
    }
    for result in &mut results {
        result.runs = result
            .played
            .iter()
            .map(|played| result.run(played))
            .collect();
    }
    results
}

fn work(story: Story, job: Job, traced: bool) -> Done {
    match job {
        Job::Feasible => Done::Feasible(run::is_feasible(story)),
        Job::Bound(under) => {
            let bound = oracle::bound(story, Celsius::new(f64::from(under)));
            Done::Bound(under, bound)
        }
        Job::Play(policy) => Done::Played(Box::new(run::play(story, policy, traced))),
    }
}

impl Result {
    fn new(story: Story) -> Self {
        Self {
            story,
            feasible: false,
            bound: Bound::default(),
            bound_a_degree_under: Bound::default(),
            played: Vec::new(),
            runs: Vec::new(),
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Feasible(is) => self.feasible = is,
            Done::Bound(0, bound) => self.bound = bound,
            Done::Bound(_, bound) => self.bound_a_degree_under = bound,
            Done::Played(played) => self.played.push(*played),
        }
    }

    fn run(&self, played: &Played) -> Run {
        let score = &played.score;
        let per_hour = |writes: u64| writes as f64 / self.story.hours();
        Run {
            scenario: self.story.scenario.name(),
            profile: self.story.profile.key,
            policy: played.policy.name(),
            alert_latency_seconds: played.policy.latency_seconds(),
            hours: self.story.hours(),
            throughput: rounded(score.throughput(), 4),
            throughput_of_bound: rounded(score.throughput() / self.bound.throughput, 4),
            overshoot_celsius: rounded(score.overshoot(), 2),
            hottest_celsius: rounded(score.hottest(), 2),
            mean_celsius: rounded(score.mean(), 2),
            above_alert_ratio: rounded(score.above_alert(), 5),
            above_critical_ratio: rounded(score.above_critical(), 5),
            limit_writes_per_hour: rounded(per_hour(played.limit_writes), 1),
            clock_writes_per_hour: rounded(per_hour(played.clock_writes), 1),
            feasible: self.feasible,
            restored: played.restored,
        }
    }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// The results in the order of `items`.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = work(item);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((index, result));
            show_progress(results.len(), items.len());
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..cores.min(items.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// For whoever watches.
fn show_progress(done: usize, all: usize) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() {
        let end = if done == all { "\r\x1b[K" } else { "" };
        let _ = write!(out, "\r{done} of {all} runs{end}").and_then(|()| out.flush());
    }
}
