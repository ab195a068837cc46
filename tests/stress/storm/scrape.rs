//! A scraper, with a scraper's patience.

use std::time::{Duration, Instant};

use crate::common::guard::Guard;
use crate::common::scrape::Metrics;

/// Prometheus's own default.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Scraper {
    agent: ureq::Agent,
    url: String,
}

impl Scraper {
    /// Keeps its connection, as Prometheus does.
    pub(crate) fn lasting(guard: &Guard) -> Self {
        Self::of(guard, 1)
    }

    /// Needs a new connection each time, as after a restart of either side.
    pub(crate) fn newcomer(guard: &Guard) -> Self {
        Self::of(guard, 0)
    }

    fn of(guard: &Guard, kept: usize) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(kept)
            .max_idle_connections_per_host(kept)
            .proxy(None);
        Self {
            agent: config.build().new_agent(),
            url: guard.url("/metrics"),
        }
    }

    /// One scrape, and how long it took. One that isn't answered fails the test.
    pub(crate) fn scrape(&self) -> (Duration, String) {
        let began = Instant::now();
        let answer = self.agent.get(&self.url).call();
        let body = answer.and_then(|mut answer| answer.body_mut().read_to_string());
        let took = began.elapsed();
        match body {
            Ok(body) => (took, body),
            Err(error) => panic!("a scrape failed after {took:?}: {error}"),
        }
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(&self.scrape().1)
    }

    /// So many scrapes in a row; how long each took.
    pub(crate) fn times(&self, scrapes: usize) -> Vec<Duration> {
        let timed = |_| {
            let (took, body) = self.scrape();
            assert!(body.contains("thermal_guard_gpu_hung"), "{body}");
            took
        };
        (0..scrapes).map(timed).collect()
    }
}
