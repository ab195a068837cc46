//! How far a long command has come: one line on standard error that is written over, and nothing where
//! that is no terminal. It is gone before the result is printed.

use std::io::{self, IsTerminal, Write};

use super::style::plain;
use super::width::Width;

/// To the line's begin, and clear the line.
const CLEAR: &str = "\r\x1b[K";

/// Counts: `12 of 72 runs`. The last one leaves nothing behind.
pub(super) fn count(done: usize, all: usize, what: &str) {
    if done == all {
        clear();
    } else {
        show(&format!("{done} of {all} {what}"));
    }
}

/// As much of the text as fits into one line.
pub(super) fn show(text: &str) {
    let width = Width::of_stderr().columns_or(80).saturating_sub(1);
    let line: String = plain(text).chars().take(width).collect();
    write(&line);
}

pub(super) fn clear() {
    write("");
}

fn write(line: &str) {
    let mut out = io::stderr().lock();
    if out.is_terminal() {
        // Only a comfort.
        let _ = write!(out, "{CLEAR}{line}").and_then(|()| out.flush());
    }
}
