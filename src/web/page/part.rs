//! What the page says, apart from how it looks: texts by their place on the page. The server
//! writes them into its markup, and the stream sends them to the script, which puts them into the
//! same places as text. So each wording exists once, and no string ever becomes markup.

use std::collections::BTreeMap;

use serde::Serialize;

/// A part of the page, and the parts in it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Part {
    /// What tells it from the others of its list while it changes.
    pub(super) key: String,
    /// What it is like, for the eye: a state, or one of [`Tone`]'s words.
    pub(super) tone: &'static str,
    /// Empty: there is nothing to say there.
    pub(super) texts: BTreeMap<&'static str, String>,
    /// Heights of a chart's lines.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) marks: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) lists: BTreeMap<&'static str, Vec<Part>>,
}

/// How bad something is.
#[derive(Clone, Copy)]
pub(super) enum Tone {
    Plain,
    Good,
    Notice,
    Bad,
}

impl Tone {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
        }
    }
}

impl Part {
    pub(super) fn new(key: impl Into<String>, tone: &'static str) -> Self {
        Self {
            key: key.into(),
            tone,
            ..Self::default()
        }
    }

    pub(super) fn text(mut self, place: &'static str, text: impl Into<String>) -> Self {
        self.texts.insert(place, text.into());
        self
    }

    pub(super) fn said(&self, place: &str) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    /// Absent is said by saying nothing.
    pub(super) fn maybe(self, place: &'static str, text: Option<String>) -> Self {
        self.text(place, text.unwrap_or_default())
    }

    pub(super) fn mark(mut self, line: &'static str, height: Option<f64>) -> Self {
        self.marks.extend(height.map(|height| (line, height)));
        self
    }

    pub(super) fn list(mut self, place: &'static str, parts: Vec<Self>) -> Self {
        self.lists.insert(place, parts);
        self
    }
}
