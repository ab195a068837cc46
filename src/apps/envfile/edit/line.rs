//! A line that the guard adds to a file that doesn't set the variable.

use crate::apps::envfile::scan::{Refusal, Unclear, assignments, refusal};
use crate::config::EnvFileConfig;

use super::quotes::quoted_if_needed;
use super::taken::Taken;

/// Adds a line in the file's own style: with CRLF or without, ended or not.
pub(super) fn append(text: &[u8], key: &str, value: &str) -> Result<Vec<u8>, Refusal> {
    let ends = |end: &[u8]| text.ends_with(end);
    if ends(b"\\") || ends(b"\\\n") || ends(b"\\\r\n") {
        return Err(refusal(text, Unclear::Unfinished, text.len()));
    }
    let closed = text.is_empty() || ends(b"\n");
    let (line, eol) = (line(key, value), eol(text));
    let parts = if closed {
        [&line[..], eol]
    } else {
        [eol, &line]
    };
    Ok([text, &parts.concat()].concat())
}

pub(super) fn line(key: &str, value: &str) -> Vec<u8> {
    [key.as_bytes(), b"=", &quoted_if_needed(value, false)].concat()
}

pub(super) fn eol(text: &[u8]) -> &'static [u8] {
    let crlf = text.windows(2).any(|pair| pair == b"\r\n");
    if crlf { b"\r\n" } else { b"\n" }
}

/// The text without the line that [`append`] added, wherever that line is now.
pub(super) fn added(text: &[u8], config: &EnvFileConfig, taken: &Taken) -> Option<Vec<u8>> {
    let spots = assignments(text, &config.key).ok()?;
    let mut ours = spots.iter().filter(|spot| taken.owns(text, spot));
    let spot = ours.next().filter(|_| ours.next().is_none())?;
    let before = text.get(..spot.value.start)?;
    let behind = text.get(spot.value.end..)?;
    let start = before.iter().rposition(|byte| *byte == b'\n');
    let start = start.map_or(0, |feed| feed + 1);
    let feed = behind.iter().position(|byte| *byte == b'\n');
    let end = feed.map_or(text.len(), |feed| spot.value.end + feed);
    let found = text.get(start..end)?;
    let found = found.strip_suffix(b"\r").unwrap_or(found);
    let is_added = |ours: &String| line(&config.key, ours) == found;
    if !taken.ours.iter().any(is_added) {
        return None;
    }
    let (above, below) = (text.get(..start)?, text.get(end + 1..).unwrap_or_default());
    if feed.is_some() {
        return Some([above, below].concat());
    }
    // The line before it had no end.
    let open = above
        .strip_suffix(b"\r\n")
        .or_else(|| above.strip_suffix(b"\n"));
    Some(open.unwrap_or(above).to_vec())
}
