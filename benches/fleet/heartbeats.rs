//! Did each guard get each of its heartbeats? By the age of the last one at every scrape, as
//! Prometheus kept it.

use crate::fleet::Fleet;

/// Alertmanager repeats a heartbeat after 15 to 20 s and Prometheus looks each 5 s: an age past that
/// is one that didn't come.
const LONGEST_AGE: f64 = 25.0;

pub(crate) struct Heartbeats {
    /// How many came, and to how many guards.
    pub(crate) came: f64,
    pub(crate) guards: usize,
    /// Guards that missed one.
    pub(crate) missed: usize,
    pub(crate) oldest: f64,
    /// Guards that gave the chain up.
    pub(crate) fallbacks: usize,
}

/// Since then, in seconds since 1970.
pub(crate) fn heard(fleet: &Fleet, since: f64) -> Heartbeats {
    let window = format!("{:.0}s", Fleet::now() - since);
    let beat = "thermal_guard_heartbeat_last_timestamp_seconds";
    let age = format!("max_over_time((timestamp({beat}) - {beat})[{window}:5s])");
    let ages: Vec<_> = fleet
        .chain
        .query(&age)
        .iter()
        .map(|sample| sample.value)
        .collect();
    let fallback = format!("max_over_time(thermal_guard_fallback_active[{window}]) > 0");
    let came = format!("sum(changes({beat}[{window}]))");
    Heartbeats {
        came: fleet
            .chain
            .query(&came)
            .first()
            .map_or(0.0, |sample| sample.value),
        guards: ages.len(),
        missed: ages.iter().filter(|age| **age > LONGEST_AGE).count(),
        oldest: ages.iter().copied().fold(0.0, f64::max),
        fallbacks: fleet.count(&fallback),
    }
}
