//! The cards' own events: clock events, ECC errors, Xids.

use std::fmt;

use crate::device::SlowdownReason;
use crate::guard::Tick;
use crate::registry::Words;

use super::families::flag;
use super::per_gpu::PerGpu;
use super::samples::{each, reading};

/// Xid codes that exist at 0 from the start, because an alert on `increase()` misses the first
/// event of a series that comes with it: the codes of a broken card or a lost driver, and
/// 94 (contained ECC). NVIDIA's "GPU Deployment and Management Guide", Xid catalogue.
const XIDS: [u64; 9] = [48, 62, 64, 74, 79, 94, 95, 119, 120];

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    clock_events(gpus)?;
    ecc_errors(gpus)?;
    xids(gpus)
}

fn clock_events(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_clock_event_active",
        "1 while the card runs below its maximum clock for this reason (nvmlDeviceGetCurrentClocksEventReasons).",
        |gpu| gpu.seen().map(active).into_iter().flatten(),
    )?;
    gpus.counters(
        "thermal_guard_gpu_clock_event_seconds_total",
        "Time below the maximum clock for this reason, in seconds (NVML fields 74, 76 and 251 to 253, or 269 to 271 from driver 580.82).",
        |gpu| {
            reading(gpu, |reading| {
                let nanoseconds = reading.slow.slowdown_nanoseconds;
                let counted = SlowdownReason::TIMED.iter().zip(nanoseconds);
                counted.filter_map(|(reason, ns)| {
                    Some(([("reason", reason.name())], ns? as f64 / 1e9))
                })
            })
        },
    )
}

/// Every reason that the card can give, and one for those that have no name yet.
fn active(tick: &Tick) -> impl Iterator<Item = (Words<1>, u64)> {
    let reasons = tick.reading.slowdown_reasons.ok().into_iter();
    reasons.flat_map(|active| {
        let known = tick.facts.supported_reasons.union(active);
        known
            .iter()
            .map(move |reason| (reason.name(), active.contains(reason)))
            .chain([("unknown", active.has_unnamed)])
            .map(|(reason, active)| ([("reason", reason)], flag(active)))
    })
}

fn ecc_errors(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.counters(
        "thermal_guard_gpu_ecc_errors_total",
        "ECC errors since the driver was loaded (volatile) or in the card's life (aggregate) (nvmlDeviceGetTotalEccErrors).",
        |gpu| {
            reading(gpu, |reading| {
                let [volatile, aggregate] = ["volatile", "aggregate"];
                let (corrected, uncorrected) =
                    (reading.slow.ecc_corrected, reading.slow.ecc_uncorrected);
                let counts = [
                    ("corrected", volatile, corrected[0]),
                    ("corrected", aggregate, corrected[1]),
                    ("uncorrected", volatile, uncorrected[0]),
                    ("uncorrected", aggregate, uncorrected[1]),
                ];
                let counts = counts.into_iter();
                counts.filter_map(|(kind, scope, count)| {
                    Some(([("type", kind), ("scope", scope)], count?))
                })
            })
        },
    )
}

/// The guard counts them, so they stay when the card is gone.
fn xids(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.counters(
        "thermal_guard_gpu_xid_errors_total",
        "Critical errors that the driver has reported since the guard's start, by Xid code (nvmlEventSetWait_v2).",
        each(|tick| {
            let seen = &tick.counters.xids;
            let count = |xid: &u64| seen.get(xid).map_or(0, |seen| seen.count);
            let others = seen.keys().copied().filter(|xid| !XIDS.contains(xid));
            let codes = XIDS.into_iter().chain(others);
            codes.map(move |xid| ([("xid", xid)], count(&xid)))
        }),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_xid_last_timestamp_seconds",
        "When this Xid last came, in seconds since the Unix epoch (nvmlEventSetWait_v2).",
        each(|tick| {
            let seen = tick.counters.xids.iter();
            seen.map(|(&xid, seen)| ([("xid", xid)], seen.last.as_secs_f64()))
        }),
    )
}
