//! Gets the samples of all GPUs: a few GPUs at a time, and of those a piece of the period at a time, so
//! that neither this program nor the server holds much of it.

use crate::backtest::history::History;

use super::batch::Batch;
use super::client::{Client, QueryError};
use super::discover::{GpuSeries, selector};
use super::plan::{Fetched, Plan};

/// Rows that are held while they are fetched; 16 bytes each.
const HELD_ROWS: f64 = 2_000_000.0;
/// More UUIDs would make the URL longer than some proxies take.
const MOST_GPUS: usize = 16;

/// Fetches all GPUs, and gives each history to `each` once it is complete.
pub fn fetch(
    client: &mut Client,
    plan: &Plan,
    gpus: &[GpuSeries],
    mut each: impl FnMut(History),
) -> Result<Fetched, QueryError> {
    let mut fetched = Fetched::default();
    let mut rest = gpus;
    let mut known: Option<(&str, f64)> = None;
    while let Some(first) = rest.first() {
        let alike =
            |gpu: &&GpuSeries| gpu.family.name == first.family.name && gpu.label == first.label;
        let interval = match known {
            Some((family, interval)) if family == first.family.name => interval,
            _ => scrape_interval(client, plan, first)?,
        };
        known = Some((first.family.name, interval));
        let rows = (plan.end - plan.start) / interval;
        let most = whole(HELD_ROWS / rows).clamp(1, MOST_GPUS);
        let batch = rest.iter().take(most).take_while(alike).count();
        let (now, later) = rest.split_at(batch.max(1));
        rest = later;
        let mut work = Batch {
            client,
            plan,
            gpus: now,
            interval,
            fetched: &mut fetched,
        };
        work.run()?.into_iter().for_each(&mut each);
    }
    Ok(fetched)
}

/// Seconds between two scrapes, as counted over an hour at three places of the period.
fn scrape_interval(client: &mut Client, plan: &Plan, gpu: &GpuSeries) -> Result<f64, QueryError> {
    const HOUR: f64 = 3600.0;
    const UNKNOWN: f64 = 15.0;
    let name = gpu.family.temperature();
    let query = format!(
        "max(count_over_time({}[1h]))",
        selector(name, &[&plan.matching])
    );
    for place in [1.0, 0.5, 0.1] {
        let at = plan.start + (plan.end - plan.start) * place;
        let mut most = 0.0_f64;
        client.patiently(|client| {
            client.query(&query, at, |answered| {
                let counts = answered.samples.iter().map(|(_, count)| *count);
                most = counts.fold(most, f64::max);
            })
        })?;
        if most >= 2.0 {
            return Ok((HOUR / most).clamp(0.5, 600.0));
        }
    }
    Ok(UNKNOWN)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small count"
)]
fn whole(count: f64) -> usize {
    count.max(0.0) as usize
}
