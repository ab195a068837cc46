//! Parsers of single configuration values. Each error says which values are accepted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use serde_json::Value;

use crate::units::{Celsius, Ratio};

use super::hint;
use super::shown::{bare, is_harmless, quoted};

/// A value that doesn't fit its key.
pub(crate) struct Wrong {
    pub(crate) problem: String,
    pub(crate) accepted: String,
}

impl Wrong {
    pub(crate) fn new(problem: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            accepted: accepted.into(),
        }
    }

    /// The plain case: this value isn't that.
    pub(crate) fn of(value: &Value, accepted: impl Into<String>) -> Self {
        Self::new(describe(value), accepted)
    }
}

/// A value as part of a sentence: "is 5", "is a list".
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "is empty".to_owned(),
        Value::Array(_) => "is a list".to_owned(),
        Value::Object(_) => "is a mapping".to_owned(),
        Value::String(text) => format!("is {}", quoted(text)),
        Value::Bool(_) => format!("is {value}"),
        Value::Number(number) => format!("is {}", bare(&number.to_string())),
    }
}

pub(crate) fn boolean(value: &Value) -> Result<bool, Wrong> {
    value
        .as_bool()
        .ok_or_else(|| Wrong::of(value, "true or false"))
}

/// One of a few words. `true` and `false` are words, too.
pub(crate) fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&Value) -> Result<T, Wrong> {
    move |value| {
        let word = match value {
            Value::String(word) => word.as_str(),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            _ => "",
        };
        let found = choices.iter().find(|(name, _)| *name == word);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            Wrong::of(value, names.join(", "))
        })
    }
}

/// Either the word `auto` (`None`), or a value that `parse` accepts.
pub(crate) fn or_auto<T>(
    parse: impl Fn(&Value) -> Result<T, Wrong>,
) -> impl Fn(&Value) -> Result<Option<T>, Wrong> {
    move |value| match value {
        Value::String(word) if word == "auto" => Ok(None),
        other => parse(other).map(Some).map_err(|wrong| Wrong {
            accepted: format!("auto, or {}", wrong.accepted),
            ..wrong
        }),
    }
}

/// A duration with its unit.
pub(crate) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&Value) -> Result<Duration, Wrong> {
    move |value| {
        let accepted = || {
            let (from, to) = (range.start(), range.end());
            format!(
                "a duration from {} to {}, such as \"30s\"",
                humantime::format_duration(*from),
                humantime::format_duration(*to)
            )
        };
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => {
                return Err(Wrong::new(
                    format!("is {} without a unit", bare(&number.to_string())),
                    accepted(),
                ));
            }
            other => return Err(Wrong::of(other, accepted())),
        };
        // The reader's own complaint repeats the text.
        let duration = humantime::parse_duration(text).map_err(|_| Wrong::of(value, accepted()))?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            Err(Wrong::of(value, accepted()))
        }
    }
}

/// A temperature of the core sensor.
pub(crate) fn celsius(range: RangeInclusive<f64>) -> impl Fn(&Value) -> Result<Celsius, Wrong> {
    move |value| {
        let degrees = value.as_f64().filter(|degrees| range.contains(degrees));
        degrees.map(Celsius::new).ok_or_else(|| {
            let (from, to) = (range.start(), range.end());
            let hint = hint::degrees(value, &range);
            Wrong::of(value, format!("a number of °C from {from} to {to}{hint}"))
        })
    }
}

/// A fraction over 0 and at most 1.
pub(crate) fn fraction(value: &Value) -> Result<Ratio, Wrong> {
    let fraction = value.as_f64().filter(|share| *share > 0.0 && *share <= 1.0);
    fraction.map(Ratio::new).ok_or_else(|| {
        let hint = hint::share(value);
        Wrong::of(value, format!("a fraction over 0, at most 1{hint}"))
    })
}

/// A whole number.
pub(crate) fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&Value) -> Result<T, Wrong>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |value| {
        let number = value.as_i64().and_then(|number| T::try_from(number).ok());
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (from, to) = (range.start(), range.end());
                Wrong::of(value, format!("a whole number from {from} to {to}"))
            })
    }
}

