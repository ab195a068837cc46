//! `thermal-guard simulate`, as its users and our own acceptance read it. Short stories: the whole
//! record is a benchmark, not a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::process::{run, stderr, stdout};

const KEYS: [&str; 16] = [
    "scenario",
    "profile",
    "policy",
    "alert_latency_seconds",
    "hours",
    "throughput",
    "throughput_of_bound",
    "overshoot_celsius",
    "hottest_celsius",
    "mean_celsius",
    "above_alert_ratio",
    "above_critical_ratio",
    "limit_writes_per_hour",
    "clock_writes_per_hour",
    "feasible",
    "restored",
];

#[track_caller]
fn simulate(args: &[&str]) -> String {
    let output = run(&[&["simulate"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[track_caller]
fn runs(args: &[&str]) -> Vec<Value> {
    let record: Value = serde_json::from_str(&simulate(&[args, &["--json"]].concat())).unwrap();
    record["runs"].as_array().unwrap().clone()
}

fn number(run: &Value, key: &str) -> f64 {
    run[key].as_f64().unwrap()
}

fn of<'a>(runs: &'a [Value], policy: &str) -> &'a Value {
    runs.iter().find(|run| run["policy"] == policy).unwrap()
}

const HOT: [&str; 5] = ["hot-inlet", "--profile", "a100-80gb", "--hours", "0.5"];

#[test]
fn the_record_has_the_agreed_keys_and_is_the_same_each_time() {
    let text = simulate(&[&HOT[..], &["--json"]].concat());
    assert_eq!(text, simulate(&[&HOT[..], &["--json"]].concat()));
    let record: Value = serde_json::from_str(&text).unwrap();
    let runs = record["runs"].as_array().unwrap();
    let policies: Vec<_> = runs
        .iter()
        .map(|run| {
            (
                run["policy"].as_str().unwrap(),
                run["alert_latency_seconds"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("none", 0),
        ("fixed-step", 0),
        ("fixed-step", 15),
        ("fixed-step", 60),
        ("ladder", 0),
        ("governor", 0),
    ];
    assert_eq!(policies, expected);
    for run in runs {
        let object = run.as_object().unwrap();
        assert_eq!(object.len(), KEYS.len());
        for key in KEYS {
            assert!(object.contains_key(key), "{key}");
        }
        assert!(run["feasible"].is_boolean() && run["restored"].is_boolean());
    }
    // In the order of the contract, for people who diff.
    let places = KEYS.map(|key| text.find(&format!("\"{key}\"")).unwrap());
    assert!(places.is_sorted());
}

#[test]
fn in_a_hot_room_each_policy_is_what_it_is() {
    let runs = runs(&HOT);
    let none = of(&runs, "none");
    assert!(number(none, "overshoot_celsius") > 5.0, "{none}");
    assert!(number(none, "above_alert_ratio") > 0.8, "{none}");
    let script = of(&runs, "fixed-step");
    assert!(number(script, "limit_writes_per_hour") > 60.0, "{script}");
    assert!(number(script, "throughput") < 0.7, "{script}");
    for policy in ["ladder", "governor"] {
        let run = of(&runs, policy);
        assert!(number(run, "throughput_of_bound") > 0.9, "{run}");
        assert!(number(run, "overshoot_celsius") < 1.5, "{run}");
    }
    let late: Vec<f64> = runs[1..4]
        .iter()
        .map(|run| number(run, "overshoot_celsius"))
        .collect();
    assert!(late.is_sorted(), "{late:?}");
}

#[test]
fn the_bound_is_the_plants_not_the_runs() {
    let all = runs(&HOT);
    let alone = runs(&[&HOT[..], &["--policy", "ladder"]].concat());
    assert_eq!(of(&all, "ladder"), &alone[0]);
    let bound = |run: &Value| number(run, "throughput") / number(run, "throughput_of_bound");
    for run in &all {
        assert!((bound(run) - bound(&all[0])).abs() < 2e-4, "{run}");
    }
}

/// All Rust files under a folder, but for tests in files of their own.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let each = entries.map(|entry| entry.unwrap().path());
    each.flat_map(|path| match path.extension() {
        _ if path.file_stem().is_some_and(|stem| stem == "tests") => Vec::new(),
        _ if path.is_dir() => sources(&path),
        Some(kind) if kind == "rs" => vec![path],
        _ => Vec::new(),
    })
    .collect()
}

/// The oracle knows model, parameters and room. A policy must not: it decides on readings alone.
#[test]
fn no_policy_can_see_the_plant() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy");
    let mut seen = 0;
    for file in sources(folder.as_ref()) {
        let text = std::fs::read_to_string(&file).unwrap();
        for name in [
            "device::plant",
            "device::profile",
            "device::sim",
            "virtual_node",
            "simulate::",
        ] {
            assert!(!text.contains(name), "{} names {name}", file.display());
        }
        // Nor by a group of imports.
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("use crate::device::{"))
        {
            for name in ["plant", "profile", "sim::"] {
                assert!(!line.contains(name), "{}: {line}", file.display());
            }
        }
        seen += 1;
    }
    assert!(seen > 5, "the policy has moved");
}

#[test]
fn a_cool_room_costs_nothing() {
    let runs = runs(&[
        "cool-room",
        "--profile=a100-80gb,l40s",
        "--policy=ladder,governor",
        "--hours=0.5",
    ]);
    assert_eq!(runs.len(), 4);
    for run in runs {
        assert_eq!(run["limit_writes_per_hour"], 0.0, "{run}");
        assert_eq!(run["clock_writes_per_hour"], 0.0, "{run}");
        assert_eq!(run["throughput"], 1.0, "{run}");
        assert_eq!(run["throughput_of_bound"], 1.0, "{run}");
    }
}

/// All scenarios but the clinic, and what must hold in each.
#[test]
fn every_scenario_is_told_bounded_and_given_back() {
    for profile in ["v100-32gb", "rtx-4090"] {
        let mut args = [
            "cool-room",
            "hot-inlet",
            "inlet-ramp",
            "airflow-loss",
            "bursty",
            "decode-like",
            "hbm-limited",
            "floor-too-high",
            "frozen-sensor",
            "lost-resolve",
            "shared-air",
        ]
        .to_vec();
        args.extend([
            "--profile",
            profile,
            "--policy=ladder,fixed-step",
            "--hours=0.4",
        ]);
        let runs = runs(&args);
        for run in &runs {
            assert_eq!(run["restored"], true, "{run}");
            let infeasible =
                run["scenario"] == "floor-too-high" || run["scenario"] == "frozen-sensor";
            assert_eq!(run["feasible"], !infeasible, "{run}");
            // A run that stays under alert can't do more work than the oracle.
            if number(run, "above_alert_ratio") < 0.02 {
                assert!(number(run, "throughput_of_bound") < 1.005, "{run}");
            }
        }
        let memory = runs.iter().any(|run| run["scenario"] == "hbm-limited");
        assert_eq!(memory, profile == "v100-32gb");
    }
}

#[test]
fn the_table_is_for_people_and_the_plot_has_a_panel_for_each_run() {
    let directory = tempfile::tempdir().unwrap();
    let plot = directory.path().join("plot.svg");
    let args = ["--policy=none,ladder", "--plot", plot.to_str().unwrap()];
    let table = simulate(&[&HOT[..], &args].concat());
    for word in [
        "hot-inlet: ",
        "a100-80gb, 0.5 h",
        "OF BOUND %",
        "x SCRIPT",
        "(oracle)",
        "none",
        "ladder",
    ] {
        assert!(table.contains(word), "{word}: {table}");
    }
    let svg = std::fs::read_to_string(plot).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<g ").count(), 2);
    assert_eq!(svg.matches("<polyline ").count(), 4);
    assert!(!svg.contains("NaN"));
    for word in [
        ">safe 72 °C<",
        ">alert 78 °C<",
        ">critical 85 °C<",
        ">10m<",
        ">30m<",
    ] {
        assert!(svg.contains(word), "{word}: {svg}");
    }
}

#[test]
fn a_plot_replaces_a_plot_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    let drawn = |name: &str, more: &[&str]| {
        let plot = format!("--plot={}", file(name).display());
        run(&[&["simulate"], &HOT[..], &["--policy=governor", &plot], more].concat())
    };
    let first = drawn("plot.svg", &[]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(stderr(&first).contains("wrote "), "{}", stderr(&first));
    let whole = std::fs::read_to_string(file("plot.svg")).unwrap();
    let again = drawn("plot.svg", &["--window=10m"]);
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    let part = std::fs::read_to_string(file("plot.svg")).unwrap();
    assert!(
        part.contains(">25m<") && !part.contains(">10m<"),
        "the last ten minutes of thirty: {part}"
    );
    assert!(
        whole.contains(">10m<") && !whole.contains(">25m<"),
        "{whole}"
    );
    for (name, content) in [
        (
            "other.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>",
        ),
        ("config.svg", "thresholds: auto\n"),
        ("empty.svg", ""),
    ] {
        std::fs::write(file(name), content).unwrap();
        let output = drawn(name, &[]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(
            stderr(&output).contains("name another file"),
            "{}",
            stderr(&output)
        );
        assert_eq!(
            std::fs::read_to_string(file(name)).unwrap(),
            content,
            "{name}"
        );
    }
    // A name that says another kind of file, before any work.
    std::fs::write(file("reload.yml"), "mode: observe\n").unwrap();
    let output = drawn("reload.yml", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(".svg"), "{}", stderr(&output));
}

#[test]
fn the_clinic_answers_what_physics_can() {
    let text = simulate(&["clinic", "--policy=none,fixed-step", "--hours=0.5"]);
    for words in [
        "mean temperature, °C",
        "81.3",
        "47",
        "+18 %",
        "+32 %",
        "Can't be simulated",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn usage_errors_exit_2_and_tell_what_there_is() {
    for (args, known) in [
        (["simulate", "sauna"], "hot-inlet"),
        (["simulate", "--profile=gtx-1080"], "rtx-4090"),
        (["simulate", "--policy=prayer"], "governor"),
    ] {
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(known), "{args:?}");
    }
    let nowhere = [
        "simulate",
        "cool-room",
        "--hours=0.01",
        "--plot=/nowhere/plot.svg",
    ];
    assert_eq!(run(&nowhere).status.code(), Some(2));
}
