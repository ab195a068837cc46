//! What scrapes were told before. A part of the exposition is written anew when what it is made from
//! has changed, and only then: ticks come once a second, scrapers whenever they like.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;

use crate::web::snapshot::Snapshot;

use super::families::Families;
use super::parts::PARTS;
use super::{Collect, Format};

/// Bytes by which a part may be longer than the last time without being moved.
const MORE: usize = 256;

/// The parts as last written, in both formats.
#[derive(Default)]
pub struct Memo {
    open: [Option<Said>; PARTS.len()],
    classic: [Option<Said>; PARTS.len()],
}

/// The text of a part, and the moment that it tells of.
struct Said {
    of: Arc<Snapshot>,
    text: Bytes,
}

impl Memo {
    /// The text of one scrape, in pieces.
    pub(super) fn parts(
        &mut self,
        snapshot: Snapshot,
        collect: Collect,
        format: Format,
    ) -> Result<Vec<Bytes>, fmt::Error> {
        let snapshot = Arc::new(snapshot);
        let said = match format {
            Format::OpenMetrics => &mut self.open,
            Format::Classic => &mut self.classic,
        };
        let mut texts = Vec::with_capacity(PARTS.len() + 1);
        let parts = PARTS.iter().zip(said);
        for (part, said) in parts.filter(|(part, _)| part.is_wanted(collect)) {
            let holds = |said: &Said| part.says_the_same(&said.of, &snapshot);
            if !said.as_ref().is_some_and(holds) {
                let before = said.as_ref().map_or(0, |said| said.text.len());
                let mut text = String::with_capacity(before + MORE);
                part.encode(&mut Families::new(&mut text, format), &snapshot)?;
                *said = Some(Said {
                    of: Arc::clone(&snapshot),
                    text: text.into(),
                });
            }
            texts.extend(said.as_ref().map(|said| said.text.clone()));
        }
        if format == Format::OpenMetrics {
            texts.push(Bytes::from_static(b"# EOF\n"));
        }
        Ok(texts)
    }

    /// The same in one piece.
    pub fn render(
        &mut self,
        snapshot: Snapshot,
        collect: Collect,
        format: Format,
    ) -> Result<String, fmt::Error> {
        let parts = self.parts(snapshot, collect, format)?;
        String::from_utf8(parts.concat()).map_err(|_| fmt::Error)
    }
}
