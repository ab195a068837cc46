//! `validate`: what, where and remedy for each mistake of a file, and nothing else that is needed.
#![allow(clippy::unwrap_used, reason = "tests fail by panic")]

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{run, stderr, stdout};

const BAD: i32 = 78;

fn file(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_good_file_is_valid_and_says_so() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "good.yml", "thresholds: { alert: 75 }\n");
    for args in [
        &["validate", &path][..],
        &["validate", &format!("--config.file={path}")],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), format!("valid: {path}\n"));
    }
    let none = run(&["validate"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(stdout(&none).contains("all defaults"), "{}", stdout(&none));
    let shipped = run(&["validate", "deploy/thermal-guard.example.yml"]);
    assert_eq!(shipped.status.code(), Some(0), "{}", stdout(&shipped));
}

#[test]
fn each_mistake_has_its_line_its_key_and_what_was_probably_meant_in_the_files_order() {
    let dir = TempDir::new().unwrap();
    let text = "port: 9000\n\
        mode: dry-run\n\
        gpus: 0,1\n\
        actuators:\n  power_limit: { gradual_floor: 48 }\n\
        pol_interval: 2s\n\
        thresholds:\n  alert: 172\n  critical: \"85\"\n";
    let path = file(&dir, "bad.yml", text);
    let output = run(&["validate", &path]);
    assert_eq!(output.status.code(), Some(BAD));
    let said = stdout(&output);
    let expected = [
        (1, "port", "it is a flag: --web.listen-address"),
        (2, "mode", "observe (which is what --dry-run means)"),
        (3, "gpus", "write [0, 1]"),
        (5, "actuators.power_limit.gradual_floor", "48 % are 0.48"),
        (6, "pol_interval", "did you mean poll_interval?"),
        (8, "thresholds.alert", "172 °F are 78 °C"),
        (
            9,
            "thresholds.critical",
            "write 85, without quotes or a unit",
        ),
    ];
    assert_eq!(said.lines().count(), expected.len(), "{said}");
    for (line, (number, key, remedy)) in said.lines().zip(expected) {
        let begins = format!("{path}:{number}: {key}: ");
        assert!(line.starts_with(&begins), "{line}");
        assert!(line.contains(remedy), "{line}");
    }
    let record: Value =
        serde_json::from_str(&stdout(&run(&["validate", "--json", &path]))).unwrap();
    assert_eq!(record["valid"], false);
    assert_eq!(record["mistakes"][0]["line"], 1);
    assert_eq!(record["mistakes"][0]["key"], "port");
}

#[test]
fn the_web_configuration_is_validated_with_it() {
    let dir = TempDir::new().unwrap();
    let good = file(&dir, "good.yml", "");
    let web = file(&dir, "web.yml", "tls_server_config: { cert_file: c.pem }\n");
    let output = run(&["validate", &good, &format!("--web.config.file={web}")]);
    assert_eq!(output.status.code(), Some(BAD));
    let said = stdout(&output);
    assert!(
        said.contains(&format!("{web}:1: tls_server_config.key_file: ")),
        "{said}"
    );
    assert!(said.contains(&format!("valid: {good}")), "{said}");
}

#[test]
fn a_key_of_the_web_configuration_that_is_cut_short_is_recognised() {
    let dir = TempDir::new().unwrap();
    let web = file(&dir, "web.yml", "basic_auth: { a: b }\n");
    let output = run(&["validate", &format!("--web.config.file={web}")]);
    let said = stdout(&output);
    assert!(said.contains("did you mean basic_auth_users?"), "{said}");
}

#[test]
fn several_files_are_validated_each_by_itself() {
    let dir = TempDir::new().unwrap();
    let good = file(&dir, "good.yml", "");
    let bad = file(&dir, "bad.yml", "mode: dry-run\n");
    let output = run(&["validate", &bad, &good]);
    assert_eq!(output.status.code(), Some(BAD));
    let said = stdout(&output);
    assert!(said.contains(&format!("{bad}:1: mode: ")), "{said}");
    assert!(said.contains(&format!("valid: {good}")), "{said}");
    assert!(run(&["validate", &good, &good]).status.success());
}