/// Non-empty text of one line.
pub(crate) fn text(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_control) => {
            Ok(text.clone())
        }
        other => Err(Wrong::of(other, "text of one line")),
    }
}

/// 1 to `max` characters out of an alphabet.
pub(crate) fn word(
    max: usize,
    allowed: fn(char) -> bool,
    accepted: &'static str,
) -> impl Fn(&Value) -> Result<String, Wrong> {
    move |value| match value {
        Value::String(word) if (1..=max).contains(&word.len()) && word.chars().all(allowed) => {
            Ok(word.clone())
        }
        other => Err(Wrong::of(other, format!("1 to {max} of {accepted}"))),
    }
}

/// A name that becomes a label of the metrics.
pub(crate) fn label(value: &Value) -> Result<String, Wrong> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    word(64, allowed, "A-Z a-z 0-9 _ - .")(value)
}

/// A non-empty list.
pub(crate) fn list<T>(
    parse: impl Fn(&Value) -> Result<T, Wrong>,
) -> impl Fn(&Value) -> Result<Vec<T>, Wrong> {
    move |value| match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(&parse).collect(),
        Value::Array(_) => Err(Wrong::new("is an empty list", "at least one entry")),
        other => Err(Wrong::of(other, "a list")),
    }
}

/// Like [`list`], but an empty list counts as none.
pub(crate) fn list_or_none<T>(
    parse: impl Fn(&Value) -> Result<T, Wrong>,
) -> impl Fn(&Value) -> Result<Vec<T>, Wrong> {
    move |value| match value {
        Value::Array(items) if items.is_empty() => Ok(Vec::new()),
        other => list(&parse)(other),
    }
}

/// A path; a relative path counts from `dir`, the directory of the configuration file.
pub(crate) fn path(dir: &Path) -> impl Fn(&Value) -> Result<PathBuf, Wrong> {
    move |value| match text(value) {
        Ok(path) => Ok(dir.join(path)),
        Err(_) => Err(Wrong::of(value, "a path")),
    }
}

/// Like [`path`], for a file that holds a secret. A value that looks like the secret itself is refused:
/// as a path, it would appear in every message about that file.
pub(crate) fn secret_file(dir: &Path) -> impl Fn(&Value) -> Result<PathBuf, Wrong> {
    move |value| {
        let parsed = path(dir)(value)?;
        match value.as_str() {
            Some(text) if is_secret(text) => Err(Wrong::new(
                "looks like the secret itself",
                "the path of a file that holds it (of one in this directory: ./NAME)",
            )),
            _ => Ok(parsed),
        }
    }
}

/// Whether the text looks like a secret: one piece that is long, or in which letters and digits
/// alternate; or text with blanks that contains an odd piece of 12 characters or more, as if a line had
/// been joined to the previous one.
fn is_secret(text: &str) -> bool {
    if text.contains(' ') {
        let odd = |piece: &str| piece.len() >= 12 && !is_harmless(piece);
        return text.split([' ', '/']).any(odd);
    }
    let one_piece = !text.contains(['/', '.']) && text.len() >= 16;
    one_piece && (text.len() >= 32 || !is_harmless(text))
}

/// An http or https URL without credentials: those would end up in logs.
pub(crate) fn url(value: &Value) -> Result<String, Wrong> {
    let accepted = "an http:// or https:// URL";
    let text = text(value).map_err(|_| Wrong::of(value, accepted))?;
    if host_part(&text).contains('@') {
        // Checked first: no other message may repeat the password.
        let problem = "carries a user name or password";
        return Err(Wrong::new(problem, "a URL without them"));
    }
    let accepted = format!("{accepted}{}", hint::scheme(&text));
    let uri: Uri = match text.parse() {
        Ok(uri) => uri,
        Err(error) => {
            let problem = format!("{} ({error})", describe(value));
            return Err(Wrong::new(problem, accepted));
        }
    };
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) if !host.is_empty() => Ok(text),
        _ => Err(Wrong::of(value, accepted)),
    }
}

/// The part between the slashes and the path, well-formed or not.
pub(crate) fn host_part(url: &str) -> &str {
    let after = url.split_once("//").map_or(url, |(_, after)| after);
    after.split(['/', '?', '#']).next().unwrap_or_default()
}
