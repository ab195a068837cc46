//! How the JSON report writes times and durations.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serializer;

pub(crate) fn rfc3339<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + *at))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(crate) fn tenths<S: Serializer>(seconds: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((seconds * 10.0).round() / 10.0)
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
pub(crate) fn some_tenths<S: Serializer>(seconds: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => tenths(seconds, to),
        None => to.serialize_none(),
    }
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
pub(crate) fn optional_rfc3339<S: Serializer>(
    at: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, to),
        None => to.serialize_none(),
    }
}
