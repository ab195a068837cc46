//! The command line as an operator first meets it: help, usage errors, `check`.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use common::node::{Node, run, stderr, stdout, wait_until};

const ALL_PROFILES: [&str; 8] = [
    "a100-80gb",
    "a100-40gb",
    "v100-32gb",
    "rtx-6000-ada",
    "h100",
    "h200",
    "l40s",
    "rtx-4090",
];

#[test]
fn no_subcommand_prints_the_help_and_the_help_names_every_command() {
    let nothing = run(&[]);
    let nothing = stdout(&nothing) + &stderr(&nothing);
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = stdout(&help);
    for command in [
        "serve", "check", "status", "throttle", "release", "pause", "resume", "detach", "attach",
        "reload", "restore", "report", "simulate",
    ] {
        for text in [&help, &nothing] {
            let listed = text.lines().any(|line| {
                line.strip_prefix("  ")
                    .is_some_and(|line| line.starts_with(command))
            });
            assert!(listed, "{command}: {text}");
        }
    }
}

#[test]
fn a_usage_error_exits_2() {
    for args in [
        vec!["serve", "--no-such-flag"],
        vec!["throttle", "--gpu", "0", "--level", "gradual"],
        vec!["throttle", "--gpu=0", "--level=gentle", "--for=10m"],
        vec!["pause", "--gpu", "0", "--for", "soon"],
        vec!["pause", "--gpu", "0", "--for", "25h"],
        vec!["restore", "--wait", "long"],
    ] {
        assert_eq!(run(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_bad_configuration_exits_78_and_says_every_mistake() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(
        &file,
        "poll_intervall: 1s\nmode: maybe\nthresholds: { alert: hot }\n",
    )
    .unwrap();
    let flag = format!("--config.file={}", file.display());
    let serve = run(&["serve", "--simulate", &flag]);
    assert_eq!(serve.status.code(), Some(78));
    let check = run(&["check", "--simulate", &flag]);
    assert_eq!(check.status.code(), Some(1));
    for mistake in ["poll_intervall", "mode", "thresholds.alert"] {
        assert!(stderr(&serve).contains(mistake), "{}", stderr(&serve));
        let failed = stdout(&check).lines().any(|line| {
            line.starts_with("fail  configuration") && line.contains(&format!("{mistake}: "))
        });
        assert!(failed, "{mistake}: {}", stdout(&check));
    }
}

#[test]
fn a_check_without_a_driver_names_the_remedies() {
    let directory = TempDir::new().unwrap();
    let state = format!("--state.dir={}", directory.path().display());
    let lock = format!("--lock.dir={}", directory.path().display());
    let library = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let output = run(&["check", library, &state, &lock]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let line = text.lines().find(|line| line.starts_with("fail")).unwrap();
    for remedy in [
        "install the NVIDIA driver",
        "--nvml.library",
        "NVIDIA_DRIVER_CAPABILITIES=utility",
        "serve --simulate",
    ] {
        assert!(line.contains(remedy), "{remedy}: {text}");
    }
}

#[test]
fn a_check_of_every_card_passes_shows_its_thresholds_and_writes_nothing() {
    let node = Node::new(&ALL_PROFILES);
    let output = node.run(&["check"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("gpu 0 thresholds") && text.contains("alert 78 °C, critical 85 °C, safe 72"),
        "{text}"
    );
    // Its fans let a GeForce get to 83 °C, where its guard would act at 77.
    let geforce = text.lines().find(|line| line.contains("gpu 7 thresholds"));
    assert!(geforce.unwrap().starts_with("warn"), "{text}");

    let json = node.run(&["check", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    for index in 0..ALL_PROFILES.len() {
        let of_gpu = |finding: &&Value| finding["gpu"] == json!(index);
        // The last is about persistence mode, which is off on a machine that nobody set up.
        assert_eq!(findings.iter().filter(of_gpu).count(), 5, "{index}");
    }
    for gpu in node.machine.show()["gpus"].as_array().unwrap() {
        for writes in ["limit_writes", "lock_writes", "refused_writes"] {
            assert_eq!(gpu[writes], json!(0), "{writes}");
        }
    }
}

#[test]
fn a_check_warns_of_what_will_surprise() {
    let node = Node::new(&["a100-80gb"]);
    let config = node.directory.path().join("config.yaml");
    let app = node.directory.path().join("app.env");
    fs::write(&app, "OTHER=1\n").unwrap();
    let yaml = "thresholds: { alert: 60, critical: 70, safe: 50 }\n\
        apps: [{ name: app, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }]\n";
    fs::write(&config, yaml).unwrap();
    node.machine.ctl(&["limit", "300"]);
    let token = node.state_dir().join("hook-token");
    fs::create_dir(node.state_dir()).unwrap();
    fs::write(&token, "secret").unwrap();
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let flag = format!("--config.file={}", config.display());
    let output = node.run(&["check", &flag]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for (what, why) in [
        ("gpu 0 thresholds", "will throttle in normal use"),
        ("gpu 0 power limit", "given back exactly"),
        ("hook token", "chmod o-r"),
        ("app ", "doesn't set SIZE"),
    ] {
        let warned = |line: &str| line.starts_with(&format!("warn  {what}")) && line.contains(why);
        assert!(text.lines().any(warned), "{what}: {text}");
    }
    fs::remove_file(&app).unwrap();
    let output = node.run(&["check", &flag]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}

#[test]
fn a_check_sees_a_running_guard_and_what_a_dead_one_left() {
    let node = Node::with_a_dead_guards_remains();
    let output = node.run(&["check"]);
    let text = stdout(&output);
    assert!(text.contains("a dead guard left"), "{text}");
    assert!(text.contains("a guard's; 387.7 W before it"), "{text}");
    let guard = node.serve();
    let pid = format!("pid {}", guard.0.id());
    wait_until("the check names the guard", || {
        let text = stdout(&node.run(&["check"]));
        text.contains(&pid) && !text.contains("a dead guard")
    });
}

#[test]
fn beside_a_running_guard_a_check_tells_its_findings_and_does_without_them() {
    let node = Node::new(&["a100-80gb"]);
    // Free now, and hardly anybody else's within the second.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    let _guard = node.serve_with(&[&format!("--web.listen-address={address}")]);
    let url = format!("--url=http://{address}");
    let told = "normal; sensors: core working, memory working";
    wait_until("the guard's own findings", || {
        let output = node.run(&["check", &url]);
        stdout(&output).contains(told) && output.status.success()
    });
    let silent = node.run(&["check", "--url=http://127.0.0.1:9"]);
    let text = stdout(&silent);
    assert!(silent.status.success(), "{text}");
    assert!(
        text.contains("no guard answers at http://127.0.0.1:9"),
        "{text}"
    );
}
