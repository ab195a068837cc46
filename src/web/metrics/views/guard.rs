//! The guard's judgement of each GPU. It stays when a card is gone.

use std::fmt;

use crate::guard::tick::Permission;
use crate::policy::{Doubt, Level, State, Trips};
use crate::web::snapshot::Snapshot;

use super::families::{flag, labelled, one_hot};
use super::per_gpu::PerGpu;
use super::samples::{LEVELS, each, ticked};

/// Part of every scrape.
pub(crate) fn up(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_up",
        "1 while the GPU answers and its reading is fresh; otherwise its readings are absent.",
        |gpu| Some(flag(gpu.up)),
    )
}

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    heat(gpus)?;
    states(gpus)?;
    levels(gpus)?;
    conditions(gpus)?;
    firmware(gpus)?;
    worker(gpus)
}

fn heat(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_trip_celsius",
        "Core temperature in degrees Celsius at which the guard acts, in force now.",
        |gpu| {
            let trips = gpu.seen().and_then(|tick| tick.trips);
            let points = trips.map(|trips| {
                let Trips {
                    alert,
                    critical,
                    safe,
                } = trips;
                let points = [("alert", alert), ("critical", critical), ("safe", safe)];
                labelled("trip", points.map(|(trip, at)| (trip, at.degrees())))
            });
            points.into_iter().flatten()
        },
    )?;
    gpus.gauge(
        "thermal_guard_margin_to_alert_celsius",
        "Degrees Celsius to the alert trip, the smallest of all sensors; negative past it.",
        |gpu| Some(gpu.seen()?.decision.heat?.to_alert.degrees()),
    )?;
    gpus.gauge(
        "thermal_guard_margin_to_critical_celsius",
        "Degrees Celsius to the critical trip, the smallest of all sensors; negative past it.",
        |gpu| Some(gpu.seen()?.decision.heat?.to_critical.degrees()),
    )
}

fn states(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_state",
        "1 for the state of the GPU.",
        each(|tick| one_hot("state", State::ALL, State::name, tick.decision.state)),
    )?;
    gpus.gauges(
        "thermal_guard_sensor_doubt",
        "1 for the reason why the guard doubts the sensors, if there is one.",
        each(|tick| one_hot("doubt", Doubt::ALL, Doubt::name, tick.decision.doubt)),
    )?;
    gpus.gauge(
        "thermal_guard_last_transition_timestamp_seconds",
        "When the state last changed, in seconds since the Unix epoch.",
        ticked(|tick| Some(tick.changed.as_secs_f64())),
    )
}

fn levels(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_level",
        "How hard the guard throttles the GPU: 0 not, 1 gradual, 2 emergency.",
        ticked(|tick| Some(rank(tick.decision.level))),
    )?;
    gpus.gauges(
        "thermal_guard_throttle_level",
        "The level that each source asks for: 0 none, 1 gradual, 2 emergency.",
        each(|tick| {
            let asks = tick.decision.asks;
            let sources = [
                ("local", asks.local),
                ("alert", asks.alert),
                ("manual", asks.manual),
            ];
            labelled(
                "source",
                sources.map(|(source, level)| (source, rank(level))),
            )
        }),
    )
}

fn conditions(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_cannot_actuate",
        "1 while the guard may not write to the GPU and only exports it.",
        ticked(|tick| Some(flag(tick.permission == Permission::Denied))),
    )?;
    gpus.gauge(
        "thermal_guard_infeasible",
        "1 while even the coldest rung doesn't keep the GPU under its set point.",
        ticked(|tick| Some(flag(tick.decision.infeasible))),
    )?;
    gpus.gauge(
        "thermal_guard_contested",
        "1 while another program keeps setting higher limits.",
        ticked(|tick| Some(flag(tick.decision.contested))),
    )?;
    gpus.gauge(
        "thermal_guard_overheld",
        "1 while the guard ignores leases because they have throttled the GPU for max_hold.",
        ticked(|tick| Some(flag(tick.decision.overheld))),
    )?;
    gpus.gauge(
        "thermal_guard_paused",
        "1 while an operator's pause makes the guard ignore leases and gradual throttles.",
        |gpu| gpu.tick.is_some().then_some(flag(gpu.paused)),
    )
}

fn firmware(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_firmware_acts_first_celsius",
        "Core temperature in degrees Celsius at which the card slows itself down, if that is below the alert trip; absent if the guard acts first.",
        |gpu| Some(gpu.seen()?.decision.firmware.acts_first?.degrees()),
    )?;
    gpus.gauge(
        "thermal_guard_firmware_slowdown",
        "1 while the card slows itself down for heat and the guard holds nothing.",
        |gpu| Some(flag(gpu.seen()?.decision.firmware.slowdown.is_some())),
    )?;
    gpus.counter(
        "thermal_guard_firmware_slowdowns_total",
        "How often the card slowed itself down for heat while the guard held nothing.",
        ticked(|tick| Some(tick.counters.own_slowdowns)),
    )?;
    gpus.counter(
        "thermal_guard_firmware_slowdown_seconds_total",
        "How long the card slowed itself down for heat while the guard held nothing, in seconds.",
        ticked(|tick| Some(tick.counters.own_slowdown.as_secs_f64())),
    )
}

fn worker(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_hung",
        "1 while a driver call for this GPU doesn't return.",
        |gpu| Some(flag(gpu.hung)),
    )?;
    gpus.counter(
        "thermal_guard_worker_restarts_total",
        "How often the GPU's control loop panicked and was started again.",
        |gpu| Some(gpu.panics),
    )?;
    gpus.gauge(
        "thermal_guard_poll_last_success_timestamp_seconds",
        "When a temperature of the GPU was last read, in seconds since the Unix epoch.",
        ticked(|tick| Some(tick.last_success?.as_secs_f64())),
    )?;
    gpus.gauge(
        "thermal_guard_poll_duration_seconds",
        "How long the last poll, decision and writes took, in seconds.",
        ticked(|tick| Some(tick.poll_duration.as_secs_f64())),
    )?;
    gpus.counter(
        "thermal_guard_poll_failures_total",
        "Polls without a temperature.",
        ticked(|tick| Some(tick.counters.read_failures)),
    )
}

pub(crate) fn leases(gpus: &mut PerGpu<'_, '_>, snapshot: &Snapshot) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_leases",
        "Live leases, of alerts and operators.",
        |gpu| {
            let count = |level| {
                let leases = snapshot.leases_on(&gpu.identity.uuid);
                leases.filter(|held| held.lease.level == level).count() as u64
            };
            labelled("level", LEVELS.map(|level| (level.name(), count(level))))
        },
    )?;
    gpus.gauge(
        "thermal_guard_lease_age_seconds",
        "Age of the oldest live lease, in seconds; absent without one.",
        |gpu| {
            let leases = snapshot.leases_on(&gpu.identity.uuid);
            let oldest = leases.map(|held| held.lease.since).min();
            oldest.map(|since| snapshot.now.since(since).as_secs_f64())
        },
    )
}

fn rank(level: Level) -> u64 {
    match level {
        Level::None => 0,
        Level::Gradual => 1,
        Level::Emergency => 2,
    }
}
