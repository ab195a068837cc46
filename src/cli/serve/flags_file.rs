//! Checks the file with the service's flags, `/etc/default/thermal-guard`. systemd reads it as
//! `NAME=VALUE` lines, without a shell, and skips lines that it can't read. If it skipped a line that
//! asks for `observe`, the guard would enforce; so the guard refuses to start.
//!
//! Only names are checked. Values are for systemd to read, and may be secrets.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::disk;

/// The unit sets this variable to the path of the file.
const PLACE: &str = "THERMAL_GUARD_FLAGS_FILE";
/// The unit's name for the flags.
const FLAGS: &str = "ARGS";

/// Flags that systemd didn't hand over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    file: PathBuf,
    skipped: Skipped,
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Skipped { line, name } = &self.skipped;
        write!(
            f,
            "{}:{line}: systemd skips {name}, so the flags there would not be in force\n\
             systemd runs no shell and reads UTF-8: write {FLAGS}=\"--a-flag --another\" at the beginning of a line, without \"export\", then start the guard again",
            self.file.display()
        )
    }
}

/// A line that systemd skips: its number, and the text before the value.
#[derive(Debug, PartialEq, Eq)]
struct Skipped {
    line: usize,
    name: String,
}

/// Checks the file that the unit names. A skipped line that can't be flags is only a warning.
pub(crate) fn check() -> Result<(), Refused> {
    env::var_os(PLACE).map_or(Ok(()), |file| check_file(Path::new(&file)))
}

fn check_file(file: &Path) -> Result<(), Refused> {
    let text = match disk::read(file, disk::MAX_BYTES) {
        Ok(text) => text,
        // The unit doesn't need the file either.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "can't look whether systemd skips flags there; make the file readable");
            return Ok(());
        }
    };
    if let Some(line) = unreadable_line(&text) {
        let name = "the whole file, because this line is no text in UTF-8".to_owned();
        let skipped = Skipped { line, name };
        let file = file.to_owned();
        return Err(Refused { file, skipped });
    }
    for skipped in skipped(&String::from_utf8_lossy(&text)) {
        if skipped.name.contains(FLAGS) || skipped.name.starts_with('-') {
            let file = file.to_owned();
            let name = format!("\"{}\"", skipped.name);
            let skipped = Skipped { name, ..skipped };
            return Err(Refused { file, skipped });
        }
        let place = format!("{}:{}", file.display(), skipped.line);
        tracing::warn!(place, name = %skipped.name, "systemd skips this line: write NAME=VALUE, without \"export\"");
    }
    Ok(())
}

/// The first line for which systemd drops the whole file: bytes that are no UTF-8, or a NUL.
fn unreadable_line(text: &[u8]) -> Option<usize> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let found = lines.position(|line| line.contains(&0) || str::from_utf8(line).is_err());
    found.map(|before| before + 1)
}

/// Parses as systemd parses an `EnvironmentFile=`: a name up to the first `=`, a value that quotes and
/// backslashes may continue over several lines, comments from the beginning of a line.
fn skipped(text: &str) -> Vec<Skipped> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text.chars().peekable();
    while let Some(&first) = rest.peek() {
        if first.is_whitespace() {
            line += usize::from(first == '\n');
            rest.next();
            continue;
        }
        let begin = line;
        let comment = matches!(first, '#' | ';');
        let mut name = String::new();
        let mut has_value = false;
        for next in rest.by_ref() {
            if next == '\n' {
                line += 1;
                break;
            }
            if next == '=' && !comment {
                has_value = true;
                break;
            }
            name.push(next);
        }
        if has_value {
            line += value_lines(&mut rest);
        }
        let read = has_value && is_name(name.trim_end());
        if !(comment || read) {
            let name = name.trim_end().to_owned();
            found.push(Skipped { line: begin, name });
        }
    }
    found
}

/// Skips a value, and returns the number of lines that it ends.
fn value_lines(rest: &mut impl Iterator<Item = char>) -> usize {
    let mut lines = 0;
    let mut quote = None;
    // A quote counts at the beginning of a value and after another quote.
    let mut fresh = true;
    while let Some(next) = rest.next() {
        lines += usize::from(next == '\n');
        match (quote, next) {
            (None, '\n') => break,
            (None | Some('"'), '\\') => {
                lines += usize::from(rest.next() == Some('\n'));
                fresh = false;
            }
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') if fresh => quote = Some(next),
            (None, other) => fresh &= other.is_whitespace(),
            (Some(_), _) => {}
        }
    }
    lines
}

fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins
        && name
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || one == '_')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        let skipped = skipped(text).into_iter();
        skipped.map(|one| (one.line, one.name)).collect()
    }

    #[test]
    fn what_systemd_reads_is_not_skipped() {
        let text = "# export ARGS=\"--mode=observe\"\n; ARGS\n\nARGS=\"\"\n _x1 = it's\nTWO='a\nexport b'\nMORE=a\\\nexport c=d\nLAST=\"a\\\"\nexport d\"";
        assert_eq!(lines(text), []);
    }

    #[test]
    fn what_systemd_skips_is_found_where_it_begins() {
        let text =
            "A=1\nexport ARGS=\"--mode=observe\"\n--mode=observe\nARGS\n2A=x\nARGS+=\" x\"\n";
        let expected = [
            (2, "export ARGS"),
            (3, "--mode"),
            (4, "ARGS"),
            (5, "2A"),
            (6, "ARGS+"),
        ];
        assert_eq!(
            lines(text),
            expected.map(|(line, name)| (line, name.to_owned()))
        );
    }

    #[test]
    fn a_line_is_counted_after_a_value_of_several() {
        assert_eq!(
            lines("A='1\n2\n3'\nB=\"x\\\ny\"\nexport C=1"),
            [(6, "export C".to_owned())]
        );
    }

    #[test]
    fn the_refusal_says_the_place_and_no_value() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flags");
        fs::write(&file, "export TOKEN=hidden\nexport ARGS=hidden\n").unwrap();
        let said = check_file(&file).unwrap_err().to_string();
        assert!(
            said.contains("flags:2: systemd skips \"export ARGS\""),
            "{said}"
        );
        assert!(!said.contains("hidden"), "{said}");
        fs::write(&file, "ARGS=\"\"\n--mode=observe\n").unwrap();
        assert!(
            check_file(&file)
                .unwrap_err()
                .to_string()
                .contains("flags:2: systemd skips \"--mode\"")
        );
        fs::write(&file, "export TOKEN=hidden\nARGS=\"\"\n").unwrap();
        assert_eq!(check_file(&file), Ok(()));
        for line in [&b"OWNER=\"J\xf6rg\""[..], b"X=a\0b"] {
            let bytes = [b"ARGS=\"--mode=observe\"\n", line].concat();
            fs::write(&file, bytes).unwrap();
            let said = check_file(&file).unwrap_err().to_string();
            assert!(
                said.contains("flags:2: systemd skips the whole file"),
                "{said}"
            );
        }
        assert_eq!(check_file(&directory.path().join("none")), Ok(()));
    }
}
