//! What is printed for servers that run already: parts of files, which fit into a file of theirs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::routes::{goes_to, labels};
use super::{checked, fleet, generate, without_template, written, yaml};

use crate::common::needs::needs;
use crate::common::process::{program, run, stderr};

const ANOTHERS: &str = "\
global: {scrape_interval: 60s, evaluation_interval: 60s}
rule_files: [thermal-guard.rules.yml]
scrape_config_files: [thermal-guard.scrape.yml]
scrape_configs: [{job_name: node, static_configs: [{targets: ['n1:9100']}]}]
";

/// Another's Alertmanager, with the printed routes and receivers pasted into it.
fn pasted(fragment: &str) -> String {
    let fragment = yaml(fragment);
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut routes = list(&fragment["route"]["routes"]);
    routes.push(json!({"matchers": ["severity=~\"none|info\""], "receiver": "null"}));
    routes.push(json!({"matchers": ["severity=~\"warning|critical\""], "receiver": "sre"}));
    let mut receivers = list(&fragment["receivers"]);
    receivers.extend(["null", "nobody", "sre"].map(|name| json!({"name": name})));
    json!({"route": {"receiver": "sre", "routes": routes}, "receivers": receivers}).to_string()
}

#[test]
fn a_job_of_its_own_pace_fits_into_a_prometheus_of_another() {
    needs!("promtool");
    for count in [1, 300] {
        let dir = TempDir::new().unwrap();
        let text = generate(&["prometheus", "--fragment", &fleet(count)]);
        assert!(!text.contains("heartbeat_timeout"), "it is learned");
        written(&dir, "thermal-guard.scrape.yml", &text);
        let rules = generate(&["rules", &fleet(count)]);
        written(&dir, "thermal-guard.rules.yml", &rules);
        let config = written(&dir, "prometheus.yml", ANOTHERS);
        let check = ["check", "config", config.to_str().unwrap()];
        let taken = checked("promtool", &check);
        // Before 2.43 the job is pasted.
        if taken
            .as_ref()
            .is_err_and(|said| said.contains("scrape_config_files not found"))
        {
            let job = text.split_once("scrape_configs:\n").unwrap().1;
            let line = "scrape_config_files: [thermal-guard.scrape.yml]\n";
            let one = ANOTHERS.replace(line, "");
            let one = one.replace("scrape_configs: [", "scrape_configs:\n  - ");
            let one = one.replace("}]}]\n", "}]}\n") + job;
            written(&dir, "prometheus.yml", &one);
            checked("promtool", &check).unwrap();
        } else {
            taken.unwrap();
        }
        let job = &yaml(&text)["scrape_configs"][0];
        let interval = if count == 1 { "1s" } else { "5s" };
        assert_eq!(job["scrape_interval"], interval);
    }
}

#[test]
fn targets_of_a_file_come_and_go_without_a_restart() {
    let path = "/etc/prometheus/thermal-guard.targets.yml";
    let text = generate(&["prometheus", "--fragment", &format!("--file-sd={path}")]);
    let job = &yaml(&text)["scrape_configs"][0];
    assert_eq!(job["file_sd_configs"], json!([{"files": [path]}]));
    assert!(job["static_configs"].is_null());
    let targets = yaml(&generate(&["targets", &fleet(3)]));
    let all = [
        "rack1-n1.example:10835",
        "rack1-n2.example:10835",
        "rack1-n3.example:10835",
    ];
    assert_eq!(targets, json!([{"targets": all}]));
}

