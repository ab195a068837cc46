//! Reads the answer of Prometheus' query API as it arrives. A month of a fleet doesn't fit into memory
//! as text, so one series is held at a time.

use std::io::Read;

use super::bytes::{Bytes, Torn};
use super::json::{elements, members, number, skip, string};

/// A series: labels in the order of the answer, and its samples.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answered {
    pub(super) labels: Vec<(String, String)>,
    /// Milliseconds since 1970, and the value.
    pub(super) samples: Vec<(i64, f64)>,
}

impl Answered {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What an answer says beside its series.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Aside {
    pub(super) success: bool,
    pub(super) error: Option<String>,
    /// A server that answers in part says so here.
    pub(super) warnings: Vec<String>,
}

/// Longer ones are cut: they are shown, not used.
const LONGEST_SHOWN: usize = 300;
const MOST_WARNINGS: usize = 5;

/// Reads a vector or a matrix, and gives each series to `each`.
pub(super) fn read(from: impl Read, mut each: impl FnMut(&mut Answered)) -> Result<Aside, Torn> {
    let mut bytes = Bytes::new(from);
    let mut aside = Aside::default();
    members(&mut bytes, |bytes, key| match key {
        "status" => {
            aside.success = string(bytes)? == "success";
            Ok(())
        }
        "error" => {
            aside.error = Some(shown(&string(bytes)?));
            Ok(())
        }
        "warnings" | "infos" if bytes.peek_token()? == b'[' => elements(bytes, |bytes| {
            let text = shown(&string(bytes)?);
            if key == "warnings" && aside.warnings.len() < MOST_WARNINGS {
                aside.warnings.push(text);
            }
            Ok(())
        }),
        "data" if bytes.peek_token()? == b'{' => members(bytes, |bytes, key| match key {
            "result" if bytes.peek_token()? == b'[' => elements(bytes, |bytes| {
                let mut answered = series(bytes)?;
                each(&mut answered);
                Ok(())
            }),
            _ => skip(bytes),
        }),
        // Label sets of /api/v1/series.
        "data" if bytes.peek_token()? == b'[' => elements(bytes, |bytes| {
            let mut answered = Answered {
                labels: labels(bytes)?,
                ..Answered::default()
            };
            each(&mut answered);
            Ok(())
        }),
        _ => skip(bytes),
    })?;
    Ok(aside)
}

fn shown(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_control())
        .take(LONGEST_SHOWN)
        .collect()
}

fn series<R: Read>(bytes: &mut Bytes<R>) -> Result<Answered, Torn> {
    let mut answered = Answered::default();
    members(bytes, |bytes, key| match key {
        "metric" => {
            answered.labels = labels(bytes)?;
            Ok(())
        }
        "values" => elements(bytes, |bytes| {
            answered.samples.push(sample(bytes)?);
            Ok(())
        }),
        "value" => {
            answered.samples.push(sample(bytes)?);
            Ok(())
        }
        _ => skip(bytes),
    })?;
    Ok(answered)
}

fn labels<R: Read>(bytes: &mut Bytes<R>) -> Result<Vec<(String, String)>, Torn> {
    let mut labels = Vec::new();
    members(bytes, |bytes, key| {
        labels.push((key.to_owned(), string(bytes)?));
        Ok(())
    })?;
    Ok(labels)
}

/// `[1700000000.123,"45.5"]`
#[inline]
fn sample<R: Read>(bytes: &mut Bytes<R>) -> Result<(i64, f64), Torn> {
    bytes.expect(b'[')?;
    bytes.peek_token()?;
    let seconds = number(bytes)?;
    bytes.expect(b',')?;
    bytes.expect(b'"')?;
    let value = number(bytes)?;
    bytes.expect(b'"')?;
    bytes.expect(b']')?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds fit, and a float cast saturates"
    )]
    Ok(((seconds * 1e3).round() as i64, value))
}

#[cfg(test)]
mod tests;
