//! Alerts pulled from the real Alertmanager: facts that the hook can't tell, and a guard without a hook.

mod secured;

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::common::card::limit;
use crate::common::chain::{Chain, PEER_TIMEOUT, Service, Setup, Timing, free_ports};
use crate::common::delivery::{rfc3339, uuid};
use crate::common::figures::{measured, tell};
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::needs::needs;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::scrape::Metrics;
use crate::common::wait::{PATIENCE, holds_for};

const TIMING: Timing = Timing::FIVE_TIMES;

/// Long enough that a lease that ends at once didn't end by it.
const LEASE: Duration = Duration::from_secs(15);

const INTERVAL: Duration = Duration::from_secs(1);

/// The time for "at once": a pull, and a busy machine.
const AT_ONCE: Duration = Duration::from_secs(8);

/// A guard that pulls, and its chain, which it trusts to know all alerts.
struct Pulled {
    guard: Guard,
    chain: Chain,
    began: Instant,
}

impl Pulled {
    fn start(
        machine: Machine,
        lease: Duration,
        members: usize,
        edit: fn(String) -> String,
    ) -> Self {
        let ports: [u16; 2] = free_ports();
        let alertmanagers = ports[..members].to_vec();
        let urls = alertmanagers.iter();
        let urls: Vec<_> = urls
            .map(|port| format!("http://127.0.0.1:{port}"))
            .collect();
        let config = format!(
            "
policy: {{ recovery_delay: 10s }}
hook: {{ lease: {}s }}
alertmanager: {{ heartbeat_timeout: 5s, url: [\"{}\"], pull_interval: {}s }}
",
            lease.as_secs(),
            urls.join("\", \""),
            INTERVAL.as_secs(),
        );
        let guard = Guard::started(machine, TIMING.time_scale, &config);
        let setup = Setup {
            edit,
            alertmanagers,
            ..Setup::default()
        };
        let began = Instant::now();
        let chain = Chain::start_with(guard.address(), &guard.token_file(), TIMING, &setup);
        guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
        Self {
            guard,
            chain,
            began,
        }
    }

    /// Until every Alertmanager has run for the time of a lease: before, nothing follows from what
    /// it doesn't list.
    fn settle(&self, lease: Duration) {
        sleep((lease + Duration::from_secs(2)).saturating_sub(self.began.elapsed()));
    }

    fn members(&self) -> impl Iterator<Item = &Service> {
        std::iter::once(&self.chain.alertmanager).chain(&self.chain.peer)
    }

    /// As Prometheus sends it: to all Alertmanagers.
    fn post(&self, action: &str, ends_at: Option<SystemTime>) {
        let mut alert = json!({"labels": {
            "alertname": "CoolantLeak", "guard_action": action, "uuid": uuid(0),
            "instance": self.guard.address().to_string(),
        }});
        if let Some(time) = ends_at {
            alert["endsAt"] = json!(rfc3339(time));
        }
        for member in self.members() {
            let url = format!("{}/api/v2/alerts", member.url);
            ureq::post(url).send_json(json!([alert])).unwrap();
        }
    }

    fn amtool(&self, arguments: &[&str]) -> String {
        let output = Command::new("amtool")
            .arg(format!(
                "--alertmanager.url={}",
                self.chain.alertmanager.url
            ))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn wait(&self, what: &str, condition: impl FnMut(&Metrics) -> bool) -> Metrics {
        self.guard.wait(what, condition)
    }
}

fn leases(metrics: &Metrics) -> f64 {
    metrics.get("thermal_guard_leases", &[]).unwrap_or(0.0)
}

/// Alerts that the hook got, by their status; heartbeats aside.
fn delivered(metrics: &Metrics, status: &str) -> f64 {
    let name = "thermal_guard_hook_alerts_total";
    let of = |action| metrics.get(name, &[("status", status), ("action", action)]);
    of("gradual").unwrap() + of("emergency").unwrap()
}

fn ended_by_pull(metrics: &Metrics) -> f64 {
    let name = "thermal_guard_alertmanager_pull_ended_leases_total";
    metrics.get(name, &[]).unwrap()
}

fn ended(metrics: &Metrics, reason: &str) -> f64 {
    let name = "thermal_guard_lease_expirations_total";
    metrics.get(name, &[("reason", reason)]).unwrap()
}

fn up(metrics: &Metrics) -> Option<f64> {
    metrics.get("thermal_guard_alertmanager_pull_up", &[])
}

fn seen(metrics: &Metrics, state: &str, result: &str) -> f64 {
    let name = "thermal_guard_alertmanager_pull_alerts_total";
    let labels = [
        ("state", state),
        ("action", "emergency"),
        ("result", result),
    ];
    metrics.get(name, &labels).unwrap()
}

#[test]
fn what_ends_and_returns_behind_a_silence_is_found() {
    needs!("prometheus", "prometheus-alertmanager", "amtool");
    // The hook is told of an alert once in 4 hours, as by default, and not every 10 s.
    let rare = |shipped: String| {
        let rare = shipped.replace("repeat_interval: 10s", "repeat_interval: 4h");
        assert_ne!(shipped, rare);
        rare
    };
    let pulled = Pulled::start(Machine::warm(&["a100-80gb"], &["load=0.3"]), LEASE, 1, rare);
    let guard = &pulled.guard;
    pulled.settle(LEASE);
    pulled.post("emergency", None);
    guard.wait_state(0, "emergency");
    // Two members of one truth: hook and pull share the lease.
    let metrics = pulled.wait("heard of both ways", |metrics| {
        delivered(metrics, "firing") >= 1.0
            && seen(metrics, "active", "accepted") + seen(metrics, "active", "renewed") >= 1.0
    });
    assert_eq!(leases(&metrics), 1.0, "one alert is one lease");

    let matcher = ["silence", "add", "alertname=CoolantLeak"];
    let said = ["--author=test", "--comment=test", "--duration=10m"];
    let silence = pulled.amtool(&[&matcher[..], &said].concat());
    let silenced = Instant::now();
    let metrics = pulled.wait("seen silenced", |metrics| {
        seen(metrics, "suppressed", "ignored") >= 2.0
    });
    assert_eq!(leases(&metrics), 1.0, "a silence alone ends no lease");

    pulled.post("emergency", Some(SystemTime::now()));
    let resolved = Instant::now();
    let metrics = pulled.wait("the lease ended", |metrics| leases(metrics) == 0.0);
    measured("resolved behind a silence to lease ended by pull", resolved);
    assert!(resolved.elapsed() < AT_ONCE && silenced.elapsed() < LEASE);
    assert_eq!(ended_by_pull(&metrics), 1.0);
    assert_eq!(ended(&metrics, "ttl"), 0.0);
    assert_eq!(delivered(&metrics, "resolved"), 0.0, "the hook never heard");

    let before = delivered(&guard.metrics(), "firing");
    pulled.amtool(&["silence", "expire", &silence]);
    pulled.post("emergency", None);
    let again = Instant::now();
    pulled.wait("held again", |metrics| {
        metrics.of(0, "thermal_guard_throttle_level", &[("source", "alert")]) == Some(2.0)
    });
    measured("fires again after the silence to held by pull", again);
    assert!(again.elapsed() < AT_ONCE);
    // For 15 group intervals.
    holds_for(Duration::from_secs(3), "the hook never heard", || {
        delivered(&guard.metrics(), "firing") == before
    });

    // Silenced for good: the lease runs out, and no sooner.
    pulled.amtool(&[&matcher[..], &said].concat());
    let silenced = Instant::now();
    let metrics = pulled.wait("run out", |metrics| leases(metrics) == 0.0);
    measured("silenced to lease run out (time to live 15 s)", silenced);
    assert_eq!(ended(&metrics, "ttl"), 1.0);
    assert!(silenced.elapsed() > LEASE.saturating_sub(3 * INTERVAL));
}

#[test]
fn a_killed_alertmanager_proves_nothing_and_is_found_again() {
    needs!("prometheus", "prometheus-alertmanager", "amtool");
    let lease = Duration::from_secs(8);
    let machine = Machine::warm(&["h100"], &["load=0.3"]);
    let mut pulled = Pulled::start(machine, lease, 1, |shipped| shipped);
    pulled.settle(lease);
    pulled.post("emergency", None);
    pulled.guard.wait_state(0, "emergency");

    // It comes back at once, without its alerts: none of them is sent again.
    pulled.chain.alertmanager.kill();
    pulled.chain.alertmanager.start();
    let back = Instant::now();
    let requests = |metrics: &Metrics| {
        let name = "thermal_guard_alertmanager_pull_requests_total";
        metrics.get(name, &[("result", "ok")]).unwrap()
    };
    let asked = requests(&pulled.guard.metrics());
    let metrics = pulled.wait("pulled again", |metrics| requests(metrics) >= asked + 2.0);
    assert_eq!(
        leases(&metrics),
        1.0,
        "an empty list of a young Alertmanager"
    );
    let metrics = pulled.wait("the lease ran out", |metrics| leases(metrics) == 0.0);
    measured(
        "Alertmanager back without its alerts to lease run out (time to live 8 s)",
        back,
    );
    assert_eq!(
        (ended(&metrics, "ttl"), ended_by_pull(&metrics)),
        (1.0, 0.0)
    );
    pulled.guard.assert_given_back();

    // Now it stays away.
    pulled.chain.alertmanager.kill();
    let killed = Instant::now();
    pulled.wait("not up", |metrics| up(metrics) == Some(0.0));
    measured("Alertmanager killed to pull not up", killed);
    let metrics = pulled.wait("fallback", |metrics| metrics.chain() == Some("down"));
    measured("Alertmanager killed to chain down (time-out 5 s)", killed);
    assert_eq!(metrics.get("thermal_guard_fallback_active", &[]), Some(1.0));
    let told = pulled.guard.logged(&["alerts can't be pulled"]);
    sleep(3 * INTERVAL);
    let failing = pulled.guard.logged(&["alerts can't be pulled"]);
    assert_eq!(told, failing, "told once, when it begins");
    pulled.chain.alertmanager.start();
    let back = Instant::now();
    pulled.wait("up and ok", |metrics| {
        up(metrics) == Some(1.0) && metrics.chain() == Some("ok")
    });
    measured("Alertmanager back to pulled again and chain ok", back);
    assert!(!pulled.guard.logged(&["alerts are pulled again"]).is_empty());
}

#[test]
fn a_late_firing_of_the_second_alertmanager_is_undone() {
    needs!("prometheus", "prometheus-alertmanager", "amtool");
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    let pulled = Pulled::start(machine, LEASE, 2, |shipped| shipped);
    let metrics = pulled.wait("both up", |metrics| up(metrics) == Some(2.0));
    assert_eq!(metrics.chain(), Some("ok"));
    pulled.settle(LEASE);

    let posted = Instant::now();
    pulled.post("emergency", None);
    pulled.wait("by the hook", |metrics| delivered(metrics, "firing") >= 1.0);
    pulled.post("emergency", Some(SystemTime::now()));
    let is_over =
        |metrics: &Metrics| delivered(metrics, "resolved") >= 1.0 && leases(metrics) == 0.0;
    let metrics = pulled.wait("resolved", is_over);
    measured("fired, then resolved by the first", posted);
    let by_pull = ended_by_pull(&metrics);

    let firings = delivered(&metrics, "firing");
    let metrics = pulled.wait("a late firing", |metrics| {
        delivered(metrics, "firing") > firings
    });
    let late = Instant::now();
    let waits = PEER_TIMEOUT.as_secs();
    measured(
        &format!("fired to firing again, by the second (it waits {waits} s)"),
        posted,
    );
    let resolves = delivered(&metrics, "resolved");
    let metrics = pulled.wait("undone", |metrics| leases(metrics) == 0.0);
    measured("late firing to lease ended by pull", late);
    assert!(ended_by_pull(&metrics) > by_pull, "not by the hook");
    assert_eq!(delivered(&metrics, "resolved"), resolves, "not by the hook");
    assert_eq!(ended(&metrics, "ttl"), 0.0);
    // The outcome without the pull.
    pulled.wait("a second resolved", |metrics| {
        delivered(metrics, "resolved") > resolves
    });
    measured("late firing to the resolved that the hook gets", late);
    pulled.guard.assert_given_back();
}

#[test]
fn without_a_hook_everything_comes_by_pull() {
    needs!("prometheus", "prometheus-alertmanager", "amtool");
    let nobody = |_| "route: { receiver: people }\nreceivers: [{ name: people }]\n".to_owned();
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "380.5"]);
    let lease = Duration::from_secs(8);
    let mut pulled = Pulled::start(machine, lease, 1, nobody);
    pulled.settle(lease);

    let posted = Instant::now();
    pulled.post("gradual", None);
    let card = pulled.guard.wait_throttled(0);
    measured(
        "gradual alert at Alertmanager to limit by pull (every 1 s)",
        posted,
    );
    assert_eq!(limit(&card), 340.0, "the ceiling of a lease");
    pulled.post("gradual", Some(SystemTime::now()));
    let posted = Instant::now();
    pulled.post("emergency", None);
    pulled.guard.wait_state(0, "emergency");
    measured(
        "emergency alert at Alertmanager to emergency by pull",
        posted,
    );
    pulled
        .guard
        .wait_gpu(0, "at its minimum", |card| limit(card) == 100.0);
    // Renewed for longer than it would live.
    holds_for(lease + 2 * INTERVAL, "emergency", || {
        pulled.guard.metrics().state(0) == Some("emergency")
    });
    pulled.post("emergency", Some(SystemTime::now()));
    pulled.wait("all leases ended", |metrics| leases(metrics) == 0.0);

    // An alert of the shipped rules.
    pulled.guard.heat(0);
    pulled.wait("asked by alert", |metrics| {
        metrics.of(0, "thermal_guard_throttle_level", &[("source", "alert")]) >= Some(1.0)
    });
    pulled.guard.cool(0);
    pulled.guard.assert_given_back();

    pulled.chain.prometheus.kill();
    let killed = Instant::now();
    let metrics = pulled.wait("chain lost", |metrics| {
        matches!(metrics.chain(), Some("stale" | "down"))
    });
    let state = metrics.chain().unwrap();
    measured(
        &format!("Prometheus killed to chain {state} by pull (time-out 5 s)"),
        killed,
    );
    assert_eq!(up(&metrics), Some(1.0), "Alertmanager itself answers");
    let requests = metrics.get("thermal_guard_hook_requests_total", &[]);
    assert_eq!(requests, Some(0.0), "nobody called the hook");
}

#[test]
fn an_alertmanager_that_hangs_delays_nothing() {
    needs!("prometheus", "prometheus-alertmanager", "amtool");
    let hanging = Listener::hanging();
    let config = format!(
        "hook: {{ lease: 2s }}\nalertmanager: {{ url: \"http://{}\", pull_interval: 500ms }}\n",
        hanging.address
    );
    let mut guard = Guard::started(
        Machine::warm(&["l40s"], &WORKING),
        TIMING.time_scale,
        &config,
    );
    let asked = Instant::now();
    while hanging.requests().is_empty() {
        assert!(asked.elapsed() < PATIENCE, "never asked");
        sleep(Duration::from_millis(20));
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let began = Instant::now();
        guard.metrics();
        slowest = slowest.max(began.elapsed());
    }
    tell(&format!(
        "slowest of 20 scrapes beside a hanging pull: {} ms",
        slowest.as_millis()
    ));
    assert!(slowest < Duration::from_secs(1));
    guard.wait("timed out", |metrics| {
        let name = "thermal_guard_alertmanager_pull_requests_total";
        metrics.get(name, &[("result", "timeout")]) >= Some(1.0)
    });
    guard.heat(0);
    guard.wait_throttled(0);
    guard.cool(0);
    guard.assert_given_back();
    // With a request under way.
    let asked = hanging.requests().len();
    while hanging.requests().len() == asked {
        sleep(Duration::from_millis(20));
    }
    let stopping = Instant::now();
    assert_eq!(guard.stop(), Some(0));
    measured("stop while a pull hangs (its time-out is 5 s)", stopping);
    assert!(stopping.elapsed() < Duration::from_secs(4));
}