/// What amtool answers to the question in the header, typed as it stands there.
fn asked(fragment: &str, config: &Path) -> String {
    let (_, question) = fragment.split_once("# amtool ").unwrap();
    let (question, _) = question.split_once("\n# must name").unwrap();
    let question = question.replace("\n#", "\n").replace("NODE:", "x:");
    let question = question.replace("alertmanager.yml", config.to_str().unwrap());
    let answer = checked("sh", &["-c", &format!("amtool {question}")]).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[test]
fn routes_pasted_before_those_of_another_alertmanager_reach_the_guards_and_then_its_people() {
    needs!("amtool");
    let dir = TempDir::new().unwrap();
    let n2 = "rack1-n2.example:10835";
    let with = |action: &str, severity: &str| {
        [&labels(action, n2)[..], &[format!("severity={severity}")]].concat()
    };
    for (flags, guard) in [
        (&[][..], format!("guard-{n2}")),
        (&["--for-version=0.31"], "guards".to_owned()),
        (&["--pull"], String::new()),
    ] {
        let args = [&["alertmanager", "--fragment"], flags].concat();
        let nodes = fleet(3);
        let text = generate(&[&args[..], &[nodes.as_str()]].concat());
        let text = if guard == "guards" {
            without_template(&text)
        } else {
            text
        };
        let config = written(&dir, "am.yml", &pasted(&text));
        checked("amtool", &["check-config", config.to_str().unwrap()]).unwrap();
        let and = |people: &str| match guard.as_str() {
            "" => people.to_owned(),
            guard => format!("{guard},{people}"),
        };
        goes_to(&config, &and("sre"), &with("emergency", "critical")).unwrap();
        let asked = asked(&text, &config);
        let said = asked.split(',').collect::<Vec<_>>();
        let wanted = and("sre").replace("-n2.", "-n1.");
        assert_eq!(said, wanted.split(',').collect::<Vec<_>>(), "{guard}");
        let heartbeat = if guard.is_empty() {
            "thermal-guard-nobody"
        } else {
            &guard
        };
        goes_to(&config, heartbeat, &labels("heartbeat", n2)).unwrap();
        goes_to(&config, "sre", &["severity=warning".to_owned()]).unwrap();
        // Somebody else's news of that severity stays theirs.
        let own = "alertname=ThermalGuardGpuHeatingTowardsAlertTrip".to_owned();
        let burst = [&with("gradual", "none")[..], &[own]].concat();
        goes_to(&config, &and("thermal-guard-nobody"), &burst).unwrap();
        let backup = ["alertname=BackupDone", "severity=none"].map(str::to_owned);
        goes_to(&config, "null", &backup).unwrap();
    }
}

#[test]
fn rules_name_the_job_and_the_runbook_that_people_have() {
    needs!("promtool");
    let dir = TempDir::new().unwrap();
    let url = "https://wiki.example/gpus/runbook?x=1";
    let runbook = format!("--runbook-url={url}");
    let text = generate(&["rules", "--job=gpu/guards", &runbook]);
    assert!(!text.contains("\"thermal-guard\"") && !text.contains("docs/runbook.md#"));
    assert!(text.contains(&format!("runbook_url: '{url}#")));
    let path = written(&dir, "r.yml", &text);
    checked("promtool", &["check", "rules", path.to_str().unwrap()]).unwrap();
    let job = yaml(&generate(&["prometheus", "--job=gpu/guards"]));
    assert_eq!(job["scrape_configs"][0]["job_name"], "gpu/guards");
    let dcgm = generate(&["rules", "--dcgm", &runbook]);
    assert!(!dcgm.contains("docs/runbook.md#"));
    fs::remove_file(&path).unwrap();
}

/// A resend delay of a minute would make the chain stale every minute.
#[test]
fn no_header_of_a_fragment_names_a_heartbeat_time_out() {
    for nodes in [3, 60] {
        let nodes = fleet(nodes);
        for what in ["alertmanager", "prometheus", "rules"] {
            let fragment = generate(&[what, "--fragment", &nodes]);
            assert!(!fragment.contains("#   heartbeat_timeout"), "{what}");
            assert!(fragment.contains("#   expected: true"), "{what}");
            assert!(generate(&[what, &nodes]).contains("#   heartbeat_timeout"));
        }
    }
}

#[test]
fn a_bad_name_or_address_is_refused_with_what_is_accepted() {
    for (args, says) in [
        (&["rules", "--job=a\"b"][..], "a letter first"),
        (&["prometheus", "--job="], "a letter first"),
        (
            &["rules", "--runbook-url=docs/x.md"],
            "begins with http:// or https://",
        ),
        (
            &["rules", "--runbook-url=https://a/{{x}}"],
            "which the rules can't",
        ),
        (
            &["rules", "--runbook-url=https://a/#top"],
            "without its anchor",
        ),
        (
            &["prometheus", "--file-sd=targets.yml"],
            "a path from the root",
        ),
        (
            &["prometheus", "--file-sd=/etc/targets.txt"],
            "ends with .yml, .yaml or .json",
        ),
        (
            &["prometheus", "--token-file=/etc/t"],
            "it is for `generate alertmanager`",
        ),
        (
            &["alertmanager", "--pull", "--token-file=/etc/t"],
            "leave it out",
        ),
        (&["rules", "--dcgm", "--job=x"], "cannot be used with"),
    ] {
        let output = run(&[&["generate"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(says),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn rules_for_people_alone_move_no_gpu() {
    needs!("promtool");
    let dir = TempDir::new().unwrap();
    let url = "--runbook-url=https://wiki.example/guard";
    for pace in [1, 300] {
        let all = generate(&["rules", url, &fleet(pace)]);
        let text = generate(&["rules", "--people-only", url, &fleet(pace)]);
        let file = written(&dir, "people.rules.yml", &text);
        checked("promtool", &["check", "rules", file.to_str().unwrap()]).unwrap();
        for word in ["guard_action:", "heartbeat_timeout: ", "lease: "] {
            assert!(!text.contains(word) && all.contains(word), "{word}");
        }
        let group = |text: &str, at: usize| yaml(text)["groups"][at].clone();
        assert_eq!(group(&text, 0), group(&all, 2));
        assert!(group(&text, 1).is_null());
    }
    let both = run(&["generate", "rules", "--people-only", "--dcgm"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

/// Their sections would be in the guard's configuration twice.
#[test]
fn guards_that_pull_take_one_block_of_settings() {
    let routes = generate(&["alertmanager", "--fragment", "--pull"]);
    assert!(routes.contains("instead of those with the scrape job and the rules"));
    for what in ["prometheus", "rules"] {
        let fragment = generate(&[what, "--fragment"]);
        let elsewhere = "are with the routes of `generate alertmanager --pull` instead";
        assert!(fragment.contains(elsewhere), "{what}: {fragment}");
    }
}

#[test]
fn each_fragment_that_depends_on_the_pace_names_it() {
    for (count, pace) in [
        (49, "Pace: tuned, for up to 49"),
        (50, "Pace: gentle, for 50"),
    ] {
        for what in ["alertmanager", "prometheus", "rules"] {
            let fragment = generate(&[what, "--fragment", &fleet(count)]);
            assert!(fragment.contains(pace), "{what} {count}");
        }
    }
}

#[test]
fn what_is_said_beside_the_output_fits_the_output() {
    let told = |args: &[&str]| stderr(&run(&[&["generate"], args].concat()));
    assert_eq!(told(&["alertmanager", "--fragment", "--pull"]), "");
    let by_number = told(&["prometheus", "--file-sd=/etc/targets.yml"]);
    assert!(by_number.contains("up to 49 nodes"), "{by_number}");
    let new = ["alertmanager", "--for-version=0.31", "--node=n1"];
    assert!(told(&new).contains("give --ca-file to both"));
    let with_ca = [&new[..], &["--ca-file=/etc/ca.pem"]].concat();
    assert_eq!(told(&with_ca), "");
    let help = run(&["generate", "alertmanager", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    let defaults = help.matches("thermal-guard.token]").count();
    assert_eq!(defaults, 1, "{help}");
    assert!(!help.contains("hook-token"), "{help}");
}

/// Like `| head`, which is gone before all is written.
#[test]
fn a_reader_that_goes_is_no_trouble() {
    let program = program();
    let program = program.display();
    for command in ["generate rules --node=a", "completions bash"] {
        let line = format!("{{ sleep 0.2; {program} {command}; }} | true");
        assert_eq!(checked("sh", &["-c", &line]).unwrap(), "", "{command}");
    }
}
