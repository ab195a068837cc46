//! Which alert pages and which only warns: the list in alerting.md, out of the rules.

use std::fs;

use super::derived;

#[test]
fn the_list_of_what_is_critical_is_that_of_the_rules() {
    let alerts = alerts();
    let named = |wanted: &str| {
        let of_it = alerts.iter().filter(|(_, severity)| severity == wanted);
        let names: Vec<_> = of_it.map(|(name, _)| format!("`{name}`")).collect();
        assert!(names.len() > 3, "{wanted}: {names:?}");
        names.join(", ")
    };
    let list = format!(
        "- `critical`: {}\n- `warning`: {}\n",
        named("critical"),
        named("warning")
    );
    derived("docs/alerting.md", "severities", &list);
}

/// Names and severities. An alert that has none would be on no list.
fn alerts() -> Vec<(String, String)> {
    let rules = fs::read_to_string("alerts/thermal-guard.rules.yml").unwrap();
    let parts = rules.split("- alert: ").skip(1);
    let alerts = parts.map(|part| {
        let name = part.lines().next().unwrap().trim().to_owned();
        let (_, severity) = part.split_once("severity: ").unwrap();
        let severity = severity.split([',', '}', '\n']).next().unwrap();
        (name, severity.trim().to_owned())
    });
    alerts.collect()
}
