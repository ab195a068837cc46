//! Dashboards, rules and documents speak of metrics that exist.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

/// The families of the exposition's golden text, and the series of its histograms.
fn exposed() -> BTreeSet<String> {
    let golden = fs::read_to_string("tests/golden/metrics.txt").unwrap();
    let families = golden
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names = families.filter_map(|line| line.split(' ').next());
    names
        .flat_map(|name| ["", "_bucket", "_sum", "_count"].map(|end| format!("{name}{end}")))
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

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    assert_eq!(unknown("dashboards/thermal.json"), [""; 0]);
}

#[test]
fn the_rules_stand_on_metrics_that_exist() {
    assert_eq!(unknown("alerts/thermal-guard.rules.yml"), [""; 0]);
}

#[test]
fn the_dashboard_is_json_with_panels_that_have_queries_and_a_description() {
    let text = fs::read_to_string(Path::new("dashboards/thermal.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    for panel in panels {
        let title = &panel["title"];
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title}");
        assert!(
            panel["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10),
            "{title}"
        );
    }
}

#[test]
fn a_metric_that_does_not_exist_would_be_found() {
    let named = metrics("rate(thermal_guard_no_such_thing_total[5m]) > 0");
    assert!(named.iter().all(|name| !exposed().contains(name)));
}
