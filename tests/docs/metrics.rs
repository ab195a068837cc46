//! The table of metrics, from a scrape of a made-up node that has everything.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use thermal_guard::alerts::pull::PullCounters;
use thermal_guard::device::{ClockDomain, ClockRange, MarginOffsets, PowerProfiles, ProfileSet};
use thermal_guard::units::{Celsius, Megahertz};
use thermal_guard::web::metrics::{Collect, Format, render};
use thermal_guard::web::snapshot::Snapshot;

use crate::common::{fleet, owners};
use crate::derived;

/// The made-up node, and the things that none of its cards has: T.Limit, a target under alert,
/// workload power profiles, a memory clock lock, pulls.
fn everything() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    let tick = snapshot.gpus[0].tick.as_mut().map(Arc::make_mut).unwrap();
    let degrees = Some(Celsius::new(0.0));
    tick.reading.margin = Ok(Celsius::new(8.0));
    Arc::make_mut(&mut tick.facts).margin_offsets = MarginOffsets {
        shutdown: degrees,
        slowdown: degrees,
        mem_max: degrees,
        gpu_max: degrees,
    };
    tick.decision.firmware.acts_first = degrees;
    tick.reading.slow.power_profiles = Some(PowerProfiles {
        supported: ProfileSet::new([1, 0, 0, 0, 0, 0, 0, 0]),
        ..PowerProfiles::default()
    });
    let clock = Megahertz::new(1593);
    tick.decision.targets.locks[ClockDomain::Memory] = Some(ClockRange {
        min: clock,
        max: clock,
    });
    snapshot
}

/// The text of one scrape of it.
fn text() -> String {
    let mut counters = fleet::counters();
    let pull = PullCounters::default();
    let url = "http://alertmanager:9093";
    pull.pull_from([url.to_owned()].into_iter());
    pull.count_request(url, None, Duration::from_millis(5), fleet::UNIX);
    pull.register(&mut counters);
    render(
        String::new(),
        everything(),
        &counters,
        Collect::ALL,
        Format::Classic,
    )
    .unwrap()
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
    let text = text();
    derived("docs/metrics.md", "metrics", &table(&text));
}

#[test]
fn no_metric_of_the_encoders_is_missing_from_the_table() {
    let text = text();
    let shown: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let sources = owners::sources();
    let quoted = sources.iter().flat_map(|source| source.split('"'));
    let named = quoted.filter(|word| {
        word.starts_with("thermal_guard_")
            && !word.contains(|c: char| !c.is_ascii_lowercase() && c != '_')
    });
    let missing: BTreeSet<_> = named.filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
