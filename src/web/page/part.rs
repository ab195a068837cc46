//! The page's content without its markup: texts by their place on the page. The server writes them
//! into its markup, and the stream sends them to the script, which puts them into the same places as
//! text. So each wording exists once, and no string from a sender becomes markup.

use std::collections::BTreeMap;

use serde::Serialize;

/// A part of the page, and the parts in it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Part {
    /// Identifies it in its list while its texts change.
    pub(crate) key: String,
    /// Decides colour and shape: the name of a state or of a [`Tone`].
    pub(crate) tone: &'static str,
    /// An empty text leaves its place empty.
    pub(crate) texts: BTreeMap<&'static str, String>,
    /// Heights of the horizontal lines in its charts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) marks: BTreeMap<&'static str, f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) lists: BTreeMap<&'static str, Vec<Part>>,
}

/// How bad something is.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Plain,
    Good,
    Notice,
    Bad,
}

impl Tone {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Bad => "bad",
        }
    }
}

impl Part {
    pub(crate) fn new(key: impl Into<String>, tone: &'static str) -> Self {
        Self {
            key: key.into(),
            tone,
            ..Self::default()
        }
    }

    pub(crate) fn text(mut self, place: &'static str, text: impl Into<String>) -> Self {
        self.texts.insert(place, text.into());
        self
    }

    pub(crate) fn text_of(&self, place: &str) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    /// `None` leaves the place empty.
    pub(crate) fn maybe(self, place: &'static str, text: Option<String>) -> Self {
        self.text(place, text.unwrap_or_default())
    }

    pub(crate) fn mark(mut self, line: &'static str, height: Option<f64>) -> Self {
        self.marks.extend(height.map(|height| (line, height)));
        self
    }

    pub(crate) fn list(mut self, place: &'static str, parts: Vec<Self>) -> Self {
        self.lists.insert(place, parts);
        self
    }
}
