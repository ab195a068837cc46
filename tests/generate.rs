//! `thermal-guard generate`: what it prints is what `alerts/` ships, real Prometheus and Alertmanager
//! take it, and each alert finds its node, for one node and for hundreds.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic and start programs"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use thermal_guard::config::Config;
use thermal_guard::policy::chain::Expected;

use common::node::{run, stderr, stdout};

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

/// Whether Alertmanager sends an alert with these labels to exactly these receivers.
fn goes_to(config: &Path, receivers: &str, labels: &[String]) -> Result<String, String> {
    let receivers = format!("--verify.receivers={receivers}");
    let labels = labels.iter().map(String::as_str);
    let args = ["config", "routes", "test", "--config.file"];
    let args: Vec<&str> = args
        .into_iter()
        .chain([config.to_str().unwrap(), &receivers])
        .chain(labels)
        .collect();
    checked("amtool", &args)
}

fn labels(action: &str, instance: &str) -> [String; 2] {
    [
        format!("guard_action={action}"),
        format!("instance={instance}"),
    ]
}

fn written(dir: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
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
                    .contains(&format!("'{node}:10835'"))
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

#[test]
fn the_alerts_and_the_heartbeat_of_each_node_go_to_its_own_receiver() {
    let dir = TempDir::new().unwrap();
    for (count, asked) in [
        (1, vec![1]),
        (3, vec![1, 2, 3]),
        (300, vec![1, 30, 299, 300]),
    ] {
        let config = written(&dir, "am.yml", &generate(&["alertmanager", &fleet(count)]));
        for k in asked {
            let instance = format!("rack1-n{k}.example:10835");
            let own = format!("guard-{instance}");
            goes_to(&config, &own, &labels("heartbeat", &instance)).unwrap();
            for action in ["gradual", "emergency"] {
                let receivers = format!("{own},people");
                goes_to(&config, &receivers, &labels(action, &instance)).unwrap();
            }
        }
        // Neither a node that isn't listed nor what is for people gets to a guard.
        let stranger = "rack1-n301.example:10835";
        goes_to(&config, "nobody", &labels("heartbeat", stranger)).unwrap();
        goes_to(&config, "nobody,people", &labels("gradual", stranger)).unwrap();
        goes_to(&config, "people", &["alertname=GpuLost".to_owned()]).unwrap();
    }
}

#[test]
fn a_receiver_is_more_than_its_name_each_has_the_address_of_its_node() {
    let config: Value = yaml(&generate(&[
        "alertmanager",
        &fleet(300),
        "--ca-file=/etc/ca.pem",
    ]));
    let receivers = config["receivers"].as_array().unwrap();
    assert_eq!(receivers.len(), 302, "each node's, people, and nobody");
    for receiver in receivers {
        let name = receiver["name"].as_str().unwrap();
        let Some(instance) = name.strip_prefix("guard-") else {
            continue;
        };
        let hooks = receiver["webhook_configs"].as_array().unwrap();
        assert_eq!(hooks.len(), 1, "{name}: a dead node would delay others");
        assert_eq!(hooks[0]["url"], format!("https://{instance}/hook"));
        assert_eq!(hooks[0]["http_config"]["follow_redirects"], false);
        assert_eq!(
            hooks[0]["http_config"]["tls_config"]["ca_file"],
            "/etc/ca.pem"
        );
    }
}

#[test]
fn one_templated_receiver_takes_listed_instances_only_and_wants_tls() {
    let dir = TempDir::new().unwrap();
    let text = generate(&["alertmanager", &fleet(3), "--for-version=0.31"]);
    let config = written(&dir, "am.yml", &without_template(&text));
    for k in 1..=3 {
        let instance = format!("rack1-n{k}.example:10835");
        goes_to(&config, "guards", &labels("heartbeat", &instance)).unwrap();
        goes_to(&config, "guards,people", &labels("gradual", &instance)).unwrap();
    }
    for thief in [
        "evil.example/rack1-n1.example:10835",
        "rack1-n1.example:10835.evil.example",
        "rack1-n1xexample:10835",
        "rack1-n1.example:10836",
        "rack1-n4.example:10835",
    ] {
        goes_to(&config, "nobody", &labels("heartbeat", thief)).unwrap();
        goes_to(&config, "nobody,people", &labels("emergency", thief)).unwrap();
    }
    let parsed: Value = yaml(&text);
    let hook = &parsed["receivers"][2]["webhook_configs"][0];
    assert_eq!(hook["url"], TEMPLATED);
    let http = &hook["http_config"];
    assert!(
        http["tls_config"]["ca_file"].is_string(),
        "TLS before the token"
    );
    assert_eq!(http["follow_redirects"], false);

    // Control: with a pattern that lets anybody in, the same question is answered otherwise.
    let open = without_template(&text).replace("rack1-n3\\\\.example:10835", ".*");
    let open = written(&dir, "open.yml", &open);
    let thief = labels("heartbeat", "evil.example/");
    goes_to(&open, "nobody", &thief).unwrap_err();
}

#[test]
fn for_guards_that_pull_nothing_is_sent_and_heartbeats_wake_nobody() {
    let dir = TempDir::new().unwrap();
    let text = generate(&["alertmanager", "--pull", &fleet(3)]);
    assert!(!text.contains("webhook"));
    let config = written(&dir, "am.yml", &text);
    checked("amtool", &["check-config", config.to_str().unwrap()]).unwrap();
    let n1 = "rack1-n1.example:10835";
    goes_to(&config, "nobody", &labels("heartbeat", n1)).unwrap();
    goes_to(&config, "people", &labels("gradual", n1)).unwrap();
}

/// The settings for the guard, out of their comment.
fn guard_settings(text: &str) -> Config {
    let (_, block) = text.split_once("(thermal-guard.yml):\n").unwrap();
    let lines = block.lines().map_while(|line| line.strip_prefix("# "));
    let settings = lines.collect::<Vec<_>>().join("\n");
    let dir = TempDir::new().unwrap();
    Config::load(&written(&dir, "thermal-guard.yml", &settings)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
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

#[test]
fn each_node_can_have_a_token_of_its_own_and_a_path_is_what_it_says() {
    let text = generate(&[
        "alertmanager",
        "--node=a,b:1",
        "--token-file=/etc/am/it's {host}.token",
    ]);
    let receivers = &yaml(&text)["receivers"];
    for (index, path) in [(2, "/etc/am/it's a.token"), (3, "/etc/am/it's b.token")] {
        let hook = &receivers[index]["webhook_configs"][0];
        let file = &hook["http_config"]["authorization"]["credentials_file"];
        assert_eq!(file, path);
    }
    for wrong in [
        &["--token-file=token"][..],
        &["--token-file=/etc/a\nb"],
        &["--token-file=/etc/{host}", "--for-version=0.31"],
    ] {
        let output = run(&[&["generate", "alertmanager"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn nodes_come_from_a_file_as_well_and_a_bad_one_is_named_with_its_line() {
    let dir = TempDir::new().unwrap();
    let list = written(&dir, "nodes", "# rack 1\nb\n[fd00::1]:443  # odd one\n");
    let flag = format!("--nodes-file={}", list.display());
    let text = generate(&["prometheus", "--node=a", &flag]);
    let targets = &yaml(&text)["scrape_configs"][0]["static_configs"][0]["targets"];
    assert_eq!(
        targets,
        &serde_json::json!(["a:10835", "b:10835", "[fd00::1]:443"])
    );

    for (list, said) in [
        ("a\nb c\n", "line 2: bad node \"b c\""),
        ("a\na:10835\n", "a:10835 is there twice"),
        ("# none\n", "no node"),
    ] {
        let path = written(&dir, "nodes", list);
        let output = run(&["generate", "rules", "--nodes-file", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{list:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_bad_node_exits_2_and_prints_nothing_that_could_be_taken_for_a_configuration() {
    for node in [
        "http://n1:10835",
        "n1:0",
        "n1:x",
        "n 1",
        "n1'",
        "{{evil}}",
        "10.0.0.300",
        "",
    ] {
        for what in ["alertmanager", "prometheus", "rules"] {
            let output = run(&["generate", what, "--node", node]);
            assert_eq!(output.status.code(), Some(2), "{what} {node:?}");
            assert_eq!(stdout(&output), "");
            assert!(stderr(&output).contains("node"), "{}", stderr(&output));
        }
    }
    assert_eq!(run(&["generate"]).status.code(), Some(2), "what?");
    assert_eq!(run(&["generate", "tea"]).status.code(), Some(2));
}
