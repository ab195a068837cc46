//! The receiver of each alert, by amtool, and the settings of that receiver.

use std::path::Path;

use tempfile::TempDir;

use super::{TEMPLATED, checked, fleet, generate, without_template, written, yaml};

use crate::common::needs::needs;

/// Whether Alertmanager sends an alert with these labels to exactly these receivers.
pub(super) fn goes_to(config: &Path, receivers: &str, labels: &[String]) -> Result<String, String> {
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

pub(super) fn labels(action: &str, instance: &str) -> [String; 2] {
    [
        format!("guard_action={action}"),
        format!("instance={instance}"),
    ]
}

/// What one alert has that people needn't read.
const BURST: [&str; 2] = [
    "severity=none",
    "alertname=ThermalGuardGpuHeatingTowardsAlertTrip",
];

#[test]
fn the_alerts_and_the_heartbeat_of_each_node_go_to_its_own_receiver() {
    needs!("amtool");
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
            // A burst of load wakes nobody.
            let burst = [&labels("gradual", &instance)[..], &BURST.map(str::to_owned)].concat();
            goes_to(&config, &format!("{own},nobody"), &burst).unwrap();
        }
        // Alerts of a node that isn't listed, and alerts for people, go to no guard.
        let stranger = "rack1-n301.example:10835";
        goes_to(&config, "nobody", &labels("heartbeat", stranger)).unwrap();
        goes_to(&config, "nobody,people", &labels("gradual", stranger)).unwrap();
        goes_to(
            &config,
            "people",
            &["alertname=ThermalGuardGpuLost".to_owned()],
        )
        .unwrap();
    }
}

#[test]
fn a_receiver_is_more_than_its_name_each_has_the_address_of_its_node() {
    needs!("amtool");
    let config = yaml(&generate(&[
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
    needs!("amtool");
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
    let parsed = yaml(&text);
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
    needs!("amtool");
    let dir = TempDir::new().unwrap();
    let text = generate(&["alertmanager", "--pull", &fleet(3)]);
    assert!(!text.contains("webhook"));
    let config = written(&dir, "am.yml", &text);
    checked("amtool", &["check-config", config.to_str().unwrap()]).unwrap();
    let n1 = "rack1-n1.example:10835";
    goes_to(&config, "nobody", &labels("heartbeat", n1)).unwrap();
    goes_to(&config, "people", &labels("gradual", n1)).unwrap();
    let burst = [&labels("gradual", n1)[..], &BURST.map(str::to_owned)].concat();
    goes_to(&config, "nobody", &burst).unwrap();
}
