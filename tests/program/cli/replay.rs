//! `replay`: recordings as users have them, and the exit code that follows.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start programs and fail by panic"
)]

use std::fmt::Write;
use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::common::process::{run, stderr, stdout};

/// A card of 300 W that idles, works from the hundredth second on and answers within seconds.
fn healthy(second: u32) -> (f64, f64) {
    if second < 100 {
        return (35.0, 40.0);
    }
    let worked = f64::from(second - 100);
    (62.0 - 15.0 * (-worked / 40.0).exp(), 280.0)
}

/// What nvidia-smi would have written of it.
fn recorded(core: impl Fn(u32) -> f64) -> String {
    let mut text =
        "timestamp, index, temperature.gpu, power.draw [W], power.default_limit [W], fan.speed [%]\n"
            .to_owned();
    for second in 0..600 {
        let (minute, of_minute) = (second / 60, second % 60);
        let (core, draw) = (core(second), healthy(second).1);
        let _ = writeln!(
            text,
            "2026/11/29 10:{minute:02}:{of_minute:02}.000, 0, {core:.0}, {draw:.2} W, 300.00 W, [N/A]"
        );
    }
    text
}

fn replay(files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let path = dir.path().to_str().unwrap();
    run(&[&["replay"], arguments, &[path]].concat())
}

#[test]
fn a_healthy_card_is_judged_and_a_held_reading_is_found_in_time() {
    let text = recorded(|second| healthy(second).0);
    let output = replay(&[("card.csv", &text)], &["--hold", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    let card = &record["cards"][0];
    assert_eq!(
        (&card["judged"], &card["doubts"]),
        (&true.into(), &0.into())
    );
    assert_eq!(card["default_limit_watts"], 300.0);
    let capped = card["held"][0]["capped_after_seconds"].as_f64().unwrap();
    assert!((10.0..=45.0).contains(&capped), "{capped}");
    assert!(card["forecast"]["mean_celsius"].as_f64().unwrap() > 0.0);
    let page = replay(&[("card.csv", &text)], &[]);
    assert!(stdout(&page).contains("1 of 1 cards have core and draw: nothing wrong"));
}

#[test]
fn a_card_whose_reading_stood_still_is_wrong() {
    let output = replay(&[("card.csv", &recorded(|_| 45.0))], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let page = stdout(&output);
    assert!(page.contains("card.csv 0: core frozen at 11"), "{page}");
    assert!(page.contains("one is wrong"), "{page}");
}

#[test]
fn a_series_without_a_draw_is_shown_and_not_judged() {
    let output = replay(&[("bmc.csv", "s,gpu0_core_c\n0,40\n1,41\n")], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("not judged"));
}

#[test]
fn a_file_that_is_no_recording_is_named_with_its_line_and_the_remedy() {
    for (files, wanted) in [
        (
            &[("a.csv", "s,core_c\n0,45\n1,hot\n")][..],
            "a.csv is no recording: line 3: \"hot\"",
        ),
        (
            &[("a.csv", "45, 250 W\n")],
            "wanted: a header such as core_c and power_w",
        ),
        (&[("a.txt", "")], "no .csv file in"),
    ] {
        let output = replay(files, &[]);
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains(wanted), "{said}");
    }
    let output = run(&["replay", "/nowhere/card.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nowhere/card.csv can't be read; wanted: a CSV file"));
}
