//! Quotes around a value: the file's own quotes stay.

use crate::apps::envfile::scan::Spot;

/// The value as a reader sees it, without the quotes.
pub(super) fn plain<'a>(text: &'a [u8], spot: &Spot) -> &'a [u8] {
    let inset = usize::from(spot.quoted);
    let inside = spot.value.start + inset..spot.value.end - inset;
    text.get(inside).unwrap_or_default()
}

/// The new value in the quotes of the old one.
pub(super) fn rendered(text: &[u8], spot: &Spot, value: &str) -> Vec<u8> {
    let old = text.get(spot.value.clone()).unwrap_or_default();
    in_quotes(quote_of(old), spot.spaced, value)
}

/// A quote that begins the value also ends it: other values are refused.
pub(super) fn quote_of(value: &[u8]) -> Option<u8> {
    let quote = value.first().filter(|_| value.len() > 1)?;
    matches!(quote, b'"' | b'\'').then_some(*quote)
}

pub(super) fn in_quotes(quote: Option<u8>, spaced: bool, value: &str) -> Vec<u8> {
    match quote {
        Some(quote) => [&[quote], value.as_bytes(), &[quote]].concat(),
        None => quoted_if_needed(value, spaced),
    }
}

/// The configuration accepts no value that would need escaping in quotes.
pub(super) fn quoted_if_needed(value: &str, spaced: bool) -> Vec<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/+@%=".contains(c);
    // After blanks, an empty value is none, and `a=b` is another assignment.
    let clear = !spaced || !(value.is_empty() || value.contains('='));
    if clear && value.chars().all(plain) {
        value.as_bytes().to_vec()
    } else {
        format!("\"{value}\"").into_bytes()
    }
}
