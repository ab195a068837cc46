//! Dashboards, rules and documents name only metrics that exist, and metrics have base units.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::owners;

/// Every `thermal_guard_…` word in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = text
        .split(word)
        .filter(|word| word.starts_with("thermal_guard_"));
    words
        .map(|word| word.trim_end_matches('_').to_owned())
        .collect()
}

/// The families of the golden text and the series of its histograms; and, because its cards don't have
/// every sensor, the names in the sources that export metrics.
fn exposed() -> BTreeSet<String> {
    let golden = fs::read_to_string("tests/golden/metrics.txt").unwrap();
    let families = golden
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = families.filter_map(|line| line.split(' ').next());
    let encoded = owners::sources();
    let encoded = encoded.iter().flat_map(|source| metrics(source));
    names
        .flat_map(|name| ["", "_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")))
        .chain(encoded)
        .collect()
}

fn unknown(path: &str) -> Vec<String> {
    let known = exposed();
    let named = metrics(&fs::read_to_string(path).unwrap());
    assert!(!named.is_empty(), "{path} names no metric at all");
    named
        .into_iter()
        .filter(|name| !known.contains(name))
        .collect()
}

/// The JSON files of `dashboards/`.
fn dashboards() -> Vec<PathBuf> {
    let files = fs::read_dir("dashboards").unwrap();
    let mut found: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

/// The faults of a panel. A row isn't one: it only divides.
fn faults(panel: &Value) -> Vec<&'static str> {
    let says = |pointer: &str| {
        let text = panel.pointer(pointer).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    let queries = panel["targets"].as_array().map_or(0, Vec::len);
    let is_stat = panel["type"] == "stat";
    [
        (queries == 0, "no query"),
        (!says("/title"), "no title"),
        (!says("/description"), "no description"),
        (!says("/fieldConfig/defaults/unit"), "no unit"),
        // A missing sensor is no fault, and must not look like one.
        (
            !is_stat && !says("/fieldConfig/defaults/noValue"),
            "no text for an empty panel",
        ),
        (
            is_stat && panel["fieldConfig"]["defaults"]["thresholds"].is_null(),
            "no thresholds",
        ),
    ]
    .into_iter()
    .filter_map(|(is_so, fault)| is_so.then_some(fault))
    .collect()
}

#[test]
fn the_dashboards_show_metrics_that_exist() {
    for path in dashboards() {
        assert_eq!(unknown(path.to_str().unwrap()), [""; 0], "{path:?}");
    }
}

/// The end of a name in another unit than Prometheus's base units, if it has one.
fn foreign_unit(name: &str) -> Option<&str> {
    const FOREIGN: [&str; 16] = [
        "percent",
        "percentage",
        "ms",
        "milliseconds",
        "us",
        "microseconds",
        "ns",
        "nanoseconds",
        "minutes",
        "hours",
        "mw",
        "milliwatts",
        "mhz",
        "megahertz",
        "mib",
        "kelvin",
    ];
    let name = name.strip_suffix("_total").unwrap_or(name);
    let (_, last) = name.rsplit_once('_')?;
    FOREIGN.contains(&last).then_some(last)
}

#[test]
fn metrics_have_base_units() {
    for name in exposed() {
        assert_eq!(foreign_unit(&name), None, "{name}");
    }
    assert_eq!(foreign_unit("thermal_guard_fan_percent"), Some("percent"));
    // As in node_exporter's `node_hwmon_fan_rpm`: everyone counts fans in these.
    assert_eq!(foreign_unit("thermal_guard_gpu_fan_speed_rpm"), None);
    assert_eq!(foreign_unit("thermal_guard_wait_ms_total"), Some("ms"));
}

#[test]
fn the_rules_use_metrics_that_exist() {
    assert_eq!(unknown("alerts/thermal-guard.rules.yml"), [""; 0]);
}

#[test]
fn every_panel_has_a_query_a_unit_and_a_description() {
    for path in dashboards() {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let shown = panels.iter().filter(|panel| panel["type"] != "row");
        for panel in shown {
            assert_eq!(faults(panel), [""; 0], "{path:?}: {}", panel["title"]);
        }
    }
}

#[test]
fn the_types_are_those_of_the_grafana_that_draws_the_pictures() {
    let pinned = |folder: &str, part: &str| {
        let text = fs::read_to_string(format!("dashboards/{folder}/package.json")).unwrap();
        let package: Value = serde_json::from_str(&text).unwrap();
        package[part]["@grafana/schema"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let version = pinned("schema", "devDependencies");
    assert_eq!(version, pinned("render", "dependencies"));
    let schema = fs::read_to_string("dashboards/schema/dashboard.schema.json").unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let origin = schema["$comment"].as_str().unwrap();
    assert!(
        origin.contains(&format!("@grafana/schema {version} ")),
        "{origin}"
    );
}

#[test]
fn a_panel_without_a_description_would_be_found() {
    let bare =
        serde_json::json!({"type": "timeseries", "title": "Power", "targets": [{"expr": "up"}]});
    assert_eq!(faults(&bare).len(), 3);
}

#[test]
fn a_metric_that_does_not_exist_would_be_found() {
    let named = metrics("rate(thermal_guard_no_such_thing_total[5m]) > 0");
    assert!(named.iter().all(|name| !exposed().contains(name)));
}
