//! The driver's library in a place that the system's loader doesn't know, as the GPU operator has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::needs::skipped;
use crate::common::nvml_sim::{Machine, library};
use crate::common::process::program;

const PLACE: &str = "/run/nvidia/driver/usr/lib64/libnvidia-ml.so.580.1";

/// A `/run` of its own, with the library in it, and these permissions for a directory above it.
const MOUNTED: &str = "mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /run && \
    mkdir -p /run/nvidia/driver/usr/lib64 && cd /run/nvidia/driver/usr/lib64 && \
    install -m 644 \"$1\" libnvidia-ml.so.580.1 && ln -s libnvidia-ml.so.580.1 libnvidia-ml.so.1 && \
    chmod \"$2\" /run/nvidia && chown \"$3\" /run/nvidia/driver && shift 3 && exec \"$@\"";

/// What `check` says of the driver, as its status and its text.
fn driver(machine: &Machine, before: &[&str], flags: &[&str]) -> (String, String) {
    let mut words: Vec<PathBuf> = before.iter().map(PathBuf::from).collect();
    words.push(program());
    let mut command = machine.command(&words[0]);
    let output = command
        .args(&words[1..])
        .args(["check", "--json", "--mode=observe"])
        .args(flags)
        .env_remove("THERMAL_GUARD_NVML_LIBRARY")
        .output()
        .unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = findings.as_array().unwrap();
    let found = findings.iter().find(|it| it["check"] == "driver").unwrap();
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("status"), text("detail"))
}

fn mounted(machine: &Machine, [mode, owner]: [&str; 2], flags: &[&str]) -> (String, String) {
    let library = library();
    let before = [
        "unshare",
        "-m",
        "sh",
        "-c",
        MOUNTED,
        "sh",
        library.to_str().unwrap(),
        mode,
        owner,
    ];
    driver(machine, &before, flags)
}

/// Whether this user may mount, and this machine has no driver that the loader finds.
fn can_tell(machine: &Machine) -> bool {
    let mut unshare = Command::new("unshare");
    let allowed = unshare.args(["-m", "true"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        skipped("this user can't mount a directory");
        return false;
    }
    let (_, said) = driver(machine, &[], &[]);
    if !said.contains("can't be loaded") || Path::new("/usr/local/nvidia").exists() {
        skipped("this machine has a driver of its own");
        return false;
    }
    true
}

#[test]
fn the_library_of_a_driver_container_is_found_and_named() {
    let machine = Machine::create(&["a100-80gb"], &[]);
    if !can_tell(&machine) {
        return;
    }
    let (status, said) = mounted(&machine, ["755", "root"], &[]);
    assert_eq!(status, "ok", "{said}");
    assert!(said.contains(PLACE), "{said}");
}

#[test]
fn a_library_that_another_user_could_exchange_is_not_loaded() {
    let machine = Machine::create(&["a100-80gb"], &[]);
    if !can_tell(&machine) {
        return;
    }
    for (how, why) in [
        (["777", "root"], "others may write to /run/nvidia"),
        (["1777", "root"], "others may write to /run/nvidia"),
        (["775", "root"], "others may write to /run/nvidia"),
        (["755", "65534"], "/run/nvidia/driver belongs to user 65534"),
    ] {
        let (status, said) = mounted(&machine, how, &[]);
        assert_eq!(status, "fail", "{how:?}: {said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_named_library_is_the_only_one_and_an_absent_one_says_where_it_was_sought() {
    let machine = Machine::create(&["a100-80gb"], &[]);
    if !can_tell(&machine) {
        return;
    }
    let named = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let (status, said) = mounted(&machine, ["755", "root"], &[named]);
    assert_eq!(status, "fail", "{said}");
    assert!(
        said.contains("/nonexistent/") && !said.contains("/run/nvidia"),
        "{said}"
    );
    let (status, said) = driver(&machine, &[], &[]);
    assert_eq!(status, "fail", "{said}");
    for place in [
        "/run/nvidia/driver/usr/lib64",
        "/usr/local/nvidia/lib64",
        "/run/opengl-driver/lib",
    ] {
        assert!(said.contains(place), "{place}: {said}");
    }
}
