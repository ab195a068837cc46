//! The file with the service's flags, as systemd names it to the guard. If systemd skipped a flag, the
//! guard says so.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::process::program;

/// `serve` with that file, until it ends by itself.
fn serve(text: &str) -> Output {
    let place = TempDir::new().unwrap();
    let file = place.path().join("default");
    fs::write(&file, text).unwrap();
    Command::new("timeout")
        .arg("2")
        .arg(program())
        .args(["serve", "--simulate", "--web.listen-address=127.0.0.1:0"])
        .arg(format!("--state.dir={}", place.path().display()))
        .env("THERMAL_GUARD_FLAGS_FILE", &file)
        .output()
        .unwrap()
}

#[test]
fn flags_that_systemd_skips_are_refused_with_place_and_remedy() {
    for (text, line) in [
        ("export ARGS=\"--mode=observe\"\n", 1),
        ("# flags\nARGS=\"\"\n\texport ARGS=\"--mode=observe\"\n", 3),
        ("ARGS=\"\"\n--mode=observe\n", 2),
    ] {
        let output = serve(text);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}: {said}");
        assert!(
            said.contains(&format!("default:{line}: systemd skips")),
            "{said}"
        );
        assert!(said.contains("without \"export\""), "{said}");
    }
}

#[test]
fn another_line_that_systemd_skips_is_a_warning_without_its_value() {
    let output = serve("ARGS=\"\"\nexport TOKEN=hidden\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("systemd skips this line") && said.contains("default:2"),
        "{said}"
    );
    assert!(!said.contains("hidden"), "{said}");
    // It went on until it was told to stop: 124 is the word of `timeout`.
    assert_eq!(output.status.code(), Some(124), "{said}");
}

#[test]
fn what_systemd_reads_is_no_reason_to_refuse() {
    let output = serve("# export ARGS=x\n ARGS = \"--log.level=info \\\n  --mode=observe\"\n");
    assert_eq!(output.status.code(), Some(124));
}
