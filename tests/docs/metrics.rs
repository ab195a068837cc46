//! The table of metrics, from a scrape of a made-up node that has everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use thermal_guard::device::{ClockRange, TlimitOffsets};
use thermal_guard::units::{Celsius, Megahertz};
use thermal_guard::web::alert::{Action, Outcome};
use thermal_guard::web::metrics::{Collect, Format, render};
use thermal_guard::web::pull::PullSnapshot;
use thermal_guard::web::pull::counters::{Member, State};
use thermal_guard::web::snapshot::Snapshot;

use crate::{derived, fleet};

/// The made-up node, with what none of its cards has: T.Limit, a memory clock lock, pulls.
fn everything() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    let tick = snapshot.gpus[0].tick.as_mut().map(Arc::make_mut).unwrap();
    let degrees = Some(Celsius::new(0.0));
    tick.reading.margin = Ok(Celsius::new(8.0));
    Arc::make_mut(&mut tick.facts).tlimit = TlimitOffsets {
        shutdown: degrees,
        slowdown: degrees,
        mem_max: degrees,
        gpu_max: degrees,
    };
    let clock = Megahertz::new(1593);
    tick.decision.targets.memory_clock = Some(ClockRange {
        min: clock,
        max: clock,
    });
    snapshot.extra.pull = PullSnapshot {
        members: vec![Member {
            url: "http://alertmanager:9093".to_owned(),
            up: Some(true),
            requests: BTreeMap::from([("ok", 1)]),
            took: Some(Duration::from_millis(5)),
            last_success: Some(fleet::UNIX),
        }],
        alerts: BTreeMap::from([((State::Active, Action::Heartbeat, Outcome::Accepted), 1)]),
        ended_leases: 0,
    };
    snapshot
}

/// Label names in the order they are written; `le` is the histogram's own.
fn labels(sample: &str) -> Vec<&str> {
    let Some((_, inner)) = sample.split_once('{') else {
        return Vec::new();
    };
    let names = inner
        .split("=\"")
        .filter_map(|part| part.rsplit([',', '"']).next());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('}')).collect();
    names.retain(|name| *name != "le");
    names
}

fn table(text: &str) -> String {
    let mut table = "| name | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    let mut families = text.split("# HELP ").skip(1).peekable();
    assert!(families.peek().is_some());
    for family in families {
        let mut lines = family.lines();
        let (name, help) = lines.next().and_then(|line| line.split_once(' ')).unwrap();
        let kind = lines
            .next()
            .and_then(|line| line.rsplit(' ').next())
            .unwrap();
        let labels = labels(lines.next().unwrap());
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("`{}`", labels.join("`, `"))
        };
        let help = help.replace('|', "\\|");
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    table
}

#[test]
fn the_table_of_metrics_is_what_a_scrape_says() {
    let text = render(everything(), Collect::ALL, Format::Classic).unwrap();
    derived("docs/metrics.md", "metrics", &table(&text));
}

#[test]
fn no_metric_of_the_encoders_is_missing_from_the_table() {
    let text = render(everything(), Collect::ALL, Format::Classic).unwrap();
    let shown: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let files = fs::read_dir("src/web/metrics").unwrap();
    let sources: Vec<_> = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let quoted = sources.iter().flat_map(|source| source.split('"'));
    let named = quoted.filter(|word| {
        word.starts_with("thermal_guard_")
            && !word.contains(|c: char| !c.is_ascii_lowercase() && c != '_')
    });
    let missing: BTreeSet<_> = named.filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
