//! The command line as an operator first meets it: help, usage errors, `check`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::guard::Guard;
use crate::common::needs::skipped;
use crate::common::nvml_sim::library;
use crate::common::process::{program, run, stderr, stdout};
use crate::common::wait::wait_for;

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
        "serve", "check", "validate", "status", "wait", "throttle", "release", "pause", "resume",
        "detach", "attach", "reload", "restore", "report", "simulate",
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
    let guard = Guard::on(&ALL_PROFILES);
    let output = guard.run("check", &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("gpu 0 thresholds") && text.contains("alert 78 °C, critical 85 °C, safe 72"),
        "{text}"
    );
    // Its fans let a GeForce get to 83 °C, where its guard would act at 77.
    let geforce = text.lines().find(|line| line.contains("gpu 7 thresholds"));
    assert!(geforce.unwrap().starts_with("warn"), "{text}");

    let json = guard.run("check", &["--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    for (index, profile) in ALL_PROFILES.iter().enumerate() {
        let of_gpu = findings.iter().filter(|it| it["gpu"] == json!(index));
        let checks: Vec<_> = of_gpu.map(|it| it["check"].as_str().unwrap()).collect();
        let has_fans = profile.starts_with("rtx");
        // Persistence mode is off by default.
        let all = [
            "open",
            "sensors",
            "thresholds",
            "fans",
            "power limit",
            "persistence",
        ];
        let expected = all.into_iter().filter(|it| has_fans || *it != "fans");
        assert!(expected.eq(checks.iter().copied()), "{index}: {checks:?}");
    }
    for gpu in guard.machine.show()["gpus"].as_array().unwrap() {
        for writes in ["limit_writes", "lock_writes", "refused_writes"] {
            assert_eq!(gpu[writes], json!(0), "{writes}");
        }
    }
}

