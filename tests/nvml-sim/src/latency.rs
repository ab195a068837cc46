//! How long calls of a real driver take, where that is worth noticing.
//!
//! One field report (RTX 5090, driver 610, median of calls from Python): sensors, clocks and reasons
//! answer within 3 µs, which is what a call costs here anyway; these don't.

use std::time::Duration;

use crate::fault::Feature;

/// What a call of that kind takes.
pub fn reported(feature: Feature) -> Duration {
    Duration::from_micros(match feature {
        // The limit was measured; setting it, and its relatives, are taken for the same.
        Feature::PowerLimit => 122,
        Feature::Fan => 400,
        Feature::MemoryTemperature => 1200,
        Feature::Energy => 2600,
        Feature::AveragePower => 3300,
        // Counts for a while before it answers.
        Feature::PcieThroughput => 21_000,
        _ => 0,
    })
}
