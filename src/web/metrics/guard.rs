//! What the guard thinks of each GPU. Ours, so it stays when a card is gone.

use std::fmt;

use crate::guard::Tick;
use crate::guard::tick::Permission;
use crate::policy::{Doubt, Level, State, Trips};
use crate::units::Celsius;
use crate::web::snapshot::{GpuView, Snapshot};

use super::actions;
use super::evidence;
use super::families::{Families, flag, one_hot};
use super::per_gpu::{PerGpu, Split};

/// Levels that are counted.
pub(super) const LEVELS: [Level; 2] = [Level::Gradual, Level::Emergency];

/// What every scrape gets.
pub(super) fn up(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_up",
        "1 while the GPU answers and its reading is fresh; without it, its readings are absent",
        |gpu| Some(flag(gpu.up)),
    )
}

pub(super) fn encode(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    heat(gpus)?;
    states(gpus)?;
    evidence::encode(gpus)?;
    conditions(gpus)?;
    actions::encode(gpus)
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
    gpus.gauges(
        "thermal_guard_sensor_doubt",
        "1 for the reason why the sensors aren't taken at their word, if there is one",
        "doubt",
        |gpu| match &gpu.tick {
            Some(tick) => {
                let doubt = tick.decision.doubt.map_or("none", Doubt::name);
                one_hot(Doubt::ALL.map(Doubt::name), doubt)
                    .map(|(name, value)| (name.into(), Some(value)))
                    .to_vec()
            }
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
    gpus.gauge(
        "thermal_guard_gpu_hung",
        "1 while a call into the driver for this GPU doesn't come back",
        |gpu| Some(flag(gpu.hung)),
    )?;
    gpus.counter(
        "thermal_guard_worker_restarts_total",
        "How often the GPU's control loop panicked and was started anew",
        |gpu| Some(gpu.panics as f64),
    )?;
    gpus.gauge(
        "thermal_guard_paused",
        "1 while an operator's pause has leases and gradual ignored",
        |gpu| gpu.tick.is_some().then_some(flag(gpu.paused)),
    )
}

/// Their ages grow from scrape to scrape.
pub(super) fn leases(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut gpus = PerGpu::new(families, &snapshot.gpus)?;
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

pub(super) fn polls(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
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

pub(super) fn ticked(value: impl Fn(&Tick) -> Option<f64>) -> impl Fn(&GpuView) -> Option<f64> {
    move |gpu| value(gpu.tick.as_deref()?)
}

pub(super) fn counted(count: impl Fn(&Tick) -> u64) -> impl Fn(&GpuView) -> Option<f64> {
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
