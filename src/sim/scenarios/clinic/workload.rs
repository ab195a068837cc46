//! The clinic's work: chest X-rays that arrive through the day and wait for a card.

use std::collections::VecDeque;

use crate::policy::Level;
use crate::sim::card::Conditions;
use crate::sim::plant::Load;
use crate::sim::random::uniform;
use crate::units::Celsius;

use super::daily_stats::DailyStats;
use crate::sim::scenarios::meter::{BATCH_ONE_KEEPS, Batch, Passed};

/// The published number.
const JOBS: usize = 1287;
const HOURS: f64 = 72.0;

/// The work of one X-ray, alone on a card at full clock: the mean, and the shortest.
const WORK_SECONDS: f64 = 40.0;
const WORK_LEAST: f64 = 10.0;

/// The largest batch, as the article's `reduced_batch_size`.
const BATCH: usize = 4;

/// 1,287 X-rays in three days keep two cards busy for a tenth of the time and can't heat them to
/// the published mean. So the cards have other work, always.
const BESIDES: Load = Load {
    power: 0.86,
    compute_bound: 0.7,
};
const XRAY: Load = Load {
    power: 1.0,
    compute_bound: 0.7,
};

/// The mean inlet of the room, at which the unguarded cards have the published mean of 81.3 °C, and
/// its swing between night and afternoon.
const INLET: f64 = 33.9;
const INLET_SWING: f64 = 2.0;

const DAY: f64 = 24.0 * 3600.0;

/// The queue, and the cards that work on it.
pub(crate) struct Workload {
    second: u64,
    /// The second of each job's arrival.
    arrivals: Vec<u64>,
    work: Vec<f64>,
    waiting: VecDeque<usize>,
    next: usize,
    cards: [Vec<Running>; 2],
    pub(crate) served: Vec<Served>,
    pub(crate) days: DailyStats,
}

struct Running {
    job: usize,
    left: f64,
    throttled: bool,
    hot: bool,
}

/// One X-ray that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) job: usize,
    pub(crate) response: f64,
    /// Its card was throttled meanwhile, or over 78 °C.
    pub(crate) throttled: bool,
    pub(crate) hot: bool,
}

impl Workload {
    pub(crate) fn new(seconds: u64) -> Self {
        // The same days for every policy.
        let mut seed = 0x2545_f491_4f6c_dd1d;
        let jobs = (JOBS as f64 * seconds as f64 / (HOURS * 3600.0)).round();
        let mut arrivals = Vec::new();
        while (arrivals.len() as f64) < jobs {
            let at = uniform(&mut seed) * seconds as f64;
            // The busiest hour has four times as many as the night.
            let busy = 0.625 - 0.375 * (at / DAY * std::f64::consts::TAU).cos();
            if uniform(&mut seed) < busy {
                arrivals.push(whole(at));
            }
        }
        arrivals.sort_unstable();
        let rest = WORK_SECONDS - WORK_LEAST;
        let work = arrivals
            .iter()
            .map(|_| WORK_LEAST - rest * (1.0 - uniform(&mut seed)).ln())
            .collect();
        Self {
            second: 0,
            arrivals,
            work,
            waiting: VecDeque::new(),
            next: 0,
            cards: [Vec::new(), Vec::new()],
            served: Vec::new(),
            days: DailyStats::default(),
        }
    }

    pub(crate) fn conditions(&self, card: usize) -> Conditions {
        // It is coolest at four in the morning.
        let hour = self.second as f64 / DAY - 4.0 / 24.0;
        let swing = -INLET_SWING * (hour * std::f64::consts::TAU).cos();
        Conditions {
            load: if self.cards[card].is_empty() {
                BESIDES
            } else {
                XRAY
            },
            ..Conditions::full_load(Celsius::new(INLET + swing))
        }
    }

    pub(crate) fn passed(&mut self, second: u64, passed: &[Passed]) {
        self.days.passed(second, passed);
        while self.arrivals.get(self.next).is_some_and(|&at| at <= second) {
            self.waiting.push_back(self.next);
            self.next += 1;
        }
        self.admit(passed);
        for (running, passed) in self.cards.iter_mut().zip(passed) {
            let each = passed.speed * shared(running.len());
            for job in running.iter_mut() {
                job.left -= each;
                job.throttled |= passed.level > Level::None;
                job.hot |= passed.core > 78.0;
            }
            let arrivals = &self.arrivals;
            let served = running
                .extract_if(.., |job| job.left <= 0.0)
                .map(|job| Served {
                    job: job.job,
                    response: (second + 1 - arrivals[job.job]) as f64,
                    throttled: job.throttled,
                    hot: job.hot,
                });
            self.served.extend(served);
        }
        self.second = second + 1;
    }

    /// Each waiting job goes to the card with the fewest jobs.
    fn admit(&mut self, passed: &[Passed]) {
        while let Some(&job) = self.waiting.front() {
            let free = |card: &usize| {
                let most = match passed[*card].batch {
                    Batch::Normal => BATCH,
                    Batch::One => 1,
                };
                self.cards[*card].len() < most
            };
            let Some(card) = (0..passed.len())
                .filter(free)
                .min_by_key(|&card| self.cards[card].len())
            else {
                return;
            };
            self.waiting.pop_front();
            self.cards[card].push(Running {
                job,
                left: self.work[job],
                throttled: false,
                hot: false,
            });
        }
    }

    /// Every job's response time on cards without any throttle.
    pub(crate) fn unlimited(seconds: u64) -> Vec<Served> {
        let mut workload = Self::new(seconds);
        for second in 0..seconds {
            workload.passed(second, &[Passed::UNLIMITED; 2]);
        }
        workload.served
    }
}

/// The share of a card for each of several jobs together. Eight together do the work of the
/// measured batch of eight; one alone does 37 % of that.
fn shared(running: usize) -> f64 {
    let exponent = -BATCH_ONE_KEEPS.ln() / 8.0_f64.ln();
    (running.max(1) as f64).powf(exponent - 1.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a second of the story"
)]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}
