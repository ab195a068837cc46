//! What happens to the cards: clock events, ECC errors, Xids.

use std::fmt;

use crate::device::clock_events::{CountedEvent, REASONS};
use crate::guard::Tick;

use super::families::flag;
use super::gpu::reading;
use super::per_gpu::{Pairs, PerGpu, Split};

/// Xid codes that exist at 0 from the start, because an alert on `increase()` misses the first
/// event of a series that comes with it: the ones that mean a broken card or a lost driver, and
/// 94 (contained ECC). NVIDIA's "GPU Deployment and Management Guide", Xid catalogue.
const XIDS: [u64; 9] = [48, 62, 64, 74, 79, 94, 95, 119, 120];

pub(super) fn encode(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    clock_events(gpus)?;
    health(gpus)
}

fn clock_events(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_clock_event_active",
        "1 while the card runs below its maximum clock for this reason (nvmlDeviceGetCurrentClocksEventReasons)",
        "reason",
        |gpu| gpu.seen().map(active).unwrap_or_default(),
    )?;
    gpus.counters(
        "thermal_guard_gpu_clock_event_seconds_total",
        "Seconds spent below the maximum clock for this reason (NVML fields 74, 76 and 251 to 253, or 269 to 271 from driver 580.82)",
        "reason",
        |gpu| {
            reading(gpu, |reading| {
                let nanoseconds = reading.slow.event_nanoseconds.iter();
                CountedEvent::ALL
                    .iter()
                    .zip(nanoseconds)
                    .map(|(event, &ns)| (event.name().into(), ns.map(|ns| ns as f64 / 1e9)))
                    .collect()
            })
        },
    )
}

/// Every reason the card can give, and one for those nobody has a name for yet.
fn active(tick: &Tick) -> Split {
    let Ok(events) = tick.reading.events else {
        return Split::new();
    };
    let known = tick.facts.supported_events.union(events).bits();
    REASONS
        .iter()
        .filter(|(bit, _)| known & bit != 0)
        .map(|(bit, name)| ((*name).into(), Some(flag(events.bits() & bit != 0))))
        .chain([("unknown".into(), Some(flag(events.unknown() != 0)))])
        .collect()
}

fn health(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.pairs(
        "thermal_guard_gpu_ecc_errors_total",
        "ECC errors, since the driver was loaded (volatile) or ever (aggregate) (nvmlDeviceGetTotalEccErrors)",
        ["type", "scope"],
        |gpu| gpu.seen().map(ecc).unwrap_or_default(),
    )?;
    // Counted by us, so they outlive the card.
    gpus.counters(
        "thermal_guard_gpu_xid_errors_total",
        "Critical errors the driver reported since the guard's start, by Xid code (nvmlEventSetWait_v2)",
        "xid",
        |gpu| {
            let Some(tick) = &gpu.tick else {
                return Split::new();
            };
            let mut counts = XIDS.map(|xid| (xid, 0)).to_vec();
            for (&xid, seen) in tick.tally.xids.iter() {
                match counts.iter_mut().find(|(code, _)| *code == xid) {
                    Some((_, count)) => *count = seen.count,
                    None => counts.push((xid, seen.count)),
                }
            }
            counts
                .into_iter()
                .map(|(xid, count)| (xid.to_string().into(), Some(count as f64)))
                .collect()
        },
    )?;
    gpus.gauges(
        "thermal_guard_gpu_xid_last_timestamp_seconds",
        "When this Xid last came, in seconds since the Unix epoch (nvmlEventSetWait_v2)",
        "xid",
        |gpu| {
            let xids = gpu.tick.iter().flat_map(|tick| tick.tally.xids.iter());
            xids.map(|(xid, seen)| (xid.to_string().into(), Some(seen.last.as_secs_f64())))
                .collect()
        },
    )
}

fn ecc(tick: &Tick) -> Pairs {
    let slow = &tick.reading.slow;
    let types = [
        ("corrected", slow.ecc_corrected),
        ("uncorrected", slow.ecc_uncorrected),
    ];
    types
        .into_iter()
        .flat_map(|(kind, counts)| {
            ["volatile", "aggregate"]
                .into_iter()
                .zip(counts)
                .filter_map(move |(scope, count)| {
                    Some(([kind.into(), scope.into()], count? as f64))
                })
        })
        .collect()
}
