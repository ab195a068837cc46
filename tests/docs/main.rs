//! The documents agree with the code. `UPDATE_DOCS=1 cargo test --test docs` writes the parts that come
//! from the code: the tables of keys, metrics and cards, between markers. The tests compare the rest:
//! links, and the commands of the Chinese README.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

mod cards;
mod code_map;
mod commands;
mod configuration;
mod links;
mod metrics;
mod severities;

use std::fs;

/// The part of a document between `<!-- NAME -->` and `<!-- /NAME -->`.
fn between(text: &str, name: &str) -> String {
    let (_, rest) = text.split_once(&format!("<!-- {name} -->\n")).unwrap();
    let (part, _) = rest.split_once(&format!("<!-- /{name} -->")).unwrap();
    part.to_owned()
}

/// Compares that part with the code; `UPDATE_DOCS=1` writes it instead.
fn derived(path: &str, name: &str, table: &str) {
    let text = fs::read_to_string(path).unwrap();
    let part = between(&text, name);
    if part == table {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let marked = |part: &str| format!("<!-- {name} -->\n{part}<!-- /{name} -->");
        fs::write(path, text.replace(&marked(&part), &marked(table))).unwrap();
        return;
    }
    let wanted = table.lines().find(|line| !part.lines().any(|l| l == *line));
    let stray = part.lines().find(|line| !table.lines().any(|l| l == *line));
    panic!(
        "{path}: `{name}` isn't what the code says (UPDATE_DOCS=1 rewrites it); the code: {wanted:?}; the document: {stray:?}"
    );
}

/// The cells of a table's row, without their borders.
fn cells(row: &str) -> Vec<&str> {
    let inner = row
        .trim()
        .strip_prefix('|')
        .and_then(|row| row.strip_suffix('|'));
    inner.map_or_else(Vec::new, |row| row.split(" | ").map(str::trim).collect())
}

/// The lines inside a document's fenced blocks.
fn fenced(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line);
        }
    }
    assert!(!inside, "a fence without an end");
    lines
}
