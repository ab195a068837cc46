//! Colours for people at a terminal. They are always written; [`super::output::say`] removes them if
//! standard output isn't a terminal, or if `NO_COLOR` is set.

use anstyle::{AnsiColor, Style};

pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Removes control characters, so that outside text can't move the terminal's cursor. Words on two lines
/// stay two words.
pub(super) fn plain(text: &str) -> String {
    let spaced = text.chars().map(|c| if c == '\n' { ' ' } else { c });
    spaced.filter(|c| !c.is_control()).collect()
}
