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

/// The words after `thermal-guard`, or `cargo run --`, on each line where it is the command.
fn calls(path: &str) -> Vec<Vec<String>> {
    let lines = typed(path);
    let words = lines.iter().map(|line| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    words
        .filter_map(|words| {
            if words.starts_with(&["cargo", "run", "--"].map(str::to_owned)) {
                return Some(words[3..].to_vec());
            }
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

/// What is shown before the installation can't be typed as an installed program.
#[test]
fn before_its_installation_the_program_is_run_by_cargo() {
    for path in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(path).unwrap();
        let installs = text.find("```sh\napt install ").unwrap();
        let earlier = fenced(&text[..installs]);
        let installed = earlier
            .iter()
            .find(|line| line.trim_start().starts_with("thermal-guard "));
        assert_eq!(installed, None, "{path}");
        assert!(earlier.iter().any(|line| line.starts_with("cargo run -- ")));
    }
}

fn printed(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_thermal-guard"))
        .args(words)
        .args(["--node", "gpu1.example"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The steps of *Connect* repeat what the headers of the three files ask for.
#[test]
fn the_steps_to_connect_are_those_of_the_generated_files() {
    let prometheus = printed(&["generate", "prometheus"]);
    let alertmanager = printed(&["generate", "alertmanager"]);
    let asked = |text: &str, before: &str| {
        let rest = text.split(before).nth(1).unwrap().trim_start();
        let flag = rest.split_whitespace().next().unwrap();
        flag.trim_end_matches('.').to_owned()
    };
    let flags = [
        asked(&prometheus, "Start it with"),
        asked(&alertmanager, "is started with"),
    ];
    for path in ["README.md", "README.zh-CN.md", "docs/alerting.md"] {
        let text = fs::read_to_string(path).unwrap();
        for flag in &flags {
            let line = format!("ARGS=\"{flag}\"");
            assert!(text.contains(&line), "{path}: {line}");
        }
    }
    assert!(alertmanager.contains("- name: people"), "{alertmanager}");
    for text in [&prometheus, &alertmanager, &printed(&["generate", "rules"])] {
        assert!(text.contains("#   expected: true"), "{text}");
    }
}

/// Debian has no /etc/alertmanager.
#[test]
fn a_token_is_installed_into_a_folder_that_need_not_exist() {
    for path in ["README.md", "README.zh-CN.md", "docs/alerting.md"] {
        let text = fs::read_to_string(path).unwrap();
        let commands: Vec<_> = text.split("install ").skip(1).collect();
        let mut tokens = commands
            .iter()
            .filter_map(|rest| rest.lines().next())
            .filter(|line| line.contains("-o prometheus"))
            .peekable();
        assert!(tokens.peek().is_some(), "{path}");
        for command in tokens {
            assert!(command.starts_with("-D "), "{path}: install {command}");
            assert!(command.contains(" /etc/alertmanager/gpu1.example.token"));
        }
    }
}

/// Each step finds what the steps before it have made; systemd refuses a `ReadWritePaths=` that isn't there.
#[test]
fn the_steps_for_an_app_come_in_the_order_in_which_they_work() {
    for path in ["deploy/gradio/README.md", "deploy/gradio/README.zh-CN.md"] {
        let lines = typed(path);
        let place = |command: &str| {
            let place = lines.iter().position(|line| line.starts_with(command));
            place.unwrap_or_else(|| panic!("{path}: {command}"))
        };
        let steps = [
            "useradd --system triage",
            "install -d -o triage",
            "install -m 0644 -o triage",
            "echo reduced_batch_size=",
            "systemctl edit thermal-guard",
            "systemctl restart thermal-guard",
        ];
        assert!(steps.map(place).is_sorted(), "{path}: {lines:?}");
    }
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

/// They are read and changed in a terminal.
#[test]
fn installed_settings_fit_80_columns() {
    for path in [
        "deploy/thermal-guard.example.yml",
        "deploy/systemd/thermal-guard.default",
    ] {
        let text = fs::read_to_string(path).unwrap();
        let wide = text.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{path}");
    }
}
