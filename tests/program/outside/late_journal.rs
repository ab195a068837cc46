//! The applications' journal of a dead guard, on a disk that answers late, or in a file that isn't a
//! journal.

use std::fs;

use super::applications::{App, SCALE, config, journal, restore, throttle, until};
use super::scene::{pipe_at, ran};
use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;

fn entry(name: &str) -> String {
    format!(
        "  - {{ name: {name}, env_file: {{ path: {name}.env, key: BATCH, normal: 4, gradual: 1, emergency: 1 }} }}\n"
    )
}

/// Two applications, slow, and their guard killed.
fn left(apps: &str) -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    let mut guard = Guard::new(machine, SCALE, &config(apps));
    for name in ["a", "b"] {
        fs::write(guard.path(&format!("{name}.env")), "BATCH=8\n").unwrap();
    }
    guard.start();
    throttle(&guard, "emergency");
    guard
}

fn read(guard: &Guard, name: &str) -> String {
    fs::read_to_string(guard.path(&format!("{name}.env"))).unwrap()
}

fn both_left() -> Guard {
    let mut guard = left(&(entry("a") + &entry("b")));
    until(&guard, "both slow", || {
        read(&guard, "a") == "BATCH=1\n" && read(&guard, "b") == "BATCH=1\n"
    });
    guard.kill();
    guard
}

#[test]
fn a_disk_that_is_slow_at_the_start_loses_no_original_and_tells_nobody_normal() {
    needs!("strace");
    let mut guard = both_left();
    let before = journal(&guard);
    guard.configure(&config(&entry("a")));
    let (state, file) = (guard.path("state"), guard.path("state/apps.json"));
    // An operator's lease would hold it all the same.
    let _ = fs::remove_file(guard.path("state/memory.json"));
    guard.strace("openat:delay_enter=4000000:when=1", &[state, file]);
    guard.launch();
    let is_read = || {
        !guard
            .logged(&["applications' journal is read now"])
            .is_empty()
    };
    // The guard gives the limit back, but only after it has read the journal.
    until(&guard, "read", || {
        let capped = limit(&guard.machine.gpu(0)) < guard.original(0);
        let kept = read(&guard, "a") == "BATCH=1\n" && journal(&guard) == before;
        assert!(kept || is_read() || !capped, "{}", guard.log());
        is_read()
    });
    until(&guard, "given back", || {
        read(&guard, "a") == "BATCH=8\n" && read(&guard, "b") == "BATCH=8\n"
    });
    until(&guard, "forgotten", || {
        journal(&guard) == r#"{"throttled":[]}"#
    });
    assert!(!guard.logged(&["be read now", "apps.json"]).is_empty());
}

#[test]
fn a_file_that_is_no_journal_is_kept_under_another_name() {
    let mut guard = both_left();
    fs::write(guard.path("state/apps.json"), "{\"throttled\":[{").unwrap();
    guard.start();
    throttle(&guard, "emergency");
    let aside = guard.path("state/apps.json.unreadable");
    until(&guard, "set aside", || aside.exists());
    until(&guard, "a new one", || journal(&guard).contains("env_file"));
    assert_eq!(fs::read_to_string(aside).unwrap(), "{\"throttled\":[{");
    assert!(
        !guard
            .logged(&["apps.json", "can't be understood"])
            .is_empty()
    );
    // An application without a known value goes back to its configured normal.
    guard.kill();
    restore(&guard);
    assert_eq!(read(&guard, "a"), "BATCH=4\n");
}

#[test]
fn restore_says_what_it_cannot_read_and_does_not_call_that_done() {
    let app = App::start();
    let mut guard = left(&app.entry("web"));
    until(&guard, "told", || app.mode() == "eco");
    guard.kill();
    let file = guard.path("state/apps.json");
    let whole = fs::read(&file).unwrap();
    let run = |guard: &Guard| {
        let mut restore = guard.command("restore");
        ran(restore.args(["--wait=1s", "--force"]))
    };
    // Only the journal says which applications were told.
    guard.configure(&config("  []\n"));
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let (code, said) = run(&guard);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("apps.json can't be understood"), "{said}");
    assert!(said.contains("remove that file"), "{said}");
    pipe_at(&file);
    let (code, said) = run(&guard);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("a named pipe"), "{said}");
    // Control: the same file whole.
    fs::remove_file(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    let (code, said) = run(&guard);
    assert_eq!((code, app.mode().as_str()), (Some(0), "normal"), "{said}");
}
