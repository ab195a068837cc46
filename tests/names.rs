//! Dashboards, rules and documents speak of metrics that exist.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

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

/// The families of the exposition's golden text and the series of its histograms; and, because its
/// cards don't have every sensor, what the encoders name besides.
fn exposed() -> BTreeSet<String> {
    let golden = fs::read_to_string("tests/golden/metrics.txt").unwrap();
    let families = golden
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = families.filter_map(|line| line.split(' ').next());
    let encoders = fs::read_dir("src/web/metrics").unwrap();
    let encoded =
        encoders.flat_map(|file| metrics(&fs::read_to_string(file.unwrap().path()).unwrap()));
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

/// What of a panel is not as it should be. Rows only divide.
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
        // A sensor that isn't there is no fault, and must not look like one.
        (
            !is_stat && !says("/fieldConfig/defaults/noValue"),
            "no word on what it means to be empty",
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

#[test]
fn the_rules_stand_on_metrics_that_exist() {
    assert_eq!(unknown("alerts/thermal-guard.rules.yml"), [""; 0]);
}

#[test]
fn every_panel_has_a_query_a_unit_and_says_what_it_shows() {
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
fn a_panel_that_says_nothing_would_be_found() {
    let bare =
        serde_json::json!({"type": "timeseries", "title": "Power", "targets": [{"expr": "up"}]});
    assert_eq!(faults(&bare).len(), 3);
}

#[test]
fn a_metric_that_does_not_exist_would_be_found() {
    let named = metrics("rate(thermal_guard_no_such_thing_total[5m]) > 0");
    assert!(named.iter().all(|name| !exposed().contains(name)));
}
