//! Sets one variable in an environment file that belongs to somebody else: that value changes, and
//! not a byte besides. Comments, order, quotes, `export`, CRLF, mode and owner stay.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use super::replace::{discard_unnamed, replace};

/// Larger is no environment file.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a variable couldn't be set. All are worth another try: the file is the operator's to mend.
#[derive(Debug, Error)]
pub enum EnvFileError {
    /// It is never created: in the wrong place it would help nobody.
    #[error("{} doesn't exist", .0.display())]
    Missing(PathBuf),
    #[error("{} is not a regular file of at most 1 MiB", .0.display())]
    NotAFile(PathBuf),
    /// Whoever can plant a link must not make root write elsewhere.
    #[error("{} is a link by another user than the owner of its target", .0.display())]
    ForeignLink(PathBuf),
    #[error("the value of {0} goes on over several lines")]
    SeveralLines(String),
    #[error("{} was changed by somebody else at the same moment", .0.display())]
    Raced(PathBuf),
    /// A file mounted by itself into a container can't be replaced.
    #[error("{} is a mount point: mount its directory instead", .0.display())]
    MountPoint(PathBuf),
    /// As most are to a service with `ProtectSystem=strict`.
    #[error("{} is read-only here: the service needs ReadWritePaths= for its directory", .0.display())]
    ReadOnly(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Makes `key` have `value` in the file. Tells whether it had to be written.
pub fn set(path: &Path, key: &str, value: &str) -> Result<bool, EnvFileError> {
    let failed = |source| EnvFileError::Io {
        path: path.to_owned(),
        source,
    };
    let target = target_of(path)?;
    let _alone = Alone::with(&target)?;
    let (text, read) = read_regular(&target)?;
    let Some(edited) = edit(&text, key, value)? else {
        // It is somebody else's directory: what a killed guard left there goes.
        discard_unnamed(&target).map_err(failed)?;
        return Ok(false);
    };
    let now = fs::symlink_metadata(&target).map_err(failed)?;
    if version(&now) != version(&read) {
        return Err(EnvFileError::Raced(target));
    }
    match replace(&target, &edited, Some(&read)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            Err(EnvFileError::MountPoint(target))
        }
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            Err(EnvFileError::ReadOnly(target))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Files being edited: two apps may share one, and must not undo each other's edit. Not a lock to
/// wait for, as the other's file system may hang.
static BUSY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

struct Alone(PathBuf);

impl Alone {
    fn with(target: &Path) -> Result<Self, EnvFileError> {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(target.to_owned()) {
            Ok(Self(target.to_owned()))
        } else {
            Err(EnvFileError::Raced(target.to_owned()))
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.0);
    }
}

/// Where the link leads, if it is one.
fn target_of(path: &Path) -> Result<PathBuf, EnvFileError> {
    let missing = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => EnvFileError::Missing(path.to_owned()),
        _ => EnvFileError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let link = fs::symlink_metadata(path).map_err(missing)?;
    let target = fs::canonicalize(path).map_err(missing)?;
    if link.is_symlink() && link.uid() != 0 {
        let owner = fs::symlink_metadata(&target).map_err(missing)?.uid();
        if owner != link.uid() {
            return Err(EnvFileError::ForeignLink(path.to_owned()));
        }
    }
    Ok(target)
}

fn read_regular(path: &Path) -> Result<(Vec<u8>, Metadata), EnvFileError> {
    let failed = |source| EnvFileError::Io {
        path: path.to_owned(),
        source,
    };
    // Before it is opened: opening a pipe would wait for a writer.
    let metadata = fs::symlink_metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(EnvFileError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut text = Vec::new();
    let mut bounded = file.take(MAX_BYTES);
    bounded.read_to_end(&mut text).map_err(failed)?;
    Ok((text, metadata))
}

fn version(metadata: &Metadata) -> (u64, u64, i64, i64) {
    let (modified, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    (metadata.ino(), metadata.len(), modified, nanos)
}

/// The text with every assignment of `key` set to `value`, or with one appended. `None`: it is so
/// already. All of them, because readers differ in which one counts.
fn edit(text: &[u8], key: &str, value: &str) -> Result<Option<Vec<u8>>, EnvFileError> {
    let mut edited = Vec::with_capacity(text.len() + key.len() + value.len() + 4);
    let mut found = false;
    let mut kept = 0;
    let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
    while at < text.len() {
        let end = line_end(text, at);
        let Some(assignment) = Assignment::parse(text, at..end) else {
            at = end;
            continue;
        };
        if assignment.key == key.as_bytes() {
            if assignment.value.end > end {
                return Err(EnvFileError::SeveralLines(key.to_owned()));
            }
            found = true;
            edited.extend_from_slice(&text[kept..assignment.value.start]);
            edited.extend_from_slice(&assignment.requoted(text, value));
            kept = assignment.value.end;
        }
        at = line_end(text, assignment.value.end);
    }
    edited.extend_from_slice(&text[kept..]);
    if !found {
        append(&mut edited, key, value);
    }
    Ok((edited != text).then_some(edited))
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Just behind the line feed of the line that `at` is in.
fn line_end(text: &[u8], at: usize) -> usize {
    let feed = text[at..].iter().position(|byte| *byte == b'\n');
    feed.map_or(text.len(), |feed| at + feed + 1)
}

/// One more line, in the file's own manner: CRLF or not, closed at the end or not.
fn append(text: &mut Vec<u8>, key: &str, value: &str) {
    let crlf = text.windows(2).any(|pair| pair == b"\r\n");
    let eol: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let closed = text.is_empty() || text.ends_with(b"\n");
    let line = [key.as_bytes(), b"=", &quoted_if_needed(value)].concat();
    let parts = if closed { [&line, eol] } else { [eol, &line] };
    text.extend_from_slice(&parts.concat());
}

/// `export KEY = "value" # comment`: where the value is, quotes included.
struct Assignment<'a> {
    key: &'a [u8],
    value: Range<usize>,
}

impl<'a> Assignment<'a> {
    fn parse(text: &'a [u8], line: Range<usize>) -> Option<Self> {
        let equals = line.start + text[line.clone()].iter().position(|byte| *byte == b'=')?;
        let key = text[line.start..equals].trim_ascii();
        let key = match key.strip_prefix(b"export") {
            Some(rest) if rest.starts_with(b" ") || rest.starts_with(b"\t") => rest.trim_ascii(),
            _ => key,
        };
        let named = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if key.is_empty() || !key.iter().all(named) {
            return None;
        }
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut start = equals + 1;
        start += text[start..line.end]
            .iter()
            .take_while(|b| blank(b))
            .count();
        let quoted = closing_quote(text, start).map(|quote| start..quote + 1);
        let value = quoted.unwrap_or_else(|| {
            let end = plain_end(text, start, line.end);
            // No value: it goes before the blanks that make what follows a comment.
            if end == start {
                equals + 1..equals + 1
            } else {
                start..end
            }
        });
        Some(Self { key, value })
    }

    /// The new value in the quotes of the old one.
    fn requoted(&self, text: &[u8], value: &str) -> Vec<u8> {
        match text[self.value.clone()].first() {
            Some(quote @ (b'"' | b'\'')) if self.value.len() > 1 => {
                [&[*quote], value.as_bytes(), &[*quote]].concat()
            }
            _ => quoted_if_needed(value),
        }
    }
}

/// Where the quoted value that starts here ends, be it lines below; none, if it doesn't.
fn closing_quote(text: &[u8], start: usize) -> Option<usize> {
    let quote = *text.get(start)?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            byte if *byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// An unquoted value ends before a comment, blanks or the end of the line. A comment has a blank
/// before it: `K=#4` is a value to most readers, and its remains after another would be, to all.
fn plain_end(text: &[u8], start: usize, end: usize) -> usize {
    let commented = |at: &usize| text[*at] == b'#' && text[*at - 1].is_ascii_whitespace();
    let comment = (start..end).find(commented).unwrap_or(end);
    start + text[start..comment].trim_ascii_end().len()
}

/// The configuration admits nothing that would need escaping inside quotes.
fn quoted_if_needed(value: &str) -> Vec<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/+@%=".contains(c);
    if value.chars().all(plain) {
        value.as_bytes().to_vec()
    } else {
        format!("\"{value}\"").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn edited(text: &str, value: &str) -> String {
        let edited = edit(text.as_bytes(), "K", value).unwrap();
        String::from_utf8(edited.unwrap_or_else(|| b"(untouched)".to_vec())).unwrap()
    }

    #[test]
    fn only_the_value_changes() {
        for (before, after) in [
            ("K=4\n", "K=1\n"),
            ("K=4", "K=1"),
            ("# K=9\nA=1\r\nK=4\r\nB=2", "# K=9\nA=1\r\nK=1\r\nB=2"),
            ("export K=4\n", "export K=1\n"),
            ("  export\tK = 4  # four\n", "  export\tK = 1  # four\n"),
            ("K=\"4\" # four\n", "K=\"1\" # four\n"),
            ("K='4 # 5'\n", "K='1'\n"),
            ("K=\"a\\\"b\"\n", "K=\"1\"\n"),
            ("K=\n", "K=1\n"),
            ("K= # none\n", "K=1 # none\n"),
            ("K=a#b\n", "K=1\n"),
            ("K=#b\n", "K=1\n"),
            ("K=4\nK=5\n", "K=1\nK=1\n"),
            ("KK=4\nK=4\nk=4\n", "KK=4\nK=1\nk=4\n"),
            ("\u{feff}K=4\n", "\u{feff}K=1\n"),
            (
                "N=\"two\nK=4\nlines\"\nK=4\n",
                "N=\"two\nK=4\nlines\"\nK=1\n",
            ),
            ("N=it's\nK=4\n", "N=it's\nK=1\n"),
            ("N=\"open\nK=4\n", "N=\"open\nK=1\n"),
            ("\u{0}\u{1}binary=\nK=4\n", "\u{0}\u{1}binary=\nK=1\n"),
        ] {
            assert_eq!(edited(before, "1"), after, "{before:?}");
            assert_eq!(edited(after, "1"), "(untouched)", "{after:?}");
        }
    }

    #[test]
    fn an_absent_key_is_appended_in_the_files_manner() {
        assert_eq!(edited("", "1"), "K=1\n");
        assert_eq!(edited("A=1\n", "1"), "A=1\nK=1\n");
        assert_eq!(edited("A=1", "1"), "A=1\nK=1");
        assert_eq!(edited("A=1\r\n", "1"), "A=1\r\nK=1\r\n");
        assert_eq!(edited("# K=1\n", "1"), "# K=1\nK=1\n");
    }

    #[test]
    fn a_value_of_several_words_is_quoted() {
        assert_eq!(edited("K=4\n", "a b"), "K=\"a b\"\n");
        assert_eq!(edited("K='4'\n", "a b"), "K='a b'\n");
        assert_eq!(edited("K=4\n", ""), "K=\n");
    }

    #[test]
    fn a_value_over_several_lines_is_left_alone() {
        let error = edit(b"K=\"a\nb\"\n", "K", "1").unwrap_err();
        assert!(matches!(error, EnvFileError::SeveralLines(_)));
    }

    #[test]
    fn mode_and_link_survive_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("real.env");
        fs::write(&file, "A=1\nK=4\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("link.env");
        symlink("real.env", &link).unwrap();
        assert!(set(&link, "K", "1").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "A=1\nK=1\n");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_right_value_is_not_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.env");
        fs::write(&file, "K=1\n").unwrap();
        let before = version(&fs::metadata(&file).unwrap());
        let leftover = dir.path().join(".x.env.thermal-guard");
        fs::write(&leftover, "of a killed guard").unwrap();
        assert!(!set(&file, "K", "1").unwrap());
        assert_eq!(version(&fs::metadata(&file).unwrap()), before);
        assert!(!leftover.exists());
    }

    #[test]
    fn a_missing_file_is_not_created_and_a_directory_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.env");
        assert!(matches!(
            set(&path, "K", "1"),
            Err(EnvFileError::Missing(_))
        ));
        assert!(!path.exists());
        let error = set(dir.path(), "K", "1").unwrap_err();
        assert!(matches!(error, EnvFileError::NotAFile(_)));
    }

    #[test]
    fn a_link_planted_by_somebody_else_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("real.env");
        fs::write(&file, "K=4\n").unwrap();
        let link = dir.path().join("link.env");
        symlink(&file, &link).unwrap();
        // Root plays the other user; anybody else is one to root's own files.
        if std::os::unix::fs::lchown(&link, Some(12_345), None).is_err() {
            fs::remove_file(&link).unwrap();
            symlink("/etc/passwd", &link).unwrap();
        }
        let error = set(&link, "K", "1").unwrap_err();
        assert!(matches!(error, EnvFileError::ForeignLink(_)), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "K=4\n");
    }
}
