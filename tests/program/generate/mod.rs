//! `thermal-guard generate`: what it prints is what `alerts/` ships, real Prometheus and Alertmanager
//! take it, and each alert finds its node, for one node and for hundreds.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic and start programs"
)]

mod fragments;
mod nodes;
mod routes;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::needs::needs;
use crate::common::process::{run, stderr, stdout};

const TEMPLATED: &str = "https://{{ .GroupLabels.instance }}/hook";

fn generate(args: &[&str]) -> String {
    let output = run(&[&["generate"], args].concat());
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    stdout(&output)
}

/// `rack1-n1.example` and so on.
fn nodes(count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("rack1-n{k}.example")).collect()
}

fn fleet(count: usize) -> String {
    format!("--node={}", nodes(count).join(","))
}

fn checked(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output().unwrap();
    let said = stdout(&output) + &stderr(&output);
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// Alertmanager 0.25 takes no template: with a name in its place, all the rest can be checked.
fn without_template(config: &str) -> String {
    assert!(config.contains(TEMPLATED));
    config.replace(TEMPLATED, "https://a.example/hook").replace(
        "        timeout: 2s         # a hook that hangs is tried again\n",
        "",
    )
}

fn written(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn what_is_shipped_is_what_is_printed_for_one_node() {
    for (file, args) in [
        ("alertmanager.yml", &["alertmanager"][..]),
        (
            "alertmanager-0.31.yml",
            &["alertmanager", "--for-version=0.31"],
        ),
        (
            "alertmanager-0.31.yml",
            &["alertmanager", "--for-version=v0.35.1"],
        ),
        ("alertmanager-pull.yml", &["alertmanager", "--pull"]),
        ("prometheus.yml", &["prometheus"]),
        ("thermal-guard.rules.yml", &["rules"]),
        ("thermal-guard-dcgm.rules.yml", &["rules", "--dcgm"]),
    ] {
        let shipped = fs::read_to_string(Path::new("alerts").join(file)).unwrap();
        let said = "differs: run `thermal-guard generate` again, or change what it prints";
        assert!(generate(args) == shipped, "alerts/{file} {said}");
        let named = [args, &["--node=n1.example:10835"]].concat();
        assert!(
            generate(&named) == shipped,
            "alerts/{file} with its node named"
        );
    }
}

#[test]
fn promtool_and_amtool_take_what_is_printed_for_one_three_and_hundreds() {
    needs!("promtool", "amtool");
    for count in [1, 3, 300] {
        let dir = TempDir::new().unwrap();
        let fleet = fleet(count);
        for dcgm in ["", "-dcgm"] {
            let flags: &[&str] = if dcgm.is_empty() { &[] } else { &["--dcgm"] };
            let rules = generate(&[&["rules", &fleet], flags].concat());
            let path = written(&dir, &format!("thermal-guard{dcgm}.rules.yml"), &rules);
            let path = path.to_str().unwrap();
            checked(
                "promtool",
                &["check", "rules", "--lint=all", "--lint-fatal", path],
            )
            .unwrap();
        }
        let config = written(&dir, "prometheus.yml", &generate(&["prometheus", &fleet]));
        let config = config.to_str().unwrap();
        let check = ["check", "config", "--lint=all", "--lint-fatal"];
        checked("promtool", &[&check[..], &[config]].concat()).unwrap();
        for node in nodes(count) {
            assert!(
                fs::read_to_string(config)
                    .unwrap()
                    .contains(&format!("\"{node}:10835\""))
            );
        }
        let classic = generate(&["alertmanager", &fleet]);
        let templated = generate(&["alertmanager", &fleet, "--for-version=0.31"]);
        for text in [classic, without_template(&templated)] {
            let config = written(&dir, "alertmanager.yml", &text);
            checked("amtool", &["check-config", config.to_str().unwrap()]).unwrap();
        }
    }
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// They are read in a terminal. Values are as long as they are, and rules are expressions.
#[test]
fn the_comments_of_a_configuration_fit_80_columns() {
    for args in [
        &["prometheus", "--node=a,b"][..],
        &["prometheus", "--fragment", "--node=a"],
        &["targets", "--node=a"],
        &["alertmanager", "--node=a,b"],
        &["alertmanager", "--fragment", "--node=a"],
        &["alertmanager", "--pull"],
        &["alertmanager", "--pull", "--fragment"],
        &["alertmanager", "--for-version=0.31", "--node=a"],
        &["alertmanager", "--pace=gentle", "--node=a"],
    ] {
        let text = generate(args);
        let mut lines = text.lines();
        let wide = lines.find(|line| line.contains("# ") && line.chars().count() > 80);
        assert_eq!(wide, None, "{args:?}");
    }
}
