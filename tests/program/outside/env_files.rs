//! Files that the service's sandbox keeps read-only. The guard inside the sandbox says so at its start,
//! and a `check` outside of it, which sees more, says so too: before the file is needed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scene::ran;
use crate::common::guard::Guard;
use crate::common::needs::skipped;
use crate::common::nvml_sim::Machine;

const WRITABLE: &str = "thermal_guard_app_writable";

/// As `ProtectSystem=strict` leaves a directory: there, and read-only.
const READ_ONLY: &str =
    "mount -o bind \"$DIR\" \"$DIR\" && mount -o remount,ro,bind \"$DIR\" && exec \"$0\" \"$@\"";

fn app(name: &str, file: &Path) -> String {
    let path = file.display();
    format!(
        "  - {{ name: {name}, env_file: {{ path: {path}, key: SIZE, normal: 4, gradual: 1, emergency: 1 }} }}\n"
    )
}

/// A directory with an environment file.
fn with_file(guard: &Guard, name: &str) -> PathBuf {
    let directory = guard.path(name);
    fs::create_dir(&directory).unwrap();
    let file = directory.join("run.env");
    fs::write(&file, "SIZE=4\n").unwrap();
    file
}

fn is_root() -> bool {
    let allowed = Command::new("unshare").args(["-m", "true"]).status();
    let allowed = allowed.is_ok_and(|status| status.success());
    if !allowed {
        skipped("this user can't make a sandbox");
    }
    allowed
}

#[test]
fn a_file_that_the_sandbox_keeps_read_only_is_told_of_at_the_start_and_left_alone() {
    if !is_root() {
        return;
    }
    let mut guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 10, "");
    let shut = with_file(&guard, "shut");
    let open = with_file(&guard, "open");
    guard.configure(&format!(
        "apps:\n{}{}",
        app("shut", &shut),
        app("open", &open)
    ));
    let directory = format!("DIR={}", shut.parent().unwrap().display());
    guard.under(&["env", &directory, "unshare", "-m", "sh", "-c", READ_ONLY]);
    guard.start();
    let metrics = guard.wait("both looked at", |metrics| {
        metrics.all(WRITABLE, &[]).len() == 2
    });
    assert_eq!(metrics.get(WRITABLE, &[("app", "shut")]), Some(0.0));
    assert_eq!(metrics.get(WRITABLE, &[("app", "open")]), Some(1.0));
    let said = guard.logged(&["level=warn", "app=shut"]);
    assert_eq!(said.len(), 1, "{}", guard.log());
    for word in [
        "systemctl edit thermal-guard",
        "ReadWritePaths=",
        "read-only",
    ] {
        assert!(said[0].contains(word), "{word}: {said:?}");
    }
    assert!(guard.logged(&["level=warn", "app=open"]).is_empty());
    let status = guard.status();
    let trouble = status["apps"][0]["trouble"].as_str().unwrap();
    assert!(trouble.contains("ReadWritePaths="), "{trouble}");
    assert!(status["apps"][1]["trouble"].is_null());
    for file in [&shut, &open] {
        assert_eq!(fs::read_to_string(file).unwrap(), "SIZE=4\n");
        let names = fs::read_dir(file.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1, "something was left behind");
    }

    // Another place, taken over by a reload.
    guard.configure(&format!("apps:\n{}", app("shut", &open)));
    guard.signal("HUP");
    guard.wait("looked at anew", |metrics| {
        metrics.get(WRITABLE, &[("app", "shut")]) == Some(1.0)
            && metrics.all(WRITABLE, &[]).len() == 1
    });
    assert_eq!(guard.logged(&["can be written now", "app=shut"]).len(), 1);
}

#[test]
fn an_app_without_a_file_and_an_observing_guard_have_no_such_metric() {
    let mut guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 10, "");
    let file = with_file(&guard, "open");
    guard.configure(&format!("mode: observe\napps:\n{}", app("app", &file)));
    guard.start();
    let metrics = guard.wait("an app", |metrics| {
        metrics
            .get("thermal_guard_app_mode", &[("app", "app")])
            .is_some()
    });
    assert_eq!(metrics.get(WRITABLE, &[]), None);
}

/// A stand-in for `systemctl`, first in the path.
fn systemctl(guard: &Guard, script: &str) -> String {
    let directory = guard.path("bin");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("systemctl");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", directory.display())
}

fn shipped(more: &str) -> String {
    let lines = "LoadState=loaded\nProtectSystem=strict\nProtectHome=no\nPrivateTmp=no\n";
    format!("case \"$*\" in show\\ thermal-guard*) cat <<X\n{lines}{more}\nX\nesac")
}

#[test]
fn a_check_outside_the_sandbox_says_what_the_service_cannot_write() {
    let guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 10, "");
    let file = with_file(&guard, "app");
    guard.configure(&format!("apps:\n{}", app("medgemma", &file)));
    let about_app = |script: &str| {
        let path = systemctl(&guard, script);
        let (code, said) = ran(guard.command("check").env("PATH", path));
        assert!(code.is_some(), "it hangs: {said}");
        let line = said.lines().find(|line| line.contains("medgemma"));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let directory = file.parent().unwrap().display();
    let shut = about_app(&shipped("ReadWritePaths="));
    assert!(shut.starts_with("warn"), "{shut}");
    for word in [
        "not by the service",
        "systemctl edit thermal-guard",
        &format!("ReadWritePaths={directory}"),
    ] {
        assert!(shut.contains(word), "{word}: {shut}");
    }
    let open = about_app(&shipped(&format!("ReadWritePaths=-{directory}")));
    assert!(open.starts_with("ok"), "{open}");
    // No such unit, no systemd, and one that doesn't answer: nothing is known.
    for silent in ["echo LoadState=not-found", "exit 1", "exec sleep 600"] {
        let silent = about_app(silent);
        assert!(silent.starts_with("ok"), "{silent}");
    }
}
