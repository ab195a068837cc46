//! logfmt as Go's writers write it and all readers parse it: a value is bare, or a string in JSON's
//! quotes with JSON's escapes. (Rust's own escapes, as `\'` or `\u{1b}`, are none of those.)

use std::fmt::{self, Debug};
use std::time::UNIX_EPOCH;

use anstyle::Style;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::cli::style::{BAD, DIM, GOOD, WARN};
use crate::clock::Clock;

/// One event, one line.
pub(crate) struct Logfmt {
    pub(crate) timestamp: bool,
    /// For people at a terminal.
    pub(crate) coloured: bool,
}

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.timestamp {
            let now = humantime::format_rfc3339_millis(UNIX_EPOCH + Clock::unix());
            write!(writer, "ts={now} ")?;
        }
        let level = *event.metadata().level();
        let style = if self.coloured {
            style(level)
        } else {
            Style::new()
        };
        write!(writer, "level={style}{}{style:#}", name(level))?;
        let mut fields = Fields {
            writer: &mut writer,
            result: Ok(()),
        };
        event.record(&mut fields);
        fields.result?;
        writeln!(writer)
    }
}

const fn style(level: Level) -> Style {
    match level {
        Level::ERROR => BAD,
        Level::WARN => WARN,
        Level::INFO => GOOD,
        _ => DIM,
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Spans are of no use here, and nothing is kept of their fields.
pub(crate) struct Nothing;

impl<'w> FormatFields<'w> for Nothing {
    fn format_fields<R: RecordFields>(&self, _: Writer<'w>, _: R) -> fmt::Result {
        Ok(())
    }
}

struct Fields<'a, 'w> {
    writer: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Fields<'_, '_> {
    fn write(&mut self, key: &str, value: &str) {
        let mut write = || {
            self.writer.write_char(' ')?;
            for c in key.chars().filter(|&c| !is_odd(c)) {
                self.writer.write_char(c)?;
            }
            self.writer.write_char('=')?;
            write_value(self.writer, value)
        };
        let written = write();
        self.result = self.result.and(written);
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write(field.name(), &format!("{value:?}"));
    }
}

/// What doesn't stand in a bare value.
fn is_odd(c: char) -> bool {
    c <= ' ' || matches!(c, '=' | '"' | '\\' | char::REPLACEMENT_CHARACTER) || is_unseen(c)
}

/// Moves a cursor, or ends a line for some readers.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn write_value(to: &mut impl fmt::Write, value: &str) -> fmt::Result {
    // A bare nothing is read as a key without a value.
    if !value.is_empty() && !value.chars().any(is_odd) {
        return to.write_str(value);
    }
    to.write_char('"')?;
    for c in value.chars() {
        match c {
            '"' | '\\' => write!(to, "\\{c}")?,
            '\n' => to.write_str("\\n")?,
            '\r' => to.write_str("\\r")?,
            '\t' => to.write_str("\\t")?,
            c if is_unseen(c) => write!(to, "\\u{:04x}", u32::from(c))?,
            c => to.write_char(c)?,
        }
    }
    to.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> String {
        let mut text = String::new();
        write_value(&mut text, value).expect("a string takes all");
        text
    }

    #[test]
    fn values_are_bare_or_as_json_has_them() {
        for (value, wanted) in [
            ("plain", "plain"),
            ("can't", "can't"),
            ("", r#""""#),
            ("it can't be", r#""it can't be""#),
            ("a=b", r#""a=b""#),
            ("say \"no\"", r#""say \"no\"""#),
            (r"C:\x", r#""C:\\x""#),
            ("two\nlines\r\t", r#""two\nlines\r\t""#),
            ("\u{1b}[31m", r#""\u001b[31m""#),
            ("\0\u{7f}\u{85}\u{2028}", r#""\u0000\u007f\u0085\u2028""#),
            ("82 °C", r#""82 °C""#),
            ("µ", "µ"),
        ] {
            assert_eq!(written(value), wanted, "{value:?}");
        }
    }

    #[test]
    fn whatever_is_quoted_is_a_string_of_json() {
        for c in (0..=0x2100).filter_map(char::from_u32) {
            let value = format!("a {c} b");
            let read: String = serde_json::from_str(&written(&value)).expect("JSON");
            assert_eq!(read, value);
        }
    }
}
