//! The text of an environment file with another value, and with the one before again: byte for byte
//! what it was.

use std::iter::repeat;

use crate::config::EnvFileConfig;

use super::scan::{Refusal, Spot, Unclear, assignments, refusal};

/// What was taken out of a file, so that it can be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What stood at each assignment, quotes included, in their order. Empty: there was none, and a
    /// line was added. `None`: not known, as after a guard that didn't write it down; then what is ours
    /// goes back to the configured normal.
    pub originals: Option<Vec<Vec<u8>>>,
    /// The values that were put there instead. Whatever else stands there, somebody else wrote.
    pub ours: Vec<String>,
}

impl Taken {
    /// By a guard that left no more than that it did.
    pub fn unknown(config: &EnvFileConfig) -> Self {
        Self {
            originals: None,
            ours: throttled(config).to_vec(),
        }
    }

    /// The same by somebody who has taken more since `before`, without knowing of it: where that one's
    /// values stood, its originals count.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        let is_theirs = |value: &Vec<u8>| {
            let inner = match quote_of(value) {
                Some(_) => value.get(1..value.len() - 1).unwrap_or_default(),
                None => value,
            };
            before.ours.iter().any(|ours| ours.as_bytes() == inner)
        };
        if let Some(found) = self.originals.as_mut() {
            match &before.originals {
                // A line that was added, and still is all there is.
                Some(none) if none.is_empty() => {
                    if found.len() == 1 && found.iter().all(is_theirs) {
                        found.clear();
                    }
                }
                Some(originals) => {
                    let pairwise = originals.len() == found.len();
                    let mut next = originals.iter();
                    for value in found {
                        let in_order = if pairwise { next.next() } else { None };
                        if is_theirs(value)
                            && let Some(original) = in_order.or_else(|| next.next())
                        {
                            value.clone_from(original);
                        }
                    }
                }
                None => {
                    if !found.is_empty() && found.iter().all(is_theirs) {
                        self.originals = None;
                    }
                }
            }
        }
        for ours in &before.ours {
            if !self.ours.contains(ours) {
                self.ours.push(ours.clone());
            }
        }
        self
    }

    /// The original of each spot, if what stands there is ours.
    fn originals_of(&self, text: &[u8], spots: &[Spot]) -> Vec<Option<Original<'_>>> {
        let Some(originals) = &self.originals else {
            let unknown = |spot| self.owns(text, spot).then_some(Original::Unknown);
            return spots.iter().map(unknown).collect();
        };
        let pairwise = originals.len() == spots.len();
        // Somebody has added or removed an assignment: ours are taken in their order.
        let mut next = originals.iter();
        let of = |(n, spot)| {
            if !self.owns(text, spot) {
                return None;
            }
            let known = if pairwise {
                originals.get(n)
            } else {
                next.next()
            };
            Some(known.map_or(Original::Unknown, |bytes| Original::Known(bytes)))
        };
        spots.iter().enumerate().map(of).collect()
    }

    fn owns(&self, text: &[u8], spot: &Spot) -> bool {
        let value = plain(text, spot);
        self.ours.iter().any(|ours| ours.as_bytes() == value)
    }
}

#[derive(Clone, Copy)]
enum Original<'a> {
    Known(&'a [u8]),
    Unknown,
}

fn throttled(config: &EnvFileConfig) -> [String; 2] {
    [config.gradual.clone(), config.emergency.clone()]
}

/// The text with every assignment set to `value`, or with one added; and what is to be put back.
/// All of them, because readers differ in which one counts. What somebody else wrote since `before`
/// is the original from now on.
pub(crate) fn take(
    text: &[u8],
    config: &EnvFileConfig,
    value: &str,
    before: Option<&Taken>,
) -> Result<(Vec<u8>, Taken), Refusal> {
    let spots = assignments(text, &config.key)?;
    let mut taken = before.cloned().unwrap_or_default();
    let was_added = taken.originals.as_ref().is_some_and(Vec::is_empty);
    let without = if was_added {
        added(text, config, &taken)
    } else {
        None
    };
    if let (Some(without), true) = (&without, spots.len() > 1) {
        // Somebody has written one beside it: the line isn't needed any more.
        return take(without, config, value, before);
    }
    if without.is_none() {
        let originals = taken.originals_of(text, &spots);
        let original = |(spot, original): (&Spot, Option<Original<'_>>)| match original {
            Some(Original::Known(bytes)) => bytes.to_vec(),
            Some(Original::Unknown) => rendered(text, spot, &config.normal),
            None => text.get(spot.value.clone()).unwrap_or_default().to_vec(),
        };
        let originals = spots.iter().zip(originals).map(original).collect();
        taken.originals = Some(originals);
    }
    if !taken.ours.iter().any(|ours| ours == value) {
        taken.ours.push(value.to_owned());
    }
    let edited = if spots.is_empty() {
        append(text, &config.key, value)?
    } else {
        // In the quotes of the original: what stands there now may have needed some.
        let originals = taken.originals.iter().flatten();
        let quotes = originals
            .map(|original| quote_of(original))
            .chain(repeat(None));
        let values = spots.iter().zip(quotes);
        let values = values.map(|(spot, quote)| Some(in_quotes(quote, spot.spaced, value)));
        replaced(text, &spots, values)
    };
    // What can't be seen afterwards, or undone, isn't done: a value in quotes may close a quote that was
    // open before it.
    let back = give_back(&edited, config, &taken);
    let is_undone = back.ok() == Some(give_back(text, config, &taken)?);
    if !is_undone || !reads(&edited, config, value, spots.len().max(1)) {
        let at = spots.first().map_or(text.len(), |spot| spot.value.start);
        return Err(refusal(text, Unclear::NotUndone, at));
    }
    Ok((edited, taken))
}

