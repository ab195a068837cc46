//! `restore`: gives back the holds of a guard that was killed in the heat, and only when that is safe.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

use std::fs;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::card::ORIGINAL_WATTS;
use crate::common::guard::Guard;
use crate::common::process::Running;
use crate::common::process::{run, stdout};
use crate::common::wait::wait_for;

#[test]
fn nothing_left_is_success_even_without_a_driver_or_a_valid_configuration() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, "nonsense: 1\n").unwrap();
    let state = format!("--state.dir={}", directory.path().display());
    let lock = format!("--lock.dir={}", directory.path().display());
    let config = format!("--config.file={}", file.display());
    let library = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let output = run(&["restore", library, &state, &lock, &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_hot_gpu_keeps_its_cap_and_a_cool_one_gets_everything_back() {
    let guard = Guard::killed_in_the_heat();
    let capped = guard.limit();
    let hot = guard.run("restore", &["--wait=1s"]);
    assert_eq!(hot.status.code(), Some(1), "{}", stdout(&hot));
    assert!(stdout(&hot).contains("above safe"), "{}", stdout(&hot));
    assert!((guard.limit() - capped).abs() < f64::EPSILON && guard.is_locked());
    assert_eq!(guard.journals(), 1);

    guard.cool_down();
    let watched = guard.run("restore", &["--dry-run"]);
    assert_eq!(watched.status.code(), Some(1), "{}", stdout(&watched));
    assert!((guard.limit() - capped).abs() < f64::EPSILON && guard.is_locked());

    let cool = guard.run("restore", &["--wait=1s"]);
    assert_eq!(cool.status.code(), Some(0), "{}", stdout(&cool));
    assert!((guard.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
    assert!(!guard.is_locked());
    assert_eq!(guard.journals(), 0);
}

#[test]
fn a_restore_waits_for_the_gpu_to_cool_down() {
    let guard = Guard::killed_in_the_heat();
    let mut restore = guard.command("restore");
    let restore = restore.arg("--wait=60s").stdout(Stdio::null()).spawn();
    guard.cool_down();
    let mut restore = Running::new(restore.unwrap());
    wait_for("restored", || restore.ended().is_some());
    assert!(restore.wait().success());
    assert!((guard.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !guard.is_locked());
}

#[test]
fn force_gives_back_in_the_heat() {
    let guard = Guard::killed_in_the_heat();
    let output = guard.run("restore", &["--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!((guard.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !guard.is_locked());
}

#[test]
fn an_unreadable_gpu_keeps_its_cap() {
    let guard = Guard::killed_in_the_heat();
    guard.cool_down();
    for fault in ["failing-reads", "lost", "no-permission"] {
        guard.machine.ctl(&["fault", fault]);
        let output = guard.run("restore", &["--wait=1s"]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{fault}: {}",
            stdout(&output)
        );
        assert!(guard.limit() < ORIGINAL_WATTS, "{fault}");
        assert_eq!(guard.journals(), 1, "{fault}");
    }
    guard.machine.ctl(&["fault", "none"]);
    assert!(guard.run("restore", &[]).status.success());
    assert!((guard.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
}

#[test]
fn somebody_elses_limit_is_left_alone_and_our_lock_is_not() {
    let guard = Guard::killed_in_the_heat();
    guard.cool_down();
    // No whole watts, as the guard's own limits are: it may have written any of those on its way.
    guard.machine.ctl(&["limit", "222.5"]);
    let output = guard.run("restore", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("left alone"),
        "{}",
        stdout(&output)
    );
    assert!((guard.limit() - 222.5).abs() < f64::EPSILON && !guard.is_locked());
    assert_eq!(guard.journals(), 0);
}

#[test]
fn a_limit_that_is_odd_once_ends_no_claim() {
    let odd = ["answer", "power-limit", "0", "250500", "--times", "1"];
    for by_guard in [false, true] {
        let guard = Guard::killed_in_the_heat();
        guard.cool_down();
        guard.machine.ctl(&odd);
        if by_guard {
            let _running = guard.spawn();
            wait_for("given back", || guard.journals() == 0);
        } else {
            assert_said(&guard.run("restore", &["--wait=2s"]), 0, &["gave back"]);
        }
        assert!(
            is_at(&guard, ORIGINAL_WATTS),
            "{by_guard}: {} W",
            guard.limit()
        );
        assert!(!guard.is_locked() && guard.journals() == 0, "{by_guard}");
    }
}

#[test]
fn a_reloaded_driver_has_nothing_to_give_back() {
    let guard = Guard::killed_in_the_heat();
    guard.machine.ctl(&["driver-reload"]);
    let output = guard.run("restore", &["--wait=1s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("reloaded"), "{}", stdout(&output));
    assert!((guard.limit() - 400.0).abs() < f64::EPSILON, "its default");
    assert_eq!(guard.journals(), 0);
}

#[test]
fn a_torn_journal_is_reported_and_kept() {
    let guard = Guard::on(&["a100-80gb"]);
    let gpus = guard.state_dir().join("gpus");
    fs::create_dir_all(&gpus).unwrap();
    fs::write(gpus.join("GPU-1.json"), "{\"version\":").unwrap();
    let output = guard.run("restore", &["--wait=1s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("GPU-1.json"),
        "{}",
        stdout(&output)
    );
    assert_eq!(guard.journals(), 1);
}

#[test]
fn a_restore_refuses_while_a_guard_runs() {
    let guard = Guard::killed_in_the_heat();
    let capped = guard.limit();
    let running = guard.spawn();
    let pid = format!("pid {}", running.pid());
    wait_for("the guard has its lock", || {
        stdout(&guard.run("check", &[])).contains(&pid)
    });
    let output = guard.run("restore", &["--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains(&pid), "{}", stdout(&output));
    assert!(guard.limit() <= capped);
    assert_eq!(guard.journals(), 1);
}

#[test]
fn a_hung_gpu_keeps_none_but_itself_from_being_given_back() {
    let guard = Guard::on(&["a100-80gb", "a100-80gb"]);
    let running = guard.spawn();
    guard.overheat();
    let limit = |gpu: usize| guard.machine.gpu(gpu)["limit_watts"].as_f64().unwrap();
    wait_for("throttled", || limit(0) < 400.0 && limit(1) < 400.0);
    drop(running);
    guard.cool_down();
    guard.machine.ctl(&["fault", "--gpu=1", "hang"]);
    let output = guard.run("restore", &["--wait=0s"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("doesn't answer"),
        "{}",
        stdout(&output)
    );
    assert!((limit(0) - 400.0).abs() < f64::EPSILON);
    assert!(limit(1) < 400.0);
    assert_eq!(guard.journals(), 1);
}

#[test]
fn an_app_is_told_to_go_on_once_its_gpu_is_given_back() {
    let guard = Guard::on(&["a100-80gb"]);
    let file = guard.path("app.env");
    fs::write(&file, "SIZE=4\n").unwrap();
    guard.configure(
        "apps: [{ name: app, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }]",
    );
    let running = guard.spawn();
    guard.overheat();
    let said = || fs::read_to_string(&file).unwrap();
    wait_for("told", || said() == "SIZE=1\n" && guard.is_locked());
    drop(running);
    let hot = guard.run("restore", &["--wait=0s"]);
    assert_eq!(hot.status.code(), Some(1), "{}", stdout(&hot));
    assert_eq!(said(), "SIZE=1\n");
    guard.cool_down();
    let cool = guard.run("restore", &[]);
    assert_eq!(cool.status.code(), Some(0), "{}", stdout(&cool));
    assert_eq!(said(), "SIZE=4\n");
    let again = guard.run("restore", &[]);
    assert!(stdout(&again).contains("nothing"), "{}", stdout(&again));
}

/// The journal of a dead guard, as if it had died at another moment.
fn rewrite_journal(guard: &Guard, change: impl FnOnce(&mut Value)) {
    let uuid = guard.machine.gpu(0)["uuid"].as_str().unwrap().to_owned();
    let directory = guard.state_dir().join("gpus");
    let path = directory.join(format!("{uuid}.json"));
    // Killed before the newest had its name.
    let unnamed = directory.join(format!(".{uuid}.json.thermal-guard"));
    // Torn, it counts for nothing.
    let parsed = |path| serde_json::from_slice(&fs::read(path).ok()?).ok();
    let mut journal = parsed(&unnamed).or_else(|| parsed(&path)).unwrap();
    change(&mut journal);
    let _ = fs::remove_file(&unnamed);
    fs::write(&path, serde_json::to_vec(&journal).unwrap()).unwrap();
}

/// The guard was killed between the write and its read-back: it knows only the value that it asked for.
fn asked_for(guard: &Guard, milliwatts: u32, confirmed: bool) {
    rewrite_journal(guard, |journal| {
        journal["confirmed"] = confirmed.into();
        journal["limit"]["previous_milliwatts"] = journal["limit"]["original_milliwatts"].clone();
        journal["limit"]["next_milliwatts"] = milliwatts.into();
    });
}

#[track_caller]
fn assert_said(output: &Output, code: i32, words: &[&str]) {
    let said = stdout(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn is_at(guard: &Guard, watts: f64) -> bool {
    (guard.limit() - watts).abs() < f64::EPSILON
}

#[test]
fn what_a_card_made_of_a_write_that_was_never_read_back_is_given_back() {
    // Rounded, and clamped.
    for (has, asked) in [("250", 252_345), ("250", 100_000)] {
        for confirmed in [false, true] {
            let guard = Guard::killed_in_the_heat();
            guard.cool_down();
            guard.machine.ctl(&["limit", has]);
            asked_for(&guard, asked, confirmed);
            let output = guard.run("restore", &["--wait=1s"]);
            if confirmed {
                // The control: if the read-back showed another value, another program has set it.
                assert_said(&output, 0, &["left alone", "250 W", "387.7 W"]);
                assert!(is_at(&guard, 250.0));
            } else {
                assert_said(&output, 0, &["gave back the power limit 387.7 W"]);
                assert!(is_at(&guard, ORIGINAL_WATTS), "{} W", guard.limit());
            }
            assert!(!guard.is_locked() && guard.journals() == 0);
        }
    }
}

#[test]
fn a_new_guard_goes_on_with_what_a_card_made_of_a_write_that_was_never_read_back() {
    let guard = Guard::killed_in_the_heat();
    guard.cool_down();
    guard.machine.ctl(&["limit", "250"]);
    asked_for(&guard, 252_345, false);
    let _running = guard.spawn();
    wait_for("all given back", || {
        is_at(&guard, ORIGINAL_WATTS) && !guard.is_locked() && guard.journals() == 0
    });
}

#[test]
fn a_card_that_rounds_has_its_limit_back_as_nearly_as_it_stores_it() {
    for (setter, stored) in [
        ("quantise=1,offset=1", 387.653),
        ("quantise=5000", 385.0),
        ("quantise=5000,offset=1", 384.999),
    ] {
        let guard = Guard::killed_in_the_heat();
        guard.cool_down();
        guard.machine.ctl(&["setter", "power-limit", setter]);
        let output = guard.run("restore", &["--wait=1s"]);
        assert_said(&output, 0, &["gave back"]);
        assert!(is_at(&guard, stored), "{setter}: {} W", guard.limit());
        assert_eq!(guard.journals(), 0, "{setter}");
    }
}

/// However near: it may take the original another day.
#[test]
fn a_card_that_clamps_keeps_its_journal_and_both_limits_are_named() {
    let guard = Guard::killed_in_the_heat();
    guard.cool_down();
    for clamp in [250, 385] {
        let setter = format!("clamp=100000:{clamp}000");
        guard.machine.ctl(&["setter", "power-limit", &setter]);
        let output = guard.run("restore", &["--wait=1s"]);
        let has = format!("the card has {clamp} W");
        assert_said(&output, 1, &["kept", "387.7 W", &has]);
        assert!(is_at(&guard, f64::from(clamp)));
        assert_eq!(guard.journals(), 1);
    }
    guard.machine.ctl(&["setter", "power-limit", "none"]);
    assert_said(&guard.run("restore", &[]), 0, &["gave back"]);
    assert!(is_at(&guard, ORIGINAL_WATTS) && !guard.is_locked());
}

#[test]
fn a_card_that_ignores_writes_keeps_the_claim_on_its_lock_too() {
    let guard = Guard::killed_in_the_heat();
    guard.cool_down();
    guard.machine.ctl(&["fault", "ignored-writes"]);
    let output = guard.run("restore", &["--wait=1s"]);
    assert_said(&output, 1, &["the power limit 387.7 W", "the SM clock"]);
    assert!(guard.is_locked());
    guard.machine.ctl(&["fault", "none"]);
    assert_said(&guard.run("restore", &[]), 0, &["gave back"]);
    assert!(is_at(&guard, ORIGINAL_WATTS) && !guard.is_locked());
}

/// A card whose original limit is above its range by now, throttled by a guard.
fn out_of_its_range() -> (Guard, Running) {
    let guard = Guard::on(&["a100-80gb"]);
    let facts = ["facts", "min_w=150", "max_w=300", "limit_w=330"];
    guard.machine.ctl(&facts);
    let running = guard.spawn();
    guard.overheat();
    wait_for("throttled", || guard.limit() < 300.0 && guard.is_locked());
    (guard, running)
}

const NEAREST: &str = "330 W isn't taken any more (150 W to 300 W): 300 W is set, the nearest";

#[test]
fn an_original_that_is_out_of_range_by_now_is_replaced_by_the_nearest() {
    let (guard, running) = out_of_its_range();
    drop(running);
    guard.cool_down();
    let output = guard.run("restore", &["--wait=1s"]);
    assert_said(&output, 0, &[NEAREST, "gave back the SM clock"]);
    assert!(is_at(&guard, 300.0) && !guard.is_locked());
    assert_eq!(guard.journals(), 0);
    assert_said(&guard.run("restore", &[]), 0, &["nothing is left"]);
}

#[test]
fn a_running_guard_waits_for_the_range_that_held_the_original() {
    let (guard, _running) = out_of_its_range();
    guard.cool_down();
    wait_for("the nearest is set", || {
        is_at(&guard, 300.0) && !guard.is_locked()
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(guard.journals(), 1, "claimed on");
    guard.machine.ctl(&["facts", "max_w=own"]);
    wait_for("given back", || {
        is_at(&guard, 330.0) && guard.journals() == 0
    });
}

#[test]
fn a_guard_that_stops_leaves_an_original_out_of_range_to_restore() {
    let (guard, mut running) = out_of_its_range();
    guard.cool_down();
    wait_for("the nearest is set", || is_at(&guard, 300.0));
    running.signal("TERM");
    wait_for("stopped", || running.ended().is_some());
    assert!(is_at(&guard, 300.0) && guard.journals() == 1);
    assert_said(&guard.run("restore", &[]), 0, &[NEAREST]);
    assert_eq!(guard.journals(), 0);
}

#[test]
fn a_sensor_that_the_dead_guard_doubted_must_prove_itself_or_be_overruled() {
    for doubt in ["frozen", "missing"] {
        let guard = Guard::killed_in_the_heat();
        let capped = guard.limit();
        guard.cool_down();
        let well = guard.machine.gpu(0)["die"].as_f64().unwrap();
        assert!(well < 60.0, "{well} °C: nothing but the doubt holds it");
        rewrite_journal(&guard, |journal| {
            journal["state"] = "blind".into();
            journal["doubts"] = serde_json::json!({ "core": doubt });
        });
        if doubt == "missing" {
            guard.machine.ctl(&["answer", "temperature", "999"]);
            guard.machine.ctl(&["answer", "temperature-v", "999"]);
        }
        let output = guard.run("restore", &["--wait=1s"]);
        let why = match doubt {
            "missing" => "its core sensor can't be read",
            _ => "its core sensor isn't believed (frozen)",
        };
        assert_said(&output, 1, &["kept", why, "--force"]);
        assert!(is_at(&guard, capped) && guard.is_locked() && guard.journals() == 1);
        assert_said(&guard.run("restore", &["--force"]), 0, &["gave back"]);
        assert!(is_at(&guard, ORIGINAL_WATTS) && !guard.is_locked());
    }
}
