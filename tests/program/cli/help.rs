//! The command line about itself: help, suggestions, completions, man pages.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code starts shells, and fails by panicking"
)]

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::process::{program, run, stderr, stdout};

/// Commands that talk to a running guard, commands that don't, and the flags that each one uses.
const COMMANDS: [(&str, &str, &str); 6] = [
    ("serve", "--web.listen-address", "--token-file"),
    ("check", "--nvml.library", "--web.telemetry-path"),
    ("status", "--url", "--web.listen-address"),
    ("throttle", "--token-file", "--lock.dir"),
    ("report", "--state.dir", "--nvml.library"),
    ("simulate", "--plot", "--url"),
];

#[test]
fn a_command_s_help_names_its_own_flags_and_the_main_one_all() {
    let all = stdout(&run(&["--help"]));
    for (command, heeded, other) in COMMANDS {
        let help = stdout(&run(&[command, "--help"]));
        let names = |text: &str, flag: &str| {
            let flags = text
                .lines()
                .filter_map(|line| line.trim().split(' ').next());
            flags.into_iter().any(|name| name == flag)
        };
        assert!(names(&help, heeded), "{command}: {help}");
        assert!(!names(&help, other), "{command}: {help}");
        assert!(names(&all, other), "{all}");
        // A screen of 24 lines is not enough for twenty flags of others; `serve` has that many.
        assert!(
            command == "serve" || help.lines().count() <= 48,
            "{command}: {help}"
        );
    }
}

