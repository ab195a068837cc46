//! What people see at a terminal of 80 columns, in colour and in their own time zone, and what programs
//! get instead. `COLUMNS` stands for the terminal.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start programs, and fail by panic"
)]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::client::answering;
use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::process::{program, run, stderr, stdout};
use crate::common::wait::wait_for;

fn with(variables: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(args).envs(variables.iter().copied());
    command.env(
        "THERMAL_GUARD_USUAL_CONFIG",
        "/nonexistent/thermal-guard.yml",
    );
    command.output().unwrap()
}

fn at(columns: usize, args: &[&str]) -> String {
    stdout(&with(&[("COLUMNS", &columns.to_string())], args))
}

/// Lines that are longer, but for those of one word, which can't be shorter.
fn too_long(text: &str, columns: usize) -> Vec<&str> {
    let is_long = |line: &&str| line.chars().count() > columns && line.trim().contains(' ');
    text.lines().filter(is_long).collect()
}

/// All commands, and those below `generate`.
fn commands() -> Vec<Vec<String>> {
    let help = stdout(&run(&["--help"]));
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    // A description may go on below its command.
    let names = lines.filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    let mut all: Vec<Vec<String>> = names
        .filter(|name| *name != "help")
        .map(|name| vec![name.to_owned()])
        .collect();
    for below in ["alertmanager", "prometheus", "targets", "rules"] {
        all.push(vec!["generate".to_owned(), below.to_owned()]);
    }
    assert!(all.len() > 20, "{help}");
    all
}

#[test]
fn all_help_fits_80_columns() {
    let mut all = commands();
    all.push(Vec::new());
    for command in all {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = at(80, &args);
        let long = too_long(&help, 80);
        assert!(long.is_empty(), "{args:?}: {long:#?}");
    }
}

#[test]
fn every_command_has_examples_that_it_takes_and_tells_its_exit_status() {
    let mut seen = 0;
    for command in commands() {
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        let help = at(100, &[&args[..], &["--help"]].concat());
        if args == ["generate"] {
            continue;
        }
        assert!(help.contains("\nExit status: 0 "), "{args:?}: {help}");
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples: Vec<&str> = examples.take_while(|line| !line.is_empty()).collect();
        assert!(!examples.is_empty(), "{args:?}: {help}");
        for example in examples {
            let (line, about) = example.split_once("  # ").unwrap();
            assert!(!about.is_empty(), "{example}");
            let call = line.split("&&").next().unwrap();
            let words = shlex::split(call).unwrap();
            let own = words
                .iter()
                .skip_while(|word| *word != "thermal-guard")
                .skip(1);
            let mut taken: Vec<&str> = own.map(String::as_str).collect();
            assert!(taken.starts_with(&args), "{example}");
            taken.push("--help");
            let output = run(&taken);
            assert!(output.status.success(), "{example}: {}", stderr(&output));
            seen += 1;
        }
    }
    assert!(seen >= 25, "{seen}");
}

