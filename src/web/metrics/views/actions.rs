//! The guard's throttles of each GPU, and the writes for them.

use std::fmt;

use crate::device::ClockDomain;
use crate::guard::Tick;
use crate::guard::outcomes::ActionResult;
use crate::policy::Trigger;
use crate::registry::Words;
use crate::units::{Megahertz, Watts};

use super::families::{flag, labelled};
use super::per_gpu::PerGpu;
use super::samples::{LEVELS, each, ticked};

/// Results that exist at 0 from the start, for every action: an alert on `increase()` misses the
/// first event of a series that comes with it. The others appear when they happen.
const RESULTS_FROM_START: [ActionResult; 4] = [
    ActionResult::Ok,
    ActionResult::NotTaken,
    ActionResult::NoPermission,
    ActionResult::Failed,
];

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    history(gpus)?;
    mishaps(gpus)?;
    actions(gpus)?;
    targets(gpus)
}

fn history(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.counters(
        "thermal_guard_throttle_events_total",
        "Throttles begun, by level and by trigger.",
        each(throttles),
    )?;
    gpus.counter(
        "thermal_guard_recoveries_total",
        "Throttles ended with everything given back.",
        ticked(|tick| Some(tick.counters.recoveries)),
    )?;
    gpus.counters(
        "thermal_guard_throttled_seconds_total",
        "Time under a throttle, in seconds.",
        each(|tick| {
            let throttled = LEVELS.iter().zip(tick.counters.throttled);
            throttled.map(|(level, time)| ([("level", level.name())], time.as_secs_f64()))
        }),
    )
}

fn throttles(tick: &Tick) -> impl Iterator<Item = (Words<2>, u64)> {
    let by_level = LEVELS.iter().zip(&tick.counters.throttles);
    by_level.flat_map(|(level, by_trigger)| {
        let triggers = Trigger::ALL.iter().zip(by_trigger);
        triggers.map(|(trigger, &count)| {
            let labels = [("level", level.name()), ("trigger", trigger.name())];
            (labels, count)
        })
    })
}

fn mishaps(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.counter(
        "thermal_guard_foreign_limits_total",
        "How often another program changed the power limit while the guard throttled the GPU.",
        ticked(|tick| Some(tick.counters.foreign_limits)),
    )?;
    gpus.counter(
        "thermal_guard_journal_failures_total",
        "How often the journal of values to give back couldn't be read or written.",
        ticked(|tick| Some(tick.counters.journal_failures)),
    )?;
    gpus.counter(
        "thermal_guard_gpu_reopened_total",
        "How often the GPU was lost and came back.",
        ticked(|tick| Some(tick.counters.reopened)),
    )
}

fn actions(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.counters(
        "thermal_guard_actions_total",
        "Writes to the GPU, by result.",
        each(outcomes),
    )?;
    gpus.gauges(
        "thermal_guard_action_active",
        "1 while a limit or lock of the guard is on the GPU, or its fans are set by the guard.",
        each(|tick| {
            let claimed = [
                ("power_limit", tick.claim.limit.is_some()),
                ("gpu_clock_lock", tick.claim.locks[ClockDomain::Gpu]),
                ("memory_clock_lock", tick.claim.locks[ClockDomain::Memory]),
                ("fan_speed", tick.claim.fans.any()),
            ];
            labelled("action", claimed.map(|(action, is)| (action, flag(is))))
        }),
    )
}

fn outcomes(tick: &Tick) -> impl Iterator<Item = (Words<2>, u64)> {
    let counts = tick.counters.actions.iter();
    let shown =
        counts.filter(|(_, result, count)| *count > 0 || RESULTS_FROM_START.contains(result));
    shown.map(|(action, result, count)| {
        let labels = [("action", action.name()), ("result", result.name())];
        (labels, count)
    })
}

fn targets(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_action_power_limit_target_watts",
        "Power limit that the guard wants, in watts; absent while it wants none.",
        ticked(|tick| tick.decision.targets.limit.map(Watts::as_f64)),
    )?;
    gpus.gauge(
        "thermal_guard_action_gpu_clock_target_hertz",
        "Highest SM clock that the guard wants, in hertz; absent while it wants no lock.",
        ticked(|tick| {
            let range = tick.decision.targets.locks[ClockDomain::Gpu];
            range.map(|range| Megahertz::hertz(range.max))
        }),
    )?;
    gpus.gauge(
        "thermal_guard_action_memory_clock_target_hertz",
        "Highest memory clock that the guard wants, in hertz; absent while it wants no lock.",
        ticked(|tick| {
            let range = tick.decision.targets.locks[ClockDomain::Memory];
            range.map(|range| Megahertz::hertz(range.max))
        }),
    )
}
