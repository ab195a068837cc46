//! From heat to the limit by the whole alert chain: scrape, rule, Prometheus, Alertmanager, hook. At
//! the shipped intervals, and at those that the two programs have where nobody sets any.
//!
//! The cards get as warm as the alert rules mind and the guard's own loop doesn't, so each limit is
//! an alert's. All chains run at the same time, each with guards of its own: they mostly wait.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::common::chain::{Chain, free_ports};
use crate::common::guard::Guard;
use crate::common::process;
use crate::stand::{Stand, Trial, WARM};
use crate::table::Row;

/// Scraped at moments of their own, so that one lucky one isn't all there is.
const GUARDS: usize = 3;

/// Scrape, evaluation and grouping take 150 s at most.
const PATIENCE: Duration = Duration::from_secs(200);

/// How often things are done.
struct Pace {
    name: &'static str,
    /// Scrape and evaluation; how long Alertmanager gathers. `None`: as shipped.
    set: Option<[&'static str; 2]>,
    period: Duration,
    cards: usize,
    /// Each card reacts again and again. Not by default: Alertmanager holds what comes next of the
    /// same alert back for its group interval, 5 min.
    repeats: bool,
}

const PACES: [Pace; 3] = [
    Pace {
        name: "alert chain as shipped (1 s, 1 s, 0 s)",
        set: None,
        period: Duration::from_secs(1),
        cards: 8,
        repeats: true,
    },
    Pace {
        name: "alert chain, examples' intervals (15 s, 15 s, 30 s)",
        set: Some(["15s", "30s"]),
        period: Duration::from_secs(15),
        cards: 16,
        repeats: false,
    },
    Pace {
        name: "alert chain, built-in intervals (1 min, 1 min, 30 s)",
        set: Some(["1m", "30s"]),
        period: Duration::from_secs(60),
        cards: 16,
        repeats: false,
    },
];

/// The rule that people write first. The shipped ones look at half minutes, of which a scrape each
/// minute shows nothing.
const PLAIN_RULE: &str = "\
groups:
  - name: plain
    rules:
      - alert: GpuHot
        expr: thermal_guard_margin_to_alert_celsius <= 2
        labels: { guard_action: gradual }
";

/// Of each chain; the shipped one goes on until `until`.
pub(crate) fn measure(until: Instant) -> Vec<Row> {
    thread::scope(|scope| {
        let paces = PACES
            .each_ref()
            .map(|pace| scope.spawn(move || reactions(pace, until)));
        let times = paces.map(|times| times.join().expect("reactions"));
        let rows = PACES.iter().zip(times);
        rows.map(|(pace, times)| Row::new(pace.name, times))
            .collect()
    })
}

fn reactions(pace: &Pace, until: Instant) -> Vec<Duration> {
    let dir = TempDir::new().expect("a directory for the chain");
    let token = dir.path().join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef").expect("a token");
    fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("a token");
    let config = format!(
        "policy: {{ recovery_delay: 0s }}\nhook: {{ bearer_token_file: {} }}",
        token.display()
    );
    let stands: Vec<_> = (0..GUARDS).map(|_| Stand::new(pace.cards)).collect();
    let guards: Vec<_> = stands
        .iter()
        .map(|stand| stand.guard(&config, None))
        .collect();
    let ports = free_ports();
    configure(dir.path(), &guards, &token, ports, pace);
    let _chain = Chain::start_on(dir, ports);
    if pace.set.is_none() {
        // The shipped rules mind only what was cool before: they must have seen that.
        for guard in &guards {
            guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
        }
        thread::sleep(5 * pace.period);
    }
    let trial = Trial {
        celsius: WARM,
        period: pace.period,
        patience: PATIENCE,
        gives_back: true,
    };
    let until = if pace.repeats { until } else { Instant::now() };
    let times = thread::scope(|scope| {
        let react = |stand: &'_ Stand| stand.reactions(pace.cards, until, &trial);
        let nodes: Vec<_> = stands
            .iter()
            .map(|stand| scope.spawn(move || react(stand)))
            .collect();
        let times = nodes.into_iter().map(|node| node.join().expect("a node"));
        times.flatten().collect::<Vec<_>>()
    });
    only_by_alerts(&guards, pace.cards, times.len());
    times
}

/// What the guard's own loop had done would be no reaction of the chain's.
fn only_by_alerts(guards: &[Guard], cards: usize, reactions: usize) {
    let by = |trigger| {
        let of = |guard: &Guard| {
            let metrics = guard.metrics();
            (0..cards)
                .map(|gpu| metrics.throttles(gpu, trigger))
                .sum::<f64>()
        };
        guards.iter().map(of).sum::<f64>()
    };
    let (local, alert) = (by("local") + by("fallback"), by("alert"));
    assert!(local == 0.0, "{local} throttles by the guards' own loops");
    assert!(
        alert >= reactions as f64,
        "{alert} throttles by alerts, {reactions} measured"
    );
}

/// What `generate` prints for these guards, at this pace.
fn configure(dir: &Path, guards: &[Guard], token: &Path, ports: [u16; 2], pace: &Pace) {
    let [_, alertmanager] = ports;
    let nodes: Vec<_> = guards
        .iter()
        .map(|guard| format!("--node={}", guard.address()))
        .collect();
    let token = format!("--token-file={}", token.display());
    let alertmanager = format!("--alertmanager=127.0.0.1:{alertmanager}");
    for (file, what, own) in [
        ("alertmanager.yml", "alertmanager", Some(&token)),
        ("prometheus.yml", "prometheus", Some(&alertmanager)),
        ("thermal-guard.rules.yml", "rules", None),
    ] {
        let nodes = nodes.iter().chain(own).map(String::as_str);
        let args: Vec<_> = ["generate", what].into_iter().chain(nodes).collect();
        let output = process::run(&args);
        assert!(output.status.success(), "{}", process::stderr(&output));
        let shipped = process::stdout(&output);
        let text = pace
            .set
            .map_or_else(|| shipped.clone(), |set| slowed(what, &shipped, set));
        fs::write(dir.join(file), text).expect(file);
    }
}

/// With these intervals, and the defaults of Alertmanager and Prometheus for all that goes with them.
fn slowed(what: &str, shipped: &str, [scrape, wait]: [&str; 2]) -> String {
    if what == "rules" {
        return PLAIN_RULE.to_owned();
    }
    let pieces = [
        ("scrape_interval: 1s", format!("scrape_interval: {scrape}")),
        (
            "evaluation_interval: 1s",
            format!("evaluation_interval: {scrape}"),
        ),
        ("scrape_timeout: 1s", "scrape_timeout: 10s".to_owned()),
        ("group_wait: 0s", format!("group_wait: {wait}")),
        ("group_interval: 1s", "group_interval: 5m".to_owned()),
        ("repeat_interval: 5s", "repeat_interval: 4h".to_owned()),
        ("repeat_interval: 10s", "repeat_interval: 4h".to_owned()),
    ];
    let known = pieces
        .iter()
        .filter(|(from, _)| shipped.contains(from))
        .count();
    assert!(known >= 3, "the intervals have other words now");
    pieces.iter().fold(shipped.to_owned(), |text, (from, to)| {
        text.replace(from, to)
    })
}