#[test]
fn a_check_warns_of_what_will_surprise() {
    let guard = Guard::on(&["a100-80gb"]);
    let app = guard.path("app.env");
    fs::write(&app, "OTHER=1\n").unwrap();
    let yaml = "thresholds: { alert: 60, critical: 70, safe: 50 }\n\
        apps: [{ name: app, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }]\n";
    guard.configure(yaml);
    guard.machine.ctl(&["limit", "300"]);
    let token = guard.state_dir().join("hook-token");
    fs::create_dir(guard.state_dir()).unwrap();
    fs::write(&token, "x".repeat(32)).unwrap();
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let output = guard.run("check", &[]);
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
    let output = guard.run("check", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}

/// As in a read-only pod: the guard that acted had its journal on the node.
#[test]
fn an_observing_check_promises_nobody_that_a_cap_is_given_back() {
    let guard = Guard::killed_in_the_heat();
    let elsewhere = TempDir::new().unwrap();
    let state = format!("--state.dir={}", elsewhere.path().join("state").display());
    let lock = format!("--lock.dir={}", elsewhere.path().join("lock").display());
    let config = guard.path("config.yml");
    let config = format!("--config.file={}", config.display());
    let library = format!("--nvml.library={}", library().display());
    let mut command = guard.machine.command(&program());
    command.args(["check", "--dry-run", &state, &lock, &config, &library]);
    let text = stdout(&command.output().unwrap());
    let mut lines = text.lines();
    let said = lines.find(|line| line.starts_with("warn  gpu 0 power limit"));
    let said = said.unwrap_or_else(|| panic!("{text}"));
    assert!(said.contains("left by a guard that acted"), "{text}");
    assert!(!said.contains("given back"), "{text}");
}

#[test]
fn a_filter_gets_the_name_of_the_flag() {
    let dir = TempDir::new().unwrap();
    let state = format!("--state.dir={}", dir.path().display());
    let file = dir.path().join("guard.yml");
    let url = "http://127.0.0.1:1";
    let filter = r#"['instance="{node}"']"#;
    fs::write(
        &file,
        format!("alertmanager: {{ url: '{url}', filter: {filter} }}"),
    )
    .unwrap();
    let config = format!("--config.file={}", file.display());
    let refused = "alertmanager.filter has {node}";
    for (name, is_refused) in [("gpu1.example", false), ("gpu1|gpu2", true)] {
        let name = format!("--node.name={name}");
        let text = stdout(&run(&["check", "--simulate", &state, &config, &name]));
        assert_eq!(text.contains(refused), is_refused, "{name}: {text}");
    }
}

#[test]
fn a_check_lists_the_gpus_there_are_and_names_a_subject_once() {
    let guard = Guard::on(&["a100-80gb", "l40s"]);
    guard.configure("gpus: [1, 7]");
    let output = guard.run("check", &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = text.lines().find(|line| line.starts_with("fail  gpus"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    for word in ["index 7 isn't here", "0 = NVIDIA A100", "1 = NVIDIA L40S"] {
        assert!(line.contains(word), "no {word:?} in {line}");
    }
    guard.configure("mode: x\ngpus: y\nsensors: z");
    let text = stdout(&guard.run("check", &[]));
    let mistakes = text
        .lines()
        .filter(|line| line.starts_with("fail  configuration"));
    assert_eq!(mistakes.count(), 3, "{text}");
    let verdict = text.lines().last().unwrap();
    assert!(verdict.starts_with("not ready: configuration"), "{verdict}");
    assert_eq!(verdict.matches("configuration").count(), 1, "{verdict}");
}

/// Only root can play another user.
#[test]
fn a_token_that_this_user_could_not_make_is_no_good_news() {
    let guard = Guard::on(&["a100-80gb"]);
    fs::set_permissions(guard.dir.path(), Permissions::from_mode(0o755)).unwrap();
    let mut check = guard.command("check");
    check.uid(65_534).gid(65_534);
    let Ok(output) = check.output() else {
        return skipped("this user can't become another one");
    };
    let text = stdout(&output);
    let line = text.lines().find(|line| line.contains("hook token"));
    assert!(line.is_some_and(|line| line.starts_with("warn")), "{text}");
    let own = stdout(&guard.run("check", &[]));
    let line = own.lines().find(|line| line.contains("hook token"));
    assert!(line.is_some_and(|line| line.starts_with("ok")), "{own}");
}

#[test]
fn a_check_sees_a_running_guard_and_what_a_dead_one_left() {
    let guard = Guard::killed_in_the_heat();
    let output = guard.run("check", &[]);
    let text = stdout(&output);
    assert!(text.contains("a dead guard left"), "{text}");
    assert!(text.contains("a guard's; 387.7 W before it"), "{text}");
    let running = guard.spawn();
    let pid = format!("pid {}", running.pid());
    wait_for("the check names the guard", || {
        let text = stdout(&guard.run("check", &[]));
        text.contains(&pid) && !text.contains("a dead guard")
    });
}

#[test]
fn beside_a_running_guard_a_check_tells_its_findings_and_does_without_them() {
    let mut guard = Guard::on(&["a100-80gb"]);
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let told = "normal; sensors: core working, memory working";
    wait_for("the guard's own findings", || {
        let output = guard.run("check", &[&url]);
        stdout(&output).contains(told) && output.status.success()
    });
    let silent = guard.run("check", &["--url=http://127.0.0.1:9"]);
    let text = stdout(&silent);
    assert!(silent.status.success(), "{text}");
    assert!(
        text.contains("no guard answers at http://127.0.0.1:9"),
        "{text}"
    );
}

/// What the check shows as configured isn't in force until the guard reads it.
#[test]
fn a_file_that_changed_since_the_guard_read_it_is_warned_of() {
    let mut guard = Guard::on(&["a100-80gb"]);
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let words = "it still uses the configuration from 20";
    let warned = || stdout(&guard.run("check", &[&url])).contains(words);
    wait_for("the guard is there", || {
        stdout(&guard.run("check", &[&url])).contains("one is running")
    });
    assert!(!warned(), "nothing has changed");
    guard.configure("thresholds: { alert: 77 }\n");
    assert!(warned(), "a change that wasn't read");
    let other = guard.path("other.yml");
    fs::write(&other, "thresholds: { alert: 76 }\n").unwrap();
    let other = format!("--config.file={}", other.display());
    let text = stdout(&guard.run("check", &[&url, &other]));
    assert!(!text.contains(words), "another file: {text}");
    guard.signal("HUP");
    wait_for("the change is in force", || !warned());
}

#[test]
fn a_margin_that_acts_before_the_configured_thresholds_is_told() {
    let guard = Guard::on(&["l40s", "a100-80gb"]);
    let thresholds = |gpu: u32| {
        let text = stdout(&guard.run("check", &[]));
        let name = format!("gpu {gpu} thresholds");
        let line = text.lines().find(|line| line.contains(&name));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    guard.configure("thresholds: { critical: 95 }\n");
    let own = "the card's own margin still acts, at about 80 °C";
    assert!(thresholds(0).contains(own), "{}", thresholds(0));
    assert!(!thresholds(1).contains("own margin"), "it has none");
    guard.configure("thresholds: { critical: 80 }\n");
    assert!(!thresholds(0).contains("own margin"), "it acts later");
}

#[test]
fn a_check_says_which_of_the_two_acts_first_the_guard_or_the_card() {
    let guard = Guard::on(&["rtx-3090", "a100-80gb"]);
    let thresholds = |gpu: u32| {
        let text = stdout(&guard.run("check", &[]));
        let name = format!("gpu {gpu} thresholds");
        let line = text.lines().find(|line| line.contains(&name));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let line = thresholds(0);
    assert!(
        line.contains("alert 86 °C, critical 93 °C, safe 80 °C"),
        "{line}"
    );
    assert!(line.contains("the card acts first, at 83.0 °C"), "{line}");
    assert!(
        !thresholds(1).contains("first"),
        "a data-centre card names no target"
    );
    guard.configure("thresholds: before_firmware\n");
    let line = thresholds(0);
    assert!(
        line.contains("alert 82 °C, critical 93 °C, safe 76 °C"),
        "{line}"
    );
    assert!(
        line.starts_with("ok") && !line.contains("acts first"),
        "{line}"
    );
    let line = thresholds(1);
    assert!(line.contains("alert 78 °C"), "{line}");
    assert!(
        line.contains("before_firmware is the same as auto"),
        "{line}"
    );
}
