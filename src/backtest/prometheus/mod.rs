//! History from a Prometheus that runs already, or from another server with its query API (Thanos,
//! Mimir, `VictoriaMetrics`). It only reads: [`client`] asks, one request at a time and not too often;
//! [`answer`] reads the answer as it comes; [`family`] knows the exporters' names; [`discover`] finds the
//! GPUs; [`fetch`] gets their samples, a [`batch`] of them at a time, by [`plan`], and tells of those that it
//! couldn't get; [`fold`] packs them.

mod answer;
mod batch;
mod bytes;
mod client;
mod discover;
mod family;
mod fetch;
mod fold;
mod json;
mod plan;

pub use crate::disk::login::Login;
pub use client::{Client, QueryError, SetupError, Target};
pub use discover::{Found, GpuSeries, discover};
pub use fetch::fetch;
pub use plan::{Fetched, Gap, Plan};

/// For `fuzzing`: the series and samples of an answer.
pub(crate) fn count(body: &[u8]) -> Option<(usize, usize)> {
    let (mut series, mut samples) = (0, 0);
    let aside = answer::read(body, |answered| {
        series += 1;
        samples += answered.samples.len();
    });
    aside.ok().map(|_| (series, samples))
}