/// At a usual terminal, a comment that goes over to the next line looks like a command.
#[test]
fn each_example_has_one_line_at_a_usual_terminal() {
    let help = |words: &[&str]| {
        let mut command = Command::new(program());
        let output = command.args(words).arg("--help").env("COLUMNS", "80");
        stdout(&output.output().unwrap())
    };
    let below = |words: &[&str], title: &str| -> Vec<String> {
        let text = help(words);
        let lines = text.lines().skip_while(|line| *line != title).skip(1);
        let lines = lines.take_while(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    let named = |words: &[&str]| {
        let lines = below(words, "Commands:").into_iter();
        // A line that is further in belongs to the one above it.
        let names = lines.filter_map(|line| {
            let name = line.strip_prefix("  ")?;
            let name = name.split(' ').next()?;
            (!name.is_empty() && name != "help").then(|| name.to_owned())
        });
        names.collect::<Vec<_>>()
    };
    let mut seen = 0;
    let mut look = |words: &[&str]| {
        for line in below(words, "Examples:") {
            let is_command = ["  thermal-guard ", "  sudo thermal-guard "];
            assert!(is_command.iter().any(|it| line.starts_with(it)), "{line}");
            assert!(line.contains("  # "), "{line}");
            seen += 1;
        }
    };
    look(&[]);
    for command in named(&[]) {
        look(&[&command]);
    }
    for below in named(&["generate"]) {
        look(&["generate", &below]);
    }
    assert!(seen >= 30, "{seen}");
}

#[test]
fn every_shared_flag_is_accepted_after_every_command_and_before_it() {
    let flags = [
        "--web.listen-address=127.0.0.1:1",
        "--log.level=debug",
        "--url=http://127.0.0.1:1",
        "--lock.dir=/nonexistent",
        "--debug.time-scale=2",
        "--state.dir=/nonexistent",
    ];
    let after = run(&[&["report"][..], &flags].concat());
    let before = run(&[&flags[..], &["report"]].concat());
    for output in [after, before] {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("/nonexistent"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_slip_of_the_finger_is_answered_with_what_was_meant() {
    for (args, meant) in [
        (&["statsu"][..], "'status'"),
        (&["serve", "--config.fiel=x"], "--config.file"),
        (&["throttle", "--level=gradaul"], "gradual"),
        (&["simulate", "hot-inlett"], "hot-inlet"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            stderr(&output).contains(meant),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

fn script(shell: &str) -> String {
    let output = run(&["completions", shell]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

/// The completions that bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("thermal-guard.bash");
    fs::write(&file, script("bash")).unwrap();
    // The function that `complete` was told, called as bash calls it.
    let complete = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
        f=$(complete -p thermal-guard | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
        \"$f\" thermal-guard \"${@: -1}\" \"${@: -2:1}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", complete, "bash"]).arg(&file);
    let output = bash.args(words).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values_and_nothing_hidden() {
    needs!("bash");
    assert_eq!(offered(&["thermal-guard", "repo"]), ["report"]);
    assert_eq!(
        offered(&["thermal-guard", "throttle", "--level", ""]),
        ["gradual", "emergency"]
    );
    let status = offered(&["thermal-guard", "status", "--"]);
    assert!(status.contains(&"--watch".to_owned()), "{status:?}");
    assert!(!status.contains(&"--lock.dir".to_owned()), "{status:?}");
    let all = offered(&["thermal-guard", ""]);
    assert!(all.contains(&"serve".to_owned()), "{all:?}");
    for hidden in ["man", "completions", "--debug.time-scale"] {
        assert!(!all.contains(&hidden.to_owned()), "{hidden}: {all:?}");
    }
}

#[test]
fn the_other_shells_get_scripts_that_know_the_commands() {
    let zsh = script("zsh");
    assert!(zsh.starts_with("#compdef thermal-guard"), "{zsh}");
    let fish = script("fish");
    // fish refuses the whole list for one name with a dot.
    let specs = fish.lines().find(|line| line.contains("string join"));
    assert!(!specs.unwrap().contains('.'), "{specs:?}");
    for text in [zsh, fish] {
        assert!(text.contains("report") && text.contains("--level") || text.contains("-l level"));
        assert!(!text.contains("debug.time-scale"), "hidden");
    }
}

#[test]
fn there_is_a_man_page_for_every_command_that_is_shown() {
    let dir = TempDir::new().unwrap();
    let man = dir.path().join("man");
    let output = run(&["man", man.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let help = stdout(&run(&["--help"]));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // A description may go on below its command.
    let commands = commands.filter(|line| !line.starts_with("   "));
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        if command == "help" {
            continue;
        }
        let page = man.join(format!("thermal-guard-{command}.1"));
        let text = fs::read_to_string(&page).unwrap();
        assert!(
            text.contains(".SH NAME") && text.contains(command),
            "{command}: {text}"
        );
    }
    for hidden in ["completions", "man", "help"] {
        let page = man.join(format!("thermal-guard-{hidden}.1"));
        assert!(!page.exists(), "{hidden}");
    }
}

fn coloured(args: &[&str], variable: &str) -> Output {
    let mut command = Command::new(program());
    command.args(args).env(variable, "1");
    command.output().unwrap()
}

#[test]
fn colour_is_for_terminals_and_a_check_ends_with_its_verdict() {
    let dir = TempDir::new().unwrap();
    let state = format!("--state.dir={}", dir.path().display());
    let check = ["check", "--simulate", &state];
    let plain = stdout(&run(&check));
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let forced = stdout(&coloured(&check, "CLICOLOR_FORCE"));
    assert!(forced.contains('\u{1b}'), "{forced:?}");
    let none = stdout(&coloured(&check, "NO_COLOR"));
    // The simulated cards read a degree more or less each time.
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
    assert_eq!(words(&none), words(&plain));
    assert!(plain.ends_with("\nready\n"), "{plain}");

    let failing = run(&["check", "--nvml.library=/nonexistent", &state]);
    let verdict = stdout(&failing).lines().last().unwrap().to_owned();
    assert!(verdict.starts_with("not ready: driver"), "{verdict}");
}

#[test]
fn findings_stand_in_columns() {
    let guard = Guard::on(&["a100-80gb", "l40s"]);
    let text = stdout(&guard.run("check", &[]));
    let lines = text.lines().take_while(|line| !line.is_empty());
    // Status, two spaces, the subject padded to the longest, two spaces, detail.
    let width = "gpu 0 power limit".len();
    for line in lines {
        let detail: String = line.chars().skip(4 + 2 + width).collect();
        assert!(
            detail.starts_with("  ") && !detail.starts_with("   "),
            "{line:?}: {text}"
        );
    }
}
