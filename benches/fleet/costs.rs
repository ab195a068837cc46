//! What guards, Prometheus and Alertmanager use while nothing happens but their rounds.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::Process;

use crate::common::chain::Service;
use crate::common::scrape::Metrics;
use crate::fleet::Fleet;

/// One process over a while.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Share of a core.
    pub(crate) cpu: f64,
    /// Bytes: all that is resident, and what of it is its own (the rest are files that are mapped,
    /// which processes of one program share).
    pub(crate) resident: f64,
    pub(crate) own: f64,
    pub(crate) threads: f64,
}

pub(crate) struct Costs {
    pub(crate) guards: Vec<Usage>,
    pub(crate) prometheus: Usage,
    pub(crate) alertmanager: Usage,
    pub(crate) series_per_node: f64,
    pub(crate) series: f64,
    pub(crate) samples_per_second: f64,
    pub(crate) notifications_per_second: f64,
    /// Of Prometheus, from asking to having it all, each node's mean.
    pub(crate) scrape_seconds: f64,
}

pub(crate) fn measure(fleet: &Fleet, time: Duration) -> Costs {
    let chain = &fleet.chain;
    let guards: Vec<_> = fleet
        .guards
        .iter()
        .map(|guard| Meter::of(guard.pid()))
        .collect();
    let [prometheus, alertmanager] =
        [&chain.prometheus, &chain.alertmanager].map(|service| Meter::of(service.pid()));
    let before = counted(fleet);
    let began = Instant::now();
    sleep(time);
    let seconds = began.elapsed().as_secs_f64();
    let after = counted(fleet);
    let mean = |promql: &str| {
        chain
            .query(promql)
            .first()
            .map_or(0.0, |sample| sample.value)
    };
    Costs {
        guards: guards.iter().map(Meter::read).collect(),
        prometheus: prometheus.read(),
        alertmanager: alertmanager.read(),
        series_per_node: mean("avg(scrape_samples_scraped)"),
        series: own(&chain.prometheus, "prometheus_tsdb_head_series"),
        samples_per_second: (after.0 - before.0) / seconds,
        notifications_per_second: (after.1 - before.1) / seconds,
        scrape_seconds: mean("avg(scrape_duration_seconds)"),
    }
}

/// Samples that Prometheus took, and notifications that Alertmanager sent.
fn counted(fleet: &Fleet) -> (f64, f64) {
    let chain = &fleet.chain;
    (
        own(
            &chain.prometheus,
            "prometheus_tsdb_head_samples_appended_total",
        ),
        own(&chain.alertmanager, "alertmanager_notifications_total"),
    )
}

/// A metric that a service has of itself.
pub(crate) fn own(service: &Service, name: &str) -> f64 {
    let answer = ureq::get(format!("{}/metrics", service.url)).call();
    let text = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    let metrics = Metrics::parse(&text.expect("its metrics"));
    metrics
        .get(name, &[])
        .unwrap_or_else(|| panic!("no {name}"))
}

/// A process, and what it had used when it was first looked at.
struct Meter {
    pid: i32,
    began: Instant,
    used: Duration,
}

impl Meter {
    fn of(pid: u32) -> Self {
        let pid = i32::try_from(pid).expect("a process");
        Self {
            pid,
            began: Instant::now(),
            used: used(pid),
        }
    }

    fn read(&self) -> Usage {
        let cpu = used(self.pid).saturating_sub(self.used);
        let status = Process::new(self.pid).and_then(|process| process.status());
        let status = status.expect("it runs");
        let bytes = |kib: Option<u64>| kib.unwrap_or(0) as f64 * 1024.0;
        Usage {
            cpu: cpu.as_secs_f64() / self.began.elapsed().as_secs_f64(),
            resident: bytes(status.vmrss),
            own: bytes(status.rssanon),
            threads: status.threads as f64,
        }
    }
}

/// Processor time so far, user's and kernel's.
fn used(pid: i32) -> Duration {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid));
    clock.and_then(ClockId::now).expect("it runs").into()
}
