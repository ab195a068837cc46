//! Log lines as their readers take them: logfmt that parses, and priorities in systemd's journal.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command};

use super::scene::hot;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::wait::{PATIENCE, wait_until};

/// As Go's logfmt reads a line: keys up to `=`, values bare or strings as JSON has them.
fn parse(line: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    let mut rest = line.trim_start_matches(' ');
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or(format!("no `=` in {rest:?}"))?;
        if key.is_empty() || key.contains(|c: char| c <= ' ' || c == '"' || c == '\u{fffd}') {
            return Err(format!("bad key {key:?}"));
        }
        let (value, after) = if after.starts_with('"') {
            let end = end_of_string(after).ok_or(format!("no end of {after:?}"))?;
            let (quoted, after) = after.split_at(end);
            let value = serde_json::from_str(quoted);
            (value.map_err(|error| format!("{quoted}: {error}"))?, after)
        } else {
            let (bare, after) = after.split_at(after.find(' ').unwrap_or(after.len()));
            if bare.contains(|c: char| c < ' ' || c == '=' || c == '"') {
                return Err(format!("bad bare value {bare:?}"));
            }
            (bare.to_owned(), after)
        };
        if !after.is_empty() && !after.starts_with(' ') {
            return Err(format!("no blank before {after:?}"));
        }
        if pairs.insert(key.to_owned(), value).is_some() {
            return Err(format!("{key} is there twice"));
        }
        rest = after.trim_start_matches(' ');
    }
    Ok(pairs)
}

/// Behind the closing quote.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    let mut chars = text.char_indices().skip(1);
    let end = chars.find(|&(_, c)| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    end.map(|(at, _)| at + 1)
}

/// Every line parses, and has a time, a level and a message.
#[track_caller]
pub(crate) fn assert_logfmt(log: &str) {
    assert!(!log.is_empty());
    for line in log.lines() {
        let pairs = parse(line).unwrap_or_else(|error| panic!("{error} in: {line}"));
        for key in ["ts", "level", "message"] {
            assert!(pairs.contains_key(key), "no {key} in: {line}");
        }
    }
}

#[test]
fn the_parser_is_strict() {
    for bad in [
        r#"a="can\'t""#,
        r#"a="\u{1b}""#,
        "a=b=c",
        "alone",
        r#"a="b"c=d"#,
        r#"a="b"#,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let good = parse(r#"a="say \"no\"\n" b=can't c="""#).unwrap();
    assert_eq!(good["a"], "say \"no\"\n");
    assert_eq!((&*good["b"], &*good["c"]), ("can't", ""));
}

/// `can\'t` ends the line for a reader of logfmt.
#[test]
fn every_line_of_a_guard_in_trouble_is_logfmt() {
    let config = "apps: [{ name: a, http: { url: \"http://127.0.0.1:9/{mode}\" }, env_file: { path: \"no'such=file\", key: K, normal: 4, gradual: 1 } }]\n\
        alertmanager: { url: http://127.0.0.1:9 }\n\
        sensors: [{ name: inlet, file: \"it's not \\\"there\\\"=\", unit: celsius, alert: 40, critical: 50 }]\n";
    let mut guard = Guard::new(hot(), 10, config);
    guard.flag("--log.level=debug");
    guard.start();
    guard.wait_throttled(0);
    guard.wait("said", |_| guard.log().contains("be told its mode"));
    guard.configure("mode: it's\nnone: \"of\\nthese\"\n");
    guard.signal("HUP");
    guard.wait("refused", |_| !guard.logged(&["not reloaded"]).is_empty());
    guard.machine.ctl(&["fault", "--gpu", "0", "lost"]);
    guard.wait("said", |_| !guard.logged(&["GPU lost"]).is_empty());
    guard.stop();
    let log = guard.log();
    assert!(log.contains("can't"), "{log}");
    assert_logfmt(&log);
}

/// The service as systemd starts it: `$JOURNAL_STREAM` names where standard error leads.
fn in_journal(guard: &Guard, log: &Path, named: bool, format: &str) -> Child {
    let file = File::create(log).unwrap();
    let stream = file.metadata().unwrap();
    let inode = stream.ino() + u64::from(!named);
    let mut serve: Command = guard.command("serve");
    serve
        .args(["--web.listen-address=127.0.0.1:0", format])
        .env("JOURNAL_STREAM", format!("{}:{inode}", stream.dev()))
        .stderr(file)
        .spawn()
        .unwrap()
}

/// All lines once arrived as priority 6.
#[test]
fn the_journal_gets_priorities_and_other_places_get_none() {
    for format in ["--log.format=logfmt", "--log.format=json"] {
        for named in [true, false] {
            let machine = Machine::create(&["a100-80gb"], &[]);
            let guard = Guard::new(
                machine,
                1,
                "sensors: [{ name: inlet, file: none, unit: celsius, alert: 40, critical: 50 }]\n",
            );
            let path = guard.path("journal");
            let mut child = in_journal(&guard, &path, named, format);
            let log = || fs::read_to_string(&path).unwrap();
            let said = wait_until(PATIENCE, || log().contains("sensor lost"));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(said, "{}", log());
            for line in log().lines() {
                let bare = line.trim_start_matches(|c: char| "<>0123456789".contains(c));
                let prefix = line.strip_suffix(bare).unwrap();
                let is_error = bare.contains("level=error") || bare.contains("\"ERROR\"");
                let is_warning = bare.contains("level=warn") || bare.contains("\"WARN\"");
                let wanted = match (named, is_error, is_warning) {
                    (false, ..) => "",
                    (true, true, _) => "<3>",
                    (true, _, true) => "<4>",
                    _ => "<6>",
                };
                assert_eq!(prefix, wanted, "{line}");
                if format.ends_with("json") {
                    assert!(
                        serde_json::from_str::<serde_json::Value>(bare).is_ok(),
                        "{line}"
                    );
                } else {
                    let pairs = parse(bare).unwrap_or_else(|error| panic!("{error}: {line}"));
                    assert_eq!(pairs.contains_key("ts"), !named, "{line}");
                }
            }
        }
    }
}

/// A failed start is an error in the journal, line by line.
#[test]
fn a_start_that_is_refused_is_an_error_in_the_journal() {
    let guard = Guard::new(
        Machine::create(&["a100-80gb"], &[]),
        1,
        "mode: a\nnone: b\n",
    );
    let path = guard.path("journal");
    let mut child = in_journal(&guard, &path, true, "--log.format=logfmt");
    assert_eq!(child.wait().unwrap().code(), Some(78));
    let log = fs::read_to_string(&path).unwrap();
    assert!(log.lines().count() >= 3, "{log}");
    assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
}
