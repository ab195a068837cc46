//! A reload that hangs holds up nothing else, and never the end of the service.

use std::time::Duration;

use super::logs::assert_logfmt;
use super::scene::{IN_TIME, hot, pipe_at, post};
use crate::common::guard::Guard;
use crate::common::needs::needs;

const SUCCESSFUL: &str = "thermal_guard_config_last_reload_successful";

/// Such a guard was once alive and ready, and ignored SIGTERM.
#[test]
fn a_configuration_that_became_a_pipe_is_refused_and_sigterm_ends_the_guard() {
    let mut guard = Guard::started(hot(), 10, "");
    let token = guard.token();
    pipe_at(&guard.path("config.yml"));
    guard.signal("HUP");
    guard.wait("refused", |metrics| {
        metrics.get(SUCCESSFUL, &[]) == Some(0.0)
    });
    let (code, said) = post(&guard, "/-/reload", &token).expect("an answer");
    assert_eq!(code, 500, "{said}");
    assert!(
        said.contains("named pipe") && said.contains("config.yml"),
        "{said}"
    );
    assert!(!guard.logged(&["level=error", "named pipe"]).is_empty());
    assert_logfmt(&guard.log());
    assert_eq!(guard.stop_within(IN_TIME), Some(0));
}

/// A disk that hangs instead: SIGHUPs and requests that come meanwhile are answered, and so is
/// SIGTERM, while the first look hasn't come back.
#[test]
fn a_configuration_on_a_disk_that_hangs_holds_up_neither_a_request_nor_the_end() {
    needs!("strace");
    let mut guard = Guard::started(hot(), 10, "");
    // Ten minutes.
    guard.strace_now("openat:delay_enter=600000000", &[guard.path("config.yml")]);
    let token = guard.token();
    for _ in 0..3 {
        guard.signal("HUP");
    }
    let (code, said) = post(&guard, "/-/reload", &token).expect("an answer");
    assert_eq!(code, 500, "{said}");
    assert!(
        said.contains("answer") && said.contains("config.yml"),
        "{said}"
    );
    guard.wait("refused", |metrics| {
        metrics.get(SUCCESSFUL, &[]) == Some(0.0)
    });
    guard.wait_throttled(0);
    guard.cool(0);
    assert_eq!(guard.stop_within(IN_TIME), Some(0));
}

/// SIGTERM right behind a SIGHUP, before the look has been given up.
#[test]
fn a_stop_does_not_wait_for_a_reload() {
    needs!("strace");
    let mut guard = Guard::started(hot(), 10, "");
    guard.strace_now("openat:delay_enter=600000000", &[guard.path("config.yml")]);
    guard.cool(0);
    guard.signal("HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(guard.stop_within(IN_TIME), Some(0));
}
