//! The original values of a file, and the guard's values in their place.

use crate::apps::envfile::scan::Spot;
use crate::config::EnvFileConfig;

use super::quotes::{plain, quote_of};

/// The values that were replaced, so that they can be restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The original of each assignment, quotes included, in order. Empty: there was none, and a line
    /// was added. `None`: unknown, for example after a guard that didn't record it; then the guard's
    /// values are replaced by the configured normal.
    pub originals: Option<Vec<Vec<u8>>>,
    /// The guard's values. Any other value was written by another program.
    pub ours: Vec<String>,
}

impl Taken {
    /// For a guard that recorded only that it changed the file.
    pub fn unknown(config: &EnvFileConfig) -> Self {
        Self {
            originals: None,
            ours: throttled(config).to_vec(),
        }
    }

    /// Combines this with the earlier record `before`, which this edit didn't know: where an earlier
    /// value of the guard was found, the earlier original counts.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        let is_theirs = |value: &Vec<u8>| {
            let inner = match quote_of(value) {
                Some(_) => value.get(1..value.len() - 1).unwrap_or_default(),
                None => value,
            };
            before.ours.iter().any(|ours| ours.as_bytes() == inner)
        };
        if let Some(found) = self.originals.as_mut() {
            match &before.originals {
                // An added line that is still the only one.
                Some(none) if none.is_empty() => {
                    if found.len() == 1 && found.iter().all(is_theirs) {
                        found.clear();
                    }
                }
                Some(originals) => {
                    let pairwise = originals.len() == found.len();
                    let mut next = originals.iter();
                    for value in found {
                        let in_order = if pairwise { next.next() } else { None };
                        if is_theirs(value)
                            && let Some(original) = in_order.or_else(|| next.next())
                        {
                            value.clone_from(original);
                        }
                    }
                }
                None => {
                    if !found.is_empty() && found.iter().all(is_theirs) {
                        self.originals = None;
                    }
                }
            }
        }
        for ours in &before.ours {
            if !self.ours.contains(ours) {
                self.ours.push(ours.clone());
            }
        }
        self
    }

    /// The original of each spot that has a value of the guard.
    pub(super) fn originals_of(&self, text: &[u8], spots: &[Spot]) -> Vec<Option<Original<'_>>> {
        let Some(originals) = &self.originals else {
            let unknown = |spot| self.owns(text, spot).then_some(Original::Unknown);
            return spots.iter().map(unknown).collect();
        };
        let pairwise = originals.len() == spots.len();
        // Another program has added or removed an assignment: the originals are matched in order.
        let mut next = originals.iter();
        let of = |(n, spot)| {
            if !self.owns(text, spot) {
                return None;
            }
            let known = if pairwise {
                originals.get(n)
            } else {
                next.next()
            };
            Some(known.map_or(Original::Unknown, |bytes| Original::Known(bytes)))
        };
        spots.iter().enumerate().map(of).collect()
    }

    pub(super) fn owns(&self, text: &[u8], spot: &Spot) -> bool {
        let value = plain(text, spot);
        self.ours.iter().any(|ours| ours.as_bytes() == value)
    }
}

#[derive(Clone, Copy)]
pub(super) enum Original<'a> {
    Known(&'a [u8]),
    Unknown,
}

fn throttled(config: &EnvFileConfig) -> [String; 2] {
    [config.gradual.clone(), config.emergency.clone()]
}
