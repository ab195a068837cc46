//! The width of people's terminals: text goes over to the next line between words, and tables leave out
//! columns. Where standard output is no terminal, lines are as long as they are, unless `COLUMNS` says a
//! width.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use anstream::adapter::strip_str;

/// Narrower ones are treated as this wide: nothing is readable there anyway.
const LEAST: usize = 40;

/// Text beside something has at least this room, or begins on a line of its own.
const ROOM: usize = 32;

/// The indent of such a line.
const BELOW: usize = 6;

/// How wide lines may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width(Option<usize>);

impl Width {
    /// As wide as it gets.
    pub(super) const ANY: Self = Self(None);

    /// Of standard output.
    pub(super) fn of_stdout() -> Self {
        Self::of_terminal(io::stdout())
    }

    /// Of standard error.
    pub(super) fn of_stderr() -> Self {
        Self::of_terminal(io::stderr())
    }

    fn of_terminal(out: impl IsTerminal + AsFd) -> Self {
        let said = env::var("COLUMNS").ok().and_then(|it| it.parse().ok());
        let seen = || {
            let is_one = out.is_terminal();
            let size = is_one.then(|| terminal_size::terminal_size_of(out));
            size.flatten().map(|(width, _)| usize::from(width.0))
        };
        let columns = said.or_else(seen).filter(|columns| *columns > 0);
        Self(columns.map(|columns| columns.max(LEAST)))
    }

    pub(super) fn columns_or(self, usual: usize) -> usize {
        self.0.unwrap_or(usual)
    }

    pub(super) fn at_most(self, most: usize) -> Self {
        Self(Some(self.columns_or(most).min(most)))
    }

    /// Whether a line of so many characters fits.
    pub(super) fn has_room_for(self, columns: usize) -> bool {
        self.0.is_none_or(|width| columns <= width)
    }

    /// Lines of the text, each after `indent` and with its end.
    pub(super) fn paragraph(self, indent: &str, text: &str) -> String {
        let width = self.columns_or(usize::MAX).saturating_sub(indent.len());
        let lines = wrapped(text, width);
        let mut paragraph = String::new();
        for line in lines {
            paragraph.extend([indent, &line, "\n"]);
        }
        paragraph
    }

    /// The text beside `used` characters, its further lines under its first one. Without a line's end.
    pub(super) fn beside(self, used: usize, text: &str) -> String {
        let Some(width) = self.0 else {
            return text.to_owned();
        };
        if used + length(text) <= width {
            return text.to_owned();
        }
        let (begin, indent) = if used + ROOM <= width {
            (String::new(), used)
        } else {
            (format!("\n{:BELOW$}", ""), BELOW)
        };
        let lines = wrapped(text, width - indent);
        begin + &lines.join(&format!("\n{:indent$}", ""))
    }
}

/// Without the colours in it.
fn length(text: &str) -> usize {
    strip_str(text).to_string().chars().count()
}

/// Words that aren't parted from the number before them.
const UNITS: [&str; 9] = ["°C", "°F", "W", "%", "s", "min", "h", "MHz", "K/W"];

/// A number and its unit are one word.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches([',', ';', '.', ':', ')']);
        match words.last_mut() {
            Some(number) if UNITS.contains(&bare) => {
                number.push(' ');
                number.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Lines of whole words. A word that is longer than a line has one of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words(text) {
        let length = length(&word);
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(&word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
impl Width {
    pub(super) const fn of(columns: usize) -> Self {
        Self(Some(columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_a_long_one_has_its_line() {
        let text = "a card of 400 W, /a/very/long/path/that/nobody/can/break 78 °C";
        assert_eq!(
            wrapped(text, 12),
            [
                "a card of",
                "400 W,",
                "/a/very/long/path/that/nobody/can/break",
                "78 °C"
            ]
        );
        assert_eq!(wrapped("", 12), [""]);
    }

    #[test]
    fn text_stands_beside_or_where_there_is_no_room_below() {
        let text = "one two three four five six seven eight nine";
        assert_eq!(Width::ANY.beside(70, text), text);
        assert_eq!(Width::of(80).beside(10, text), text);
        let beside = Width::of(50).beside(10, text);
        assert_eq!(
            beside,
            "one two three four five six seven eight\n          nine"
        );
        let below = Width::of(50).beside(40, text);
        assert_eq!(
            below,
            "\n      one two three four five six seven eight nine"
        );
    }
}
