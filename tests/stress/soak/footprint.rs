//! Memory, descriptors and threads that the guard uses, from the start of a process to its end.

use std::fs;

/// KiB by which memory may grow from the second quarter of a life to the last. A leak of a few bytes for
/// each of tens of thousands of ticks, scrapes or deliveries would be more. The tables that the guard
/// keeps on purpose (an hour of history, the last events, the leases) are full before. An allocator's
/// arenas vary by less.
const MEMORY_MAY_GROW: u64 = 512;

/// Connections that come and go just now: Prometheus, Alertmanager, the test's own, an application.
const DESCRIPTORS_MAY_GROW: u64 = 3;

/// The threads for blocking work of the web end after ten idle seconds, and start with the next request.
const THREADS_MAY_GROW: u64 = 2;

/// One sample of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Memory of its own, without the files that it maps, in KiB.
    pub(crate) memory: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
}

impl Footprint {
    /// `None`: it has just ended.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        Some(Self {
            memory: number("RssAnon:")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64,
            threads: number("Threads:")?,
        })
    }
}

/// How something moved in one life.
pub(crate) struct Trend {
    name: &'static str,
    second_quarter: u64,
    last_quarter: u64,
    highest: u64,
    may_grow: u64,
}

impl Trend {
    pub(crate) fn is_flat(&self) -> bool {
        self.last_quarter <= self.second_quarter + self.may_grow
    }

    pub(crate) fn tell(&self) -> String {
        let Self {
            name,
            second_quarter,
            last_quarter,
            highest,
            may_grow,
        } = self;
        format!(
            "{name}: median {second_quarter} in the second quarter, {last_quarter} in the last (at most {may_grow} more), {highest} at the highest"
        )
    }
}

/// Of each of the three; the first quarter is for warming up.
pub(crate) fn trends(life: &[Footprint]) -> [Trend; 3] {
    let trend = |name, may_grow, of: fn(&Footprint) -> u64| {
        let quarter = life.len() / 4;
        let values: Vec<_> = life.iter().map(of).collect();
        Trend {
            name,
            second_quarter: median(&values[quarter..2 * quarter]),
            last_quarter: median(&values[values.len() - quarter..]),
            highest: values.iter().copied().max().unwrap_or(0),
            may_grow,
        }
    };
    [
        trend("RssAnon in KiB", MEMORY_MAY_GROW, |it| it.memory),
        trend("open descriptors", DESCRIPTORS_MAY_GROW, |it| {
            it.descriptors
        }),
        trend("threads", THREADS_MAY_GROW, |it| it.threads),
    ]
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// The control: a leak of 40 bytes with each of 36,000 ticks, of a descriptor in five minutes, of a
/// thread in ten.
#[test]
fn a_slow_leak_is_seen_and_a_busy_moment_is_not() {
    let life = |leaks: bool| -> Vec<_> {
        let look = |minute: u64| {
            let busy = u64::from(minute % 10 == 7);
            let leaked = |each: u64| if leaks { minute / each } else { 0 };
            Footprint {
                memory: 12_000 + 800 * busy + leaked(1) * 24,
                descriptors: 40 + 9 * busy + leaked(5),
                threads: 20 + 4 * busy + leaked(10),
            }
        };
        (0..60).map(look).collect()
    };
    assert!(trends(&life(false)).iter().all(Trend::is_flat));
    for trend in trends(&life(true)) {
        assert!(!trend.is_flat(), "{}", trend.tell());
    }
}
