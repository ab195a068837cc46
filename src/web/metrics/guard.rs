//! What the guard thinks and does. Ours, so it stays when a card is gone.

use std::fmt;

use crate::guard::Tick;
use crate::guard::tally::{Action, ActionResult};
use crate::guard::tick::Permission;
use crate::policy::{Level, State, Trigger, Trips};
use crate::units::{Celsius, Megahertz, Watts};
use crate::web::exposition::{GpuView, Snapshot};

use super::families::{Families, flag, one_hot};
use super::per_gpu::{PerGpu, Split};
use super::service;

/// Results that exist at 0 from the start, for every action: an alert on `increase()` misses the
/// first event of a series that comes with it. The others appear when they happen.
const RESULTS_FROM_START: [ActionResult; 4] = [
    ActionResult::Ok,
    ActionResult::NotTaken,
    ActionResult::NoPermission,
    ActionResult::Failed,
];

/// Levels that are counted.
const LEVELS: [Level; 2] = [Level::Gradual, Level::Emergency];

/// What every scrape gets.
pub(super) fn basics(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    service::basics(families, snapshot)?;
    PerGpu { families, snapshot }.gauge(
        "thermal_guard_gpu_up",
        "1 while the GPU answers and its reading is fresh; without it, its readings are absent",
        |gpu| Some(flag(gpu.up)),
    )
}

pub(super) fn encode(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut gpus = PerGpu { families, snapshot };
    heat(&mut gpus)?;
    states(&mut gpus)?;
    conditions(&mut gpus)?;
    history(&mut gpus)?;
    actions(&mut gpus)?;
    leases(&mut gpus)?;
    polls(&mut gpus)?;
    service::encode(families, snapshot)
}

fn heat(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_trip_celsius",
        "Core temperature in degrees Celsius at which the guard acts, in force now",
        "trip",
        |gpu| match gpu.seen().and_then(|tick| tick.trips) {
            Some(Trips {
                alert,
                critical,
                safe,
            }) => degrees([("alert", alert), ("critical", critical), ("safe", safe)]),
            None => Split::new(),
        },
    )?;
    gpus.gauge(
        "thermal_guard_margin_to_alert_celsius",
        "Degrees Celsius to the alert trip, smallest over all sensors; negative past it",
        |gpu| Some(gpu.seen()?.decision.heat?.to_alert.degrees()),
    )?;
    gpus.gauge(
        "thermal_guard_margin_to_critical_celsius",
        "Degrees Celsius to the critical trip, smallest over all sensors; negative past it",
        |gpu| Some(gpu.seen()?.decision.heat?.to_critical.degrees()),
    )
}

fn states(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_state",
        "1 for the state the GPU is in",
        "state",
        |gpu| match &gpu.tick {
            Some(tick) => one_hot(State::ALL.map(State::name), tick.decision.state.name())
                .map(|(name, value)| (name.into(), Some(value)))
                .to_vec(),
            None => Split::new(),
        },
    )?;
    gpus.gauge(
        "thermal_guard_level",
        "How hard the GPU is held: 0 not, 1 gradual, 2 emergency",
        ticked(|tick| Some(rank(tick.decision.level))),
    )?;
    gpus.gauges(
        "thermal_guard_throttle_level",
        "What each source asks for: 0 nothing, 1 gradual, 2 emergency",
        "source",
        |gpu| match &gpu.tick {
            Some(tick) => {
                let asks = tick.decision.asks;
                [
                    ("local", asks.local),
                    ("alert", asks.alert),
                    ("manual", asks.manual),
                ]
                .map(|(source, level)| (source.into(), Some(rank(level))))
                .to_vec()
            }
            None => Split::new(),
        },
    )?;
    gpus.gauge(
        "thermal_guard_last_transition_timestamp_seconds",
        "When the state last changed, in seconds since the Unix epoch",
        ticked(|tick| Some(tick.changed.as_secs_f64())),
    )
}

