//! The result for one card of one file.

use serde::Serialize;

use super::held::Held;
use super::run::Replayed;

/// One card of one file.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) card: String,
    #[serde(flatten)]
    pub(super) replayed: Replayed,
    /// With `--hold`: one for each lasting move.
    pub(super) held: Vec<Held>,
}

impl Row {
    /// A series that can be judged, and was judged wrongly.
    pub(super) fn is_wrong(&self) -> bool {
        self.replayed.judged && (self.replayed.is_wrong() || self.held.iter().any(Held::is_late))
    }
}