#[test]
fn man_pages_have_files_exit_status_and_examples() {
    let dir = TempDir::new().unwrap();
    let output = run(&["man", dir.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let page = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    for command in commands() {
        let name = format!("thermal-guard-{}.1", command.join("-"));
        let text = page(&name);
        for section in ["FILES", "ENVIRONMENT"] {
            assert!(
                text.contains(&format!(".SH {section}")),
                "{name}: {section}"
            );
        }
        if command != ["generate"] {
            assert!(text.contains(".SH \"EXIT STATUS\""), "{name}: {text}");
            assert!(text.contains(".SH EXAMPLES"), "{name}");
        }
    }
    // Of the configuration file each line, as it is installed; roff reads a backslash before each hyphen, and a name
    // for each apostrophe.
    let file = include_str!("../../../deploy/thermal-guard.example.yml");
    let text = page("thermal-guard.yml.5");
    let text = text.replace("\\-", "-").replace("\\*(Aq", "'");
    let missing: Vec<_> = file.lines().filter(|it| !text.contains(it)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    // Two builds of one tree make the same pages.
    assert!(!page("thermal-guard.1").contains("revision"));
}

#[test]
fn a_check_a_report_and_the_tables_fit_80_columns_and_say_all_of_it() {
    let mut guard = Guard::on(&["a100-80gb", "l40s"]);
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let narrow = |name: &str, args: &[&str]| {
        let mut command = guard.command(name);
        let output = command.args(args).env("COLUMNS", "80").output().unwrap();
        stdout(&output)
    };
    // The numbers go on changing, the words don't.
    let words = |text: &str| {
        let words = text.split_whitespace().map(str::to_owned);
        words
            .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
            .collect::<Vec<_>>()
    };
    let text = narrow("check", &[&url]);
    let wide = stdout(&guard.run("check", &[&url]));
    assert!(too_long(&text, 80).is_empty(), "{text}");
    assert!(!too_long(&wide, 80).is_empty(), "narrow anyway: {wide}");
    assert_eq!(words(&text), words(&wide));
    guard.heat(0);
    guard.wait_throttled(0);
    wait_for("the log has it", || {
        let report = narrow("report", &[]);
        assert!(too_long(&report, 80).is_empty(), "{report}");
        report.contains("gradual by the")
    });
    let board = narrow("status", &[&url]);
    assert!(too_long(&board, 80).is_empty(), "{board}");
    assert!(
        board.contains("LIMIT/ORIGINAL W") && board.contains("gradual"),
        "{board}"
    );
    let table = at(
        80,
        &["simulate", "hot-inlet", "--profile=h100", "--hours=0.1"],
    );
    assert!(too_long(&table, 80).is_empty(), "{table}");
    assert!(
        table.contains("OF BOUND %") && !table.contains("CLOCKS/H"),
        "{table}"
    );
    let wide = stdout(&run(&[
        "simulate",
        "hot-inlet",
        "--profile=h100",
        "--hours=0.1",
    ]));
    assert!(wide.contains("CLOCKS/H"), "{wide}");
}

#[test]
fn the_report_tells_local_time_with_its_offset_or_utc_and_json_utc_always() {
    let mut guard = Guard::on(&["a100-80gb"]);
    guard.start();
    let told = |args: &[&str]| {
        let mut command = guard.command("report");
        stdout(&command.args(args).env("TZ", "<+08>-8").output().unwrap())
    };
    let (local, utc, json) = (told(&[]), told(&["--utc"]), told(&["--json"]));
    assert!(
        local.lines().next().unwrap().ends_with(" UTC+08:00"),
        "{local}"
    );
    assert!(utc.lines().next().unwrap().ends_with(" UTC"), "{utc}");
    let hour = |text: &str| {
        let time = text.split_whitespace().find(|word| word.contains(':'));
        time.unwrap()
            .split(':')
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!((hour(&utc) + 8) % 24, hour(&local), "{utc}\n{local}");
    assert!(json.contains("Z\"") && !json.contains("+08:00"), "{json}");
}

/// The service's log is read by programs: `ts=` in UTC to the millisecond, and no colours in it.
#[test]
fn log_lines_are_coloured_at_a_terminal_only() {
    let dir = TempDir::new().unwrap();
    let state = format!("--state.dir={}", dir.path().display());
    // It ends by itself: nothing can listen there.
    let args = [
        "serve",
        "--simulate",
        &state,
        "--web.listen-address=nowhere",
    ];
    let log = |variables: &[(&str, &str)]| stderr(&with(variables, &args));
    let plain = log(&[]);
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let time = plain
        .strip_prefix("ts=")
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert_eq!(time.len(), "2026-11-30T10:20:43.026Z".len(), "{time}");
    let coloured = log(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("level=\u{1b}["), "{coloured:?}");
    assert!(!log(&[("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn progress_is_shown_at_a_terminal_only() {
    let args = [
        "simulate",
        "cool-room",
        "--profile=a100-80gb",
        "--hours=0.1",
    ];
    assert_eq!(stderr(&run(&args)), "");
    needs!("script");
    let line = format!("{} {}", program().display(), args.join(" "));
    let mut script = Command::new("script");
    let output = script.args(["-qec", &line, "/dev/null"]).output().unwrap();
    let shown = stdout(&output);
    assert!(shown.contains("1 of 9 runs"), "{shown:?}");
    // The last word is the result.
    let (_, after) = shown.rsplit_once("of 9 runs").unwrap();
    assert!(after.contains("OF BOUND %"), "{shown:?}");
}

#[test]
fn the_version_names_the_revision_for_every_command() {
    let version = stdout(&run(&["--version"]));
    let own = env!("CARGO_PKG_VERSION");
    assert!(
        version.starts_with(&format!("thermal-guard {own}")),
        "{version}"
    );
    assert_eq!(version.lines().count(), 1);
    // As it was built: in a checkout, or from elsewhere.
    if Path::new(".git").exists() {
        assert!(version.contains("(revision "), "{version}");
    }
    for args in [
        &["serve", "--version"][..],
        &["-V"],
        &["generate", "rules", "-V"],
    ] {
        let output = run(args);
        assert!(
            stdout(&output).contains(own),
            "{args:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_url_may_leave_out_its_scheme() {
    let (url, _requests) = answering("200 OK", r#"{"version":"0.1.0"}"#);
    let bare = url.replace("http://", "");
    let output = run(&["status", &bare]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let nobody = run(&["status", "--url=127.0.0.1:1"]);
    assert!(
        stderr(&nobody).contains("http://127.0.0.1:1 "),
        "{}",
        stderr(&nobody)
    );
}
