//! The commands in the documents are the program's, and both READMEs say the same ones.

#![expect(clippy::disallowed_methods, reason = "a test may start the program")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::fenced;

/// Lines as they are typed, without the comment behind them.
fn typed(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let bare = |line: &str| {
        line.split("  #")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let lines = fenced(&text).into_iter().map(bare);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn the_chinese_readme_types_what_the_english_one_types() {
    let english: BTreeSet<_> = typed("README.md").into_iter().collect();
    let chinese = typed("README.zh-CN.md");
    assert!(chinese.len() >= 10, "{chinese:?}");
    let alone: Vec<_> = chinese
        .iter()
        .filter(|line| !english.contains(*line))
        .collect();
    assert!(alone.is_empty(), "only in README.zh-CN.md: {alone:#?}");
}

/// The words after `thermal-guard` on each line where it is the command.
fn calls(path: &str) -> Vec<Vec<String>> {
    let lines = typed(path);
    let words = lines.iter().map(|line| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    words
        .filter_map(|words| {
            let at = words.iter().position(|word| word == "thermal-guard")?;
            let is_command = words[..at]
                .iter()
                .all(|word| word == "sudo" || word.contains('='));
            let ends = |word: &String| {
                matches!(word.as_str(), "|" | ">" | "&" | "&&") || word.starts_with(['>', '2'])
            };
            let call = words[at + 1..].split(ends).next().unwrap_or_default();
            is_command.then(|| call.to_vec())
        })
        .collect()
}

#[test]
fn every_command_in_the_documents_is_one_the_program_takes() {
    let mut seen = 0;
    for path in [
        "README.md",
        "README.zh-CN.md",
        "docs/alerting.md",
        "docs/operating.md",
        "docs/fleet.md",
        "docs/thresholds.md",
        "docs/troubleshooting.md",
        "docs/runbook.md",
    ] {
        for call in calls(path) {
            // With --help at the end the flags before it are read, and nothing is done.
            let flags = call
                .iter()
                .map(|word| word.trim_matches(['"', '\'']))
                .chain(["--help"]);
            let output = Command::new(env!("CARGO_BIN_EXE_thermal-guard"))
                .args(flags)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{path}: {call:?}: {said}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "{seen}");
}
