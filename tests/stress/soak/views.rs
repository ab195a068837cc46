//! The guard's views meanwhile, compared with the known state.

use std::time::{Duration, Instant, SystemTime};

use super::node::Node;

use crate::common::scrape::Metrics;

/// As configured.
pub(crate) const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(3);

/// For things that the guard learns from other programs, on a busy machine.
const SLACK: Duration = Duration::from_secs(5);

/// Until Prometheus has read its log, an Alertmanager heard of it, and a heartbeat came.
const CHAIN_ARRIVES: Duration = Duration::from_secs(40);

/// Seconds of the cards: from here on every excuse is over.
const WELL: f64 = 60.0;

/// Thirty ticks.
const FRESH: Duration = Duration::from_secs(3);

/// Prometheus's own patience.
const PATIENCE: Duration = Duration::from_secs(10);

/// A scraper that remembers.
pub(crate) struct Views {
    agent: ureq::Agent,
    /// Since when the chain's parts are as they are, and when it was last said to be whole.
    whole_since: Option<Instant>,
    broken_since: Option<Instant>,
    said_whole: Option<Instant>,
    /// At the last scrape, all cards were, and their guard ready.
    pub(crate) all_normal: bool,
    pub(crate) scrapes: u64,
    pub(crate) slowest: Duration,
    /// Throttles counted by guards that are gone, and by this one.
    throttles: [f64; 2],
    recoveries: [f64; 2],
}

impl Views {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
        Self {
            agent: config.proxy(None).build().new_agent(),
            whole_since: None,
            broken_since: None,
            said_whole: None,
            all_normal: false,
            scrapes: 0,
            slowest: Duration::ZERO,
            throttles: [0.0; 2],
            recoveries: [0.0; 2],
        }
    }

    /// Another guard: its counters begin at 0, and no heartbeat has reached it.
    pub(crate) fn begin_anew(&mut self) {
        for counted in [&mut self.throttles, &mut self.recoveries] {
            *counted = [counted[0] + counted[1], 0.0];
        }
        (self.whole_since, self.broken_since, self.said_whole) = (None, None, None);
    }

    pub(crate) fn throttles(&self) -> f64 {
        self.throttles.iter().sum()
    }

    pub(crate) fn recoveries(&self) -> f64 {
        self.recoveries.iter().sum()
    }

    fn scrape(&mut self, url: &str) -> Result<Metrics, ureq::Error> {
        let began = Instant::now();
        let text = self.agent.get(url).call()?.body_mut().read_to_string()?;
        self.scrapes += 1;
        self.slowest = self.slowest.max(began.elapsed());
        let metrics = Metrics::parse(&text);
        let sum = |name| metrics.all(name, &[]).iter().sum();
        self.throttles[1] = sum("thermal_guard_throttle_events_total");
        self.recoveries[1] = sum("thermal_guard_recoveries_total");
        Ok(metrics)
    }

    /// Whether all of the chain is there now. A whole moment may be all that a heartbeat needs, so
    /// this is looked at more often than the metrics.
    pub(crate) fn follow_chain(&mut self, whole: bool) {
        let now = Instant::now();
        let [since, other] = if whole {
            [&mut self.whole_since, &mut self.broken_since]
        } else {
            [&mut self.broken_since, &mut self.whole_since]
        };
        *other = None;
        since.get_or_insert(now);
    }

    /// Whether the guard shows the true state of the chain.
    fn judge_chain(&mut self, metrics: &Metrics) -> Option<String> {
        let now = Instant::now();
        let whole = self.whole_since.is_some();
        let since = self.whole_since.or(self.broken_since)?;
        let says = metrics.chain().unwrap_or("nothing");
        if says == "ok" {
            self.said_whole = Some(now);
        }
        let fallback = metrics.get("thermal_guard_fallback_active", &[]);
        let should = f64::from(u8::from(!matches!(says, "ok" | "standalone")));
        let last = self.said_whole.map_or(since, |said| said.max(since));
        if fallback != Some(should) {
            Some(format!("chain {says}, fallback {fallback:?}"))
        } else if !whole && says == "ok" && since.elapsed() > HEARTBEAT_TIMEOUT + SLACK {
            Some(format!("chain ok, {:?} after it broke", since.elapsed()))
        } else if whole && last.elapsed() > CHAIN_ARRIVES {
            Some(format!("chain {says}, whole for {:?}", since.elapsed()))
        } else {
            None
        }
    }
}

impl Node {
    /// Scrapes, and compares.
    pub(crate) fn compare(&mut self) {
        if self.absences.guard.is_some() {
            return;
        }
        if self.guard_from.is_none() && self.guard.get("/-/ready").is_ok() {
            (self.guard_from, self.ready_at) = (Some(self.now), Some(Instant::now()));
        }
        let url = self.guard.url("/metrics");
        let metrics = match self.views.scrape(&url) {
            Ok(metrics) => metrics,
            Err(error) => return self.break_rule(format!("a scrape failed: {error}")),
        };
        let normal = metrics.all("thermal_guard_state", &[("state", "normal")]);
        self.views.all_normal =
            self.guard_from.is_some() && normal.iter().sum::<f64>() >= self.cards.len() as f64;
        if let Some(what) = self.views.judge_chain(&metrics) {
            self.break_rule(what);
        }
        for card in 0..self.cards.len() {
            self.compare_card(card, &metrics);
        }
    }

    /// A card that is well is up, not hung, and read just now, whatever the others do; one that
    /// hangs is said to.
    fn compare_card(&mut self, card: usize, metrics: &Metrics) {
        let of = |name| metrics.of(card, name, &[]);
        if self.is_well_for(card, WELL) {
            let (up, hung) = (of("thermal_guard_gpu_up"), of("thermal_guard_gpu_hung"));
            if (up, hung) != (Some(1.0), Some(0.0)) {
                self.break_rule(format!("card {card} is well, up {up:?}, hung {hung:?}"));
            }
            let age = of("thermal_guard_poll_last_success_timestamp_seconds").map(age);
            if age.is_none_or(|age| age > FRESH.as_secs_f64()) {
                self.break_rule(format!("card {card} is well, and was read {age:?} s ago"));
            }
        }
        let unsaid = of("thermal_guard_gpu_hung") != Some(1.0);
        if unsaid && self.guard_from.is_some() && self.cards[card].hangs_for() > SLACK {
            self.break_rule(format!("card {card} hangs, unsaid"));
        }
    }
}

fn age(timestamp: f64) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64() - timestamp
}
