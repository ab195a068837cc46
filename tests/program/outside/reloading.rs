//! The answer to a reload: what is wrong in the files, and that the guard goes on with the old ones.

use std::fs;
use std::process::Command;
use std::thread;

use super::scene::ran;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

const SUCCESSFUL: &str = "thermal_guard_config_last_reload_successful";
const ALERT: &str = "thermal_guard_trip_celsius";

fn alert(guard: &Guard) -> Option<f64> {
    guard.metrics().of(0, ALERT, &[("trip", "alert")])
}

/// As the unit runs it.
fn reload(guard: &Guard, more: &[&str]) -> (Option<i32>, String) {
    let mut command = guard.command("reload");
    ran(command.args(more).env("MAINPID", guard.pid().to_string()))
}

#[test]
fn a_broken_file_fails_the_reload_with_its_mistakes_and_the_guard_keeps_the_old_one() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    let before = alert(&guard);
    guard.configure("thresholds: { alert: 60 }\npoll_intervall: 1s\nmode: maybe\n");
    let (code, said) = reload(&guard, &[]);
    assert_eq!(code, Some(78), "{said}");
    for word in [
        "poll_intervall",
        "mode",
        "config.yml",
        "keeps the configuration",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(alert(&guard), before);
    assert_eq!(guard.metrics().get(SUCCESSFUL, &[]), Some(1.0));

    // Mended, by the same way, and by the number instead of the environment.
    guard.configure("thresholds: { alert: 60 }\n");
    assert_eq!(reload(&guard, &[]).0, Some(0));
    guard.wait("in force", |metrics| {
        metrics.of(0, ALERT, &[("trip", "alert")]) == Some(60.0)
    });
    guard.configure("thresholds: { alert: 61 }\n");
    let pid = guard.pid().to_string();
    let (code, said) = ran(guard
        .command("reload")
        .args(["--pid", &pid])
        .env_remove("MAINPID"));
    assert_eq!(code, Some(0), "{said}");
    guard.wait("in force", |metrics| {
        metrics.of(0, ALERT, &[("trip", "alert")]) == Some(61.0)
    });
}

#[test]
fn a_broken_web_configuration_fails_the_reload_too_and_no_secret_is_told() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    let web = guard.path("web.yml");
    fs::write(
        &web,
        "basic_auth_users: { alice: swordfish-in-the-clear }\n",
    )
    .unwrap();
    let flag = format!("--web.config.file={}", web.display());
    let (code, said) = reload(&guard, &[&flag]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("web.yml") && said.contains("alice"), "{said}");
    assert!(!said.contains("swordfish"), "{said}");
    assert!(guard.logged(&["configuration reloaded"]).is_empty());
}

/// Changes that only the running guard can refuse.
#[test]
fn what_wants_a_restart_fails_the_reload_and_is_in_the_metric_and_the_log() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    guard.configure("mode: observe\n");
    let (code, said) = reload(&guard, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("`mode` can't change while running: restart"),
        "{said}"
    );
    guard.wait("refused", |metrics| {
        metrics.get(SUCCESSFUL, &[]) == Some(0.0)
    });
    assert!(
        !guard
            .logged(&["level=error", "restart the guard"])
            .is_empty()
    );
}

#[test]
fn nobody_else_is_sent_the_signal() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let (code, said) = reload(&guard, &["--pid", &other.id().to_string()]);
    let lives = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(lives, "{said}");
    assert!(said.contains("not a thermal-guard"), "{said}");
    // None named, none known: the files are looked at all the same.
    let (code, said) = ran(guard.command("reload").env_remove("MAINPID"));
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("--pid") && said.contains("systemctl reload"),
        "{said}"
    );
    for bad in ["0", "-1", "1"] {
        let (code, said) = reload(&guard, &["--pid", bad]);
        assert_eq!(code, Some(2), "{bad}: {said}");
    }
}

#[test]
fn a_guard_that_ends_meanwhile_is_told_of_and_not_waited_for() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    // One of that name, whom the signal ends; where the tests run with that ignored, it ends soon.
    let dying = guard.path("thermal-guard");
    fs::copy("/bin/sleep", &dying).unwrap();
    let mut child = Command::new(&dying).arg("3").spawn().unwrap();
    let pid = child.id().to_string();
    let reaper = thread::spawn(move || child.wait());
    let (code, said) = reload(&guard, &["--pid", &pid]);
    reaper.join().unwrap().unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ended before"), "{said}");
}