fn conditions(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_cannot_actuate",
        "1 while the guard may not write to the GPU and only exports it",
        ticked(|tick| Some(flag(tick.permission == Permission::Denied))),
    )?;
    gpus.gauge(
        "thermal_guard_infeasible",
        "1 while not even the coldest rung holds the GPU under its set point",
        ticked(|tick| Some(flag(tick.decision.infeasible))),
    )?;
    gpus.gauge(
        "thermal_guard_contested",
        "1 while somebody else keeps setting higher limits",
        ticked(|tick| Some(flag(tick.decision.contested))),
    )?;
    gpus.gauge(
        "thermal_guard_overheld",
        "1 while leases are not obeyed because they have held the GPU for max_hold",
        ticked(|tick| Some(flag(tick.decision.overheld))),
    )?;
    let now = gpus.snapshot.now;
    gpus.gauge(
        "thermal_guard_paused",
        "1 while an operator's pause has leases and gradual ignored",
        ticked(|tick| Some(flag(tick.paused_until.is_some_and(|until| now < until)))),
    )
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
        "Times the journal of what to give back could not be written",
        counted(|tick| tick.tally.journal_failures),
    )?;
    gpus.counter(
        "thermal_guard_gpu_reopened_total",
        "Times the GPU was lost and came back",
        counted(|tick| tick.tally.reopened),
    )
}

fn throttles(tick: &Tick) -> Vec<([&'static str; 2], f64)> {
    let by_level = LEVELS.iter().zip(&tick.tally.throttles);
    by_level
        .flat_map(|(level, by_trigger)| {
            let triggers = Trigger::ALL.iter().zip(by_trigger);
            triggers.map(|(trigger, &count)| ([level.name(), trigger.name()], count as f64))
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

fn outcomes(tick: &Tick) -> Vec<([&'static str; 2], f64)> {
    let by_action = Action::ALL.iter().zip(&tick.tally.actions);
    by_action
        .flat_map(|(action, by_result)| {
            let results = ActionResult::ALL.iter().zip(by_result);
            results
                .filter(|(result, count)| **count > 0 || RESULTS_FROM_START.contains(result))
                .map(|(result, &count)| ([action.name(), result.name()], count as f64))
        })
        .collect()
}

fn leases(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    let snapshot = gpus.snapshot;
    gpus.gauges(
        "thermal_guard_leases",
        "Live leases, of alerts and operators",
        "level",
        |gpu| {
            LEVELS
                .map(|level| {
                    let uuid = &gpu.identity.uuid;
                    let leases = snapshot.leases_on(uuid);
                    let count = leases.filter(|held| held.lease.level == level).count();
                    (level.name().into(), Some(count as f64))
                })
                .to_vec()
        },
    )?;
    gpus.gauge(
        "thermal_guard_lease_age_seconds",
        "Age of the oldest live lease in seconds; absent without one",
        |gpu| {
            let leases = snapshot.leases_on(&gpu.identity.uuid);
            let oldest = leases.map(|held| held.lease.since).min();
            oldest.map(|since| snapshot.now.since(since).as_secs_f64())
        },
    )
}

fn polls(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_poll_last_success_timestamp_seconds",
        "When the GPU last gave a temperature, in seconds since the Unix epoch",
        ticked(|tick| Some(tick.last_success?.as_secs_f64())),
    )?;
    gpus.gauge(
        "thermal_guard_poll_duration_seconds",
        "How long the last poll, decision and writes took in seconds",
        ticked(|tick| Some(tick.poll_duration.as_secs_f64())),
    )?;
    gpus.counter(
        "thermal_guard_poll_failures_total",
        "Polls without a temperature",
        counted(|tick| tick.tally.read_failures),
    )
}

fn ticked(value: impl Fn(&Tick) -> Option<f64>) -> impl Fn(&GpuView) -> Option<f64> {
    move |gpu| value(gpu.tick.as_deref()?)
}

fn counted(count: impl Fn(&Tick) -> u64) -> impl Fn(&GpuView) -> Option<f64> {
    ticked(move |tick| Some(count(tick) as f64))
}

fn rank(level: Level) -> f64 {
    match level {
        Level::None => 0.0,
        Level::Gradual => 1.0,
        Level::Emergency => 2.0,
    }
}

fn degrees<const N: usize>(values: [(&'static str, Celsius); N]) -> Split {
    values
        .map(|(name, value)| (name.into(), Some(value.degrees())))
        .to_vec()
}
