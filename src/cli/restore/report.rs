//! What `restore` prints.

use std::fmt::{Display, Write as _};

/// The text for people, and whether something is kept.
#[derive(Default)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) is_kept: bool,
}

impl Report {
    pub(super) fn with(mut self, line: impl Display) -> Self {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{line}");
        self
    }

    pub(super) fn about(self, what: impl Display, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(text) => self.with(format!("{what}: {text}")),
            Outcome::Kept(text) => self.keeping(format!("{what}: {text}")),
        }
    }

    pub(super) fn keeping(self, line: impl Display) -> Self {
        Self {
            is_kept: true,
            ..self.with(line)
        }
    }
}

/// The outcome for one GPU, or for the applications.
pub(super) enum Outcome {
    Done(String),
    Kept(String),
}
