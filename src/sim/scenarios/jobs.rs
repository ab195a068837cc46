//! Runs all stories with all policies, on all cores. The results keep their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::units::Celsius;

use super::oracle::{self, Bound};
use super::policy::Policy;
use super::run::{self, Run, RunResult};
use super::scenario::Story;

/// A story, its physical bound, and the result of each policy.
pub(crate) struct StoryResult {
    pub(crate) story: Story,
    pub(crate) feasible: bool,
    pub(crate) bound: Bound,
    /// The bound for a policy that stays a degree below alert.
    pub(crate) bound_a_degree_under: Bound,
    pub(crate) played: Vec<RunResult>,
    pub(crate) runs: Vec<Run>,
}

#[derive(Clone, Copy)]
enum Job {
    Feasible,
    /// The bound this many degrees below alert.
    Bound(u8),
    Play(Policy),
}

enum Done {
    Feasible(bool),
    Bound(u8, Bound),
    RunResult(Box<RunResult>),
}

/// Plays everything. `progress`: hears how many runs are done, and of how many.
pub(crate) fn all(
    stories: &[Story],
    policies: &[Policy],
    traced: bool,
    progress: impl Fn(usize, usize) + Sync,
) -> Vec<StoryResult> {
    let jobs: Vec<(usize, Job)> = (0..stories.len())
        .flat_map(|story| {
            let fixed = [Job::Bound(0), Job::Bound(1), Job::Feasible];
            let played = policies.iter().map(|&policy| Job::Play(policy));
            fixed.into_iter().chain(played).map(move |job| (story, job))
        })
        .collect();
    let work = |&(story, job): &(usize, Job)| (story, work(stories[story], job, traced));
    let done = in_parallel(&jobs, work, progress);
    let mut results: Vec<StoryResult> = stories.iter().copied().map(StoryResult::new).collect();
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
        Job::Play(policy) => Done::RunResult(Box::new(run::play(story, policy, traced))),
    }
}

impl StoryResult {
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
            Done::RunResult(played) => self.played.push(*played),
        }
    }

    fn run(&self, played: &RunResult) -> Run {
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
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    progress: impl Fn(usize, usize) + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            let result = work(item);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((index, result));
            progress(results.len(), items.len());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile::WITHOUT_LIMIT;
    use crate::sim::scenarios::scenario::Scenario;

    use Scenario::{AirflowLoss, Bursty, DecodeLike, HotInlet, InletRamp, LostResolve, SharedAir};

    /// What operators are promised of cards without a power limit to set.
    const OF_BOUND: f64 = 0.95;
    const OVERSHOOT: f64 = 1.5;
    const CLOCK_WRITES_PER_HOUR: f64 = 30.0;

    #[test]
    fn without_a_limit_the_clock_holds_a_hot_card_at_nearly_all_that_physics_allows() {
        let steady = [HotInlet, AirflowLoss, DecodeLike, LostResolve, SharedAir];
        let scenarios = steady.into_iter().chain([InletRamp, Bursty]);
        let stories: Vec<_> = scenarios
            .flat_map(|scenario| WITHOUT_LIMIT.map(|profile| (scenario, profile)))
            .map(|(scenario, profile)| Story {
                scenario,
                profile,
                seconds: 7200,
            })
            .collect();
        for result in all(&stories, &[Policy::Governor], false, |_, _| {}) {
            let run = &result.runs[0];
            assert!(run.feasible && run.restored, "{run:?}");
            assert!(run.throughput_of_bound >= OF_BOUND, "{run:?}");
            assert!(run.overshoot_celsius <= OVERSHOOT, "{run:?}");
            assert!(run.limit_writes_per_hour == 0.0, "{run:?}");
            // Where room or load keep changing, so must the clock.
            if steady.contains(&result.story.scenario) {
                let writes = run.clock_writes_per_hour;
                assert!(writes <= CLOCK_WRITES_PER_HOUR, "{run:?}");
            }
        }
    }
}
