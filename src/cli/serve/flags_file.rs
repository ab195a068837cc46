//! The file with the service's flags, `/etc/default/thermal-guard`: systemd reads it, as `NAME=VALUE` lines and no shell, and
//! skips what it can't read. A guard that was told to observe by such a line would enforce, so it doesn't start.
//!
//! What is looked for are names only: values are systemd's to read, and may be secrets.

use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Where the file is: the unit says it, and nobody else.
const PLACE: &str = "THERMAL_GUARD_FLAGS_FILE";
/// The unit's name for the flags.
const FLAGS: &str = "ARGS";

/// Flags that systemd didn't hand over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    file: PathBuf,
    skipped: Skipped,
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Skipped { line, name } = &self.skipped;
        write!(
            f,
            "{}:{line}: systemd skips \"{name}\", so the flags there would not be in force\n\
             systemd runs no shell: write {FLAGS}=\"--a-flag --another\" at the beginning of a line, without \"export\", then start the guard again",
            self.file.display()
        )
    }
}

/// A line that systemd skips: where it begins, and what stands there before the value.
#[derive(Debug, PartialEq, Eq)]
struct Skipped {
    line: usize,
    name: String,
}

/// Looks into the file that the unit names. Lines that are skipped and can't be flags are warnings.
pub(super) fn heeded() -> Result<(), Refused> {
    env::var_os(PLACE).map_or(Ok(()), |file| look(Path::new(&file)))
}

fn look(file: &Path) -> Result<(), Refused> {
    let text = match fs::read(file) {
        Ok(text) => text,
        // The unit does without it, too.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "can't look whether systemd skips flags there; make the file readable");
            return Ok(());
        }
    };
    for skipped in skipped(&String::from_utf8_lossy(&text)) {
        if skipped.name.contains(FLAGS) || skipped.name.starts_with('-') {
            let file = file.to_owned();
            return Err(Refused { file, skipped });
        }
        let place = format!("{}:{}", file.display(), skipped.line);
        tracing::warn!(place, name = %skipped.name, "systemd skips this line: it wants NAME=VALUE, without \"export\"");
    }
    Ok(())
}

/// As systemd reads an `EnvironmentFile=`: a name to the first `=`, a value that quotes and backslashes may carry over several
/// lines, comments that begin a line.
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

/// Goes past a value; how many lines it ends.
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
        let said = look(&file).unwrap_err().to_string();
        assert!(
            said.contains("flags:2: systemd skips \"export ARGS\""),
            "{said}"
        );
        assert!(!said.contains("hidden"), "{said}");
        fs::write(&file, "ARGS=\"\"\n--mode=observe\n").unwrap();
        assert!(
            look(&file)
                .unwrap_err()
                .to_string()
                .contains("flags:2: systemd skips \"--mode\"")
        );
        fs::write(&file, "export TOKEN=hidden\nARGS=\"\"\n").unwrap();
        assert_eq!(look(&file), Ok(()));
        assert_eq!(look(&directory.path().join("none")), Ok(()));
    }
}
