//! The text of an environment file with another value: where assignments are, as shells, systemd and
//! dotenv readers see them.

use std::ops::Range;

use super::EnvFileError;

/// The text with every assignment of `key` set to `value`, or with one appended. `None`: it is so
/// already. All of them, because readers differ in which one counts.
pub(super) fn edit(text: &[u8], key: &str, value: &str) -> Result<Option<Vec<u8>>, EnvFileError> {
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
}