/// Whether so many assignments are there, and all say so.
fn reads(text: &[u8], config: &EnvFileConfig, value: &str, count: usize) -> bool {
    assignments(text, &config.key).is_ok_and(|spots| {
        let said = |spot| plain(text, spot) == value.as_bytes();
        spots.len() == count && spots.iter().all(said)
    })
}

/// The text with what stood there before, where it is still ours.
pub(crate) fn give_back(
    text: &[u8],
    config: &EnvFileConfig,
    taken: &Taken,
) -> Result<Vec<u8>, Refusal> {
    let spots = assignments(text, &config.key)?;
    if taken.originals.as_ref().is_some_and(Vec::is_empty)
        && let Some(without) = added(text, config, taken)
    {
        return Ok(without);
    }
    let values = spots.iter().zip(taken.originals_of(text, &spots));
    let values = values.map(|(spot, original)| match original? {
        Original::Known(bytes) => Some(bytes.to_vec()),
        Original::Unknown => Some(rendered(text, spot, &config.normal)),
    });
    Ok(replaced(text, &spots, values))
}

/// Each spot with its value, or as it is.
fn replaced(text: &[u8], spots: &[Spot], values: impl Iterator<Item = Option<Vec<u8>>>) -> Vec<u8> {
    let mut edited = Vec::with_capacity(text.len());
    let mut kept = 0;
    for (spot, value) in spots.iter().zip(values) {
        let Some(value) = value else { continue };
        edited.extend_from_slice(text.get(kept..spot.value.start).unwrap_or_default());
        edited.extend_from_slice(&value);
        kept = spot.value.end;
    }
    edited.extend_from_slice(text.get(kept..).unwrap_or_default());
    edited
}

/// What a reader gets: without the quotes.
fn plain<'a>(text: &'a [u8], spot: &Spot) -> &'a [u8] {
    let inset = usize::from(spot.quoted);
    let inside = spot.value.start + inset..spot.value.end - inset;
    text.get(inside).unwrap_or_default()
}

/// The new value in the quotes of the old one.
fn rendered(text: &[u8], spot: &Spot, value: &str) -> Vec<u8> {
    let old = text.get(spot.value.clone()).unwrap_or_default();
    in_quotes(quote_of(old), spot.spaced, value)
}

/// One that begins a value ends it, too: others are refused.
fn quote_of(value: &[u8]) -> Option<u8> {
    let quote = value.first().filter(|_| value.len() > 1)?;
    matches!(quote, b'"' | b'\'').then_some(*quote)
}

fn in_quotes(quote: Option<u8>, spaced: bool, value: &str) -> Vec<u8> {
    match quote {
        Some(quote) => [&[quote], value.as_bytes(), &[quote]].concat(),
        None => quoted_if_needed(value, spaced),
    }
}

/// The configuration admits nothing that would need escaping inside quotes.
fn quoted_if_needed(value: &str, spaced: bool) -> Vec<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/+@%=".contains(c);
    // Behind blanks, nothing is no value, and `a=b` another assignment.
    let clear = !spaced || !(value.is_empty() || value.contains('='));
    if clear && value.chars().all(plain) {
        value.as_bytes().to_vec()
    } else {
        format!("\"{value}\"").into_bytes()
    }
}

/// One more line, in the file's own manner: CRLF or not, closed at the end or not.
fn append(text: &[u8], key: &str, value: &str) -> Result<Vec<u8>, Refusal> {
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

fn line(key: &str, value: &str) -> Vec<u8> {
    [key.as_bytes(), b"=", &quoted_if_needed(value, false)].concat()
}

fn eol(text: &[u8]) -> &'static [u8] {
    let crlf = text.windows(2).any(|pair| pair == b"\r\n");
    if crlf { b"\r\n" } else { b"\n" }
}

/// The text without the line that [`append`] added, wherever it stands by now.
fn added(text: &[u8], config: &EnvFileConfig, taken: &Taken) -> Option<Vec<u8>> {
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
    // Added to a last line that wasn't closed.
    let open = above
        .strip_suffix(b"\r\n")
        .or_else(|| above.strip_suffix(b"\n"));
    Some(open.unwrap_or(above).to_vec())
}

#[cfg(test)]
mod tests;
