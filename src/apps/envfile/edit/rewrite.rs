//! Sets the value and restores the original.

use std::iter::repeat;

use crate::config::EnvFileConfig;

use crate::apps::envfile::scan::{Refusal, Spot, Unclear, assignments, refusal};

use super::line::{added, append};
use super::quotes::{in_quotes, plain, quote_of, rendered};
use super::taken::{Original, Taken};

/// Sets every assignment to `value`, or adds one. Returns the text, and what must be restored later.
/// All assignments change, because readers differ in which one counts. A value that another program
/// wrote since `before` is the new original.
pub(crate) fn take(
    text: &[u8],
    config: &EnvFileConfig,
    value: &str,
    before: Option<&Taken>,
) -> Result<(Vec<u8>, Taken), Refusal> {
    let spots = assignments(text, &config.key)?;
    let mut taken = before.cloned().unwrap_or_default();
    let was_added = taken.originals.as_ref().is_some_and(Vec::is_empty);
    let without = if was_added {
        added(text, config, &taken)
    } else {
        None
    };
    if let (Some(without), true) = (&without, spots.len() > 1) {
        // Another program has added an assignment: the guard's line isn't needed any more.
        return take(without, config, value, before);
    }
    if without.is_none() {
        let originals = taken.originals_of(text, &spots);
        let original = |(spot, original): (&Spot, Option<Original<'_>>)| match original {
            Some(Original::Known(bytes)) => bytes.to_vec(),
            Some(Original::Unknown) => rendered(text, spot, &config.normal),
            None => text.get(spot.value.clone()).unwrap_or_default().to_vec(),
        };
        let originals = spots.iter().zip(originals).map(original).collect();
        taken.originals = Some(originals);
    }
    if !taken.ours.iter().any(|ours| ours == value) {
        taken.ours.push(value.to_owned());
    }
    let edited = if spots.is_empty() {
        append(text, &config.key, value)?
    } else {
        // In the original's quotes: the present value may have needed others.
        let originals = taken.originals.iter().flatten();
        let quotes = originals
            .map(|original| quote_of(original))
            .chain(repeat(None));
        let values = spots.iter().zip(quotes);
        let values = values.map(|(spot, quote)| Some(in_quotes(quote, spot.spaced, value)));
        replaced(text, &spots, values)
    };
    // Refuses an edit that wouldn't be readable afterwards, or couldn't be undone: a quoted value may
    // close a quote that was opened before it.
    let back = give_back(&edited, config, &taken);
    let is_undone = back.ok() == Some(give_back(text, config, &taken)?);
    if !is_undone || !reads(&edited, config, value, spots.len().max(1)) {
        let at = spots.first().map_or(text.len(), |spot| spot.value.start);
        return Err(refusal(text, Unclear::NotUndone, at));
    }
    Ok((edited, taken))
}

/// Whether the text has `count` assignments, all with this value.
fn reads(text: &[u8], config: &EnvFileConfig, value: &str, count: usize) -> bool {
    assignments(text, &config.key).is_ok_and(|spots| {
        let said = |spot| plain(text, spot) == value.as_bytes();
        spots.len() == count && spots.iter().all(said)
    })
}

/// Restores the original values where the guard's values still are.
pub(crate) fn give_back(
    text: &[u8],
    config: &EnvFileConfig,
    taken: &Taken,
) -> Result<Vec<u8>, Refusal> {
    let spots = assignments(text, &config.key)?;
    if taken.originals.as_ref().is_some_and(Vec::is_empty)
        && let Some(without) = added(text, config, taken)
    {
        return Ok(without);
    }
    let values = spots.iter().zip(taken.originals_of(text, &spots));
    let values = values.map(|(spot, original)| match original? {
        Original::Known(bytes) => Some(bytes.to_vec()),
        Original::Unknown => Some(rendered(text, spot, &config.normal)),
    });
    Ok(replaced(text, &spots, values))
}

/// Replaces each spot by its value; `None` keeps it.
fn replaced(text: &[u8], spots: &[Spot], values: impl Iterator<Item = Option<Vec<u8>>>) -> Vec<u8> {
    let mut edited = Vec::with_capacity(text.len());
    let mut kept = 0;
    for (spot, value) in spots.iter().zip(values) {
        let Some(value) = value else { continue };
        edited.extend_from_slice(text.get(kept..spot.value.start).unwrap_or_default());
        edited.extend_from_slice(&value);
        kept = spot.value.end;
    }
    edited.extend_from_slice(text.get(kept..).unwrap_or_default());
    edited
}
