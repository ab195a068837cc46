//! Intervals, and the guard settings and rules that follow from them.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use thermal_guard::config::Config;
use thermal_guard::policy::ask::chain::Expected;

use super::{checked, fleet, generate, written, yaml};

use crate::common::needs::needs;
use crate::common::process::{run, stderr};

/// The settings for the guard, out of their comment.
fn guard_settings(text: &str) -> Config {
    let (_, block) = text.split_once("(thermal-guard.yml):\n").unwrap();
    let lines = block.lines().map_while(|line| line.strip_prefix("# "));
    let settings = lines.collect::<Vec<_>>().join("\n");
    let dir = TempDir::new().unwrap();
    Config::load(&written(&dir, "thermal-guard.yml", &settings)).unwrap()
}

fn duration(value: &Value) -> Duration {
    humantime::parse_duration(value.as_str().unwrap()).unwrap()
}

#[test]
fn the_guard_settings_printed_along_fit_the_intervals_and_the_guard_takes_them() {
    for (count, timeout) in [(1, 15), (300, 41)] {
        let fleet = fleet(count);
        let text = generate(&["alertmanager", &fleet]);
        let config = guard_settings(&text);
        assert_eq!(config.alertmanager.expected, Expected::Yes);
        let heartbeat_timeout = config.alertmanager.heartbeat_timeout.unwrap();
        assert_eq!(heartbeat_timeout, Duration::from_secs(timeout));

        let routes = &yaml(&text)["route"]["routes"];
        // Two in a row, each an interval late.
        let twice = |route: &Value| {
            2 * (duration(&route["repeat_interval"]) + duration(&route["group_interval"]))
        };
        assert!(heartbeat_timeout > twice(&routes[0]), "{count}");
        assert!(config.hook.lease > twice(&routes[1]), "{count}");

        for other in [
            generate(&["prometheus", &fleet]),
            generate(&["rules", &fleet]),
            generate(&["rules", &fleet, "--dcgm"]),
        ] {
            let other = guard_settings(&other);
            assert_eq!(other.hook.lease, config.hook.lease);
            assert_eq!(
                other.alertmanager.heartbeat_timeout,
                Some(heartbeat_timeout)
            );
        }
    }
}

#[test]
fn at_the_pace_of_hundreds_the_rules_still_foresee_heat() {
    needs!("promtool");
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("tests")).unwrap();
    let test = dir.path().join("tests/gentle.test.yml");
    fs::copy("alerts/tests/gentle.test.yml", &test).unwrap();
    let test = ["test", "rules", test.to_str().unwrap()];

    let rules = generate(&["rules", &fleet(300)]);
    written(&dir, "thermal-guard.rules.yml", &rules);
    checked("promtool", &test).unwrap();
    for (what, from, to) in [
        ("the window of a tuned pace", "[25s]", "[5s]"),
        (
            "looking ahead as a tuned pace does",
            ", 15) < 0",
            ", 7) < 0",
        ),
    ] {
        let broken = rules.replace(from, to);
        assert_ne!(broken, rules);
        written(&dir, "thermal-guard.rules.yml", &broken);
        assert!(checked("promtool", &test).is_err(), "{what}");
    }
}

#[test]
fn the_rules_on_dcgm_exporter_address_the_guards_port() {
    let rules = generate(&["rules", "--dcgm", "--node=a:9999", "--node=b:9999"]);
    assert!(rules.contains("$1:9999") && !rules.contains("$1:10835"));
    let mixed = run(&["generate", "rules", "--dcgm", "--node=a:9999,b"]);
    assert_eq!(mixed.status.code(), Some(2));
    assert!(
        stderr(&mixed).contains("9999 and 10835"),
        "{}",
        stderr(&mixed)
    );
}
