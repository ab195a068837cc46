//! What the guard has done to each GPU, and does.

use std::fmt;

use crate::guard::Tick;
use crate::guard::tally::{Action, ActionResult};
use crate::policy::Trigger;
use crate::units::{Megahertz, Watts};

use super::families::flag;
use super::guard::{LEVELS, counted, ticked};
use super::per_gpu::{Pairs, PerGpu, Split};

/// Results that exist at 0 from the start, for every action: an alert on `increase()` misses the
/// first event of a series that comes with it. The others appear when they happen.
const RESULTS_FROM_START: [ActionResult; 4] = [
    ActionResult::Ok,
    ActionResult::NotTaken,
    ActionResult::NoPermission,
    ActionResult::Failed,
];

pub(super) fn encode(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    history(gpus)?;
    actions(gpus)
}

fn history(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.pairs(
        "thermal_guard_throttle_events_total",
        "Throttles begun, by level and by who brought them about",
        ["level", "trigger"],
        |gpu| gpu.tick.as_deref().map(throttles).unwrap_or_default(),
    )?;
    gpus.counter(
        "thermal_guard_recoveries_total",
        "Throttles ended with everything given back",
        counted(|tick| tick.tally.recoveries),
    )?;
    gpus.counters(
        "thermal_guard_throttled_seconds_total",
        "Seconds the GPU was held",
        "level",
        |gpu| match &gpu.tick {
            Some(tick) => LEVELS
                .iter()
                .zip(tick.tally.throttled)
                .map(|(level, held)| (level.name().into(), Some(held.as_secs_f64())))
                .collect(),
            None => Split::new(),
        },
    )?;
    gpus.counter(
        "thermal_guard_foreign_limits_total",
        "Times somebody else changed the power limit while the guard held it",
        counted(|tick| tick.tally.foreign_limits),
    )?;
    gpus.counter(
        "thermal_guard_journal_failures_total",
        "Times the journal of what to give back could not be read or written",
        counted(|tick| tick.tally.journal_failures),
    )?;
    gpus.counter(
        "thermal_guard_gpu_reopened_total",
        "Times the GPU was lost and came back",
        counted(|tick| tick.tally.reopened),
    )
}

fn throttles(tick: &Tick) -> Pairs {
    let by_level = LEVELS.iter().zip(&tick.tally.throttles);
    by_level
        .flat_map(|(level, by_trigger)| {
            let triggers = Trigger::ALL.iter().zip(by_trigger);
            triggers.map(|(trigger, &count)| {
                let pair = [level.name().into(), trigger.name().into()];
                (pair, count as f64)
            })
        })
        .collect()
}

fn actions(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.pairs(
        "thermal_guard_actions_total",
        "Writes to the GPU, by how they went",
        ["action", "result"],
        |gpu| gpu.tick.as_deref().map(outcomes).unwrap_or_default(),
    )?;
    gpus.gauges(
        "thermal_guard_action_active",
        "1 while something of ours is on the GPU",
        "action",
        |gpu| match &gpu.tick {
            Some(tick) => [
                ("power_limit", tick.claim.limit.is_some()),
                ("gpu_clock_lock", tick.claim.gpu_clock),
                ("memory_clock_lock", tick.claim.memory_clock),
            ]
            .map(|(action, ours)| (action.into(), Some(flag(ours))))
            .to_vec(),
            None => Split::new(),
        },
    )?;
    gpus.gauge(
        "thermal_guard_action_power_limit_target_watts",
        "Power limit the guard wants in watts; absent while it wants none",
        ticked(|tick| tick.decision.targets.limit.map(Watts::as_f64)),
    )?;
    gpus.gauge(
        "thermal_guard_action_gpu_clock_target_hertz",
        "Highest SM clock the guard wants in hertz; absent while it wants no lock",
        ticked(|tick| {
            let range = tick.decision.targets.gpu_clock;
            range.map(|range| Megahertz::hertz(range.max))
        }),
    )?;
    gpus.gauge(
        "thermal_guard_action_memory_clock_target_hertz",
        "Highest memory clock the guard wants in hertz; absent while it wants no lock",
        ticked(|tick| {
            let range = tick.decision.targets.memory_clock;
            range.map(|range| Megahertz::hertz(range.max))
        }),
    )
}

fn outcomes(tick: &Tick) -> Pairs {
    let by_action = Action::ALL.iter().zip(&tick.tally.actions);
    by_action
        .flat_map(|(action, by_result)| {
            let results = ActionResult::ALL.iter().zip(by_result);
            results
                .filter(|(result, count)| **count > 0 || RESULTS_FROM_START.contains(result))
                .map(|(result, &count)| {
                    let pair = [action.name().into(), result.name().into()];
                    (pair, count as f64)
                })
        })
        .collect()
}
