//! The service around the control loops: build, mode, driver, alert chain, leases, applications.

use std::fmt;

use crate::config::Mode;
use crate::policy::ChainState;
use crate::web::snapshot::{AppView, Snapshot};

use super::families::{Families, flag, labelled, one_hot};

/// Part of every scrape.
pub(crate) fn basics(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let (build, service) = (&snapshot.build, &snapshot.service);
    families.info(
        "thermal_guard_build_info",
        "Version, source revision and compiler of this thermal-guard.",
        [[
            ("version", build.version),
            ("revision", build.revision),
            ("rustc", build.rustc),
        ]],
    )?;
    families.gauge(
        "thermal_guard_mode",
        "1 for the mode in force: enforce, or observe, which writes nothing.",
        one_hot("mode", Mode::ALL, Mode::name, service.mode),
    )?;
    families.single(
        "thermal_guard_simulated",
        "1 if the GPUs are simulated.",
        Some(flag(service.simulated)),
    )?;
    families.single(
        "thermal_guard_nvml_up",
        "1 while the driver answers.",
        Some(flag(snapshot.driver.up)),
    )
}

pub(crate) fn encode(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    driver(families, snapshot)?;
    chain(families, snapshot)?;
    let endings = snapshot.endings;
    families.counter(
        "thermal_guard_lease_expirations_total",
        "Leases ended, by reason: their time to live ran out, the alert was resolved, or others evicted them.",
        labelled(
            "reason",
            [
                ("ttl", endings.expired),
                ("resolved", endings.resolved),
                ("evicted", endings.evicted),
            ],
        ),
    )?;
    apps(families, &snapshot.service.apps)?;
    families.single(
        "thermal_guard_last_scrape_timestamp_seconds",
        "When the scrape before this one came, in seconds since the Unix epoch.",
        snapshot.last_scrape.map(|at| at.as_secs_f64()),
    )
}

fn driver(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.single(
        "thermal_guard_gpus",
        "GPUs under guard.",
        Some(snapshot.gpus.len() as u64),
    )?;
    families.single(
        "thermal_guard_gpus_expected",
        "GPUs that should be under guard: as many as the driver counts, or `gpus` lists.",
        Some(snapshot.driver.expected as u64),
    )?;
    families.total(
        "thermal_guard_nvml_initializations_total",
        "How often the driver was found, at the start or again.",
        Some(snapshot.driver.initializations),
    )?;
    families.single(
        "thermal_guard_detached",
        "1 while the guard has released the driver because an operator asked for it.",
        Some(flag(snapshot.detached)),
    )
}

fn chain(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let chain = &snapshot.chain;
    families.gauge(
        "thermal_guard_chain_state",
        "1 for the state of the alert chain: Prometheus, Alertmanager, hook.",
        one_hot("state", ChainState::ALL, ChainState::name, chain.state),
    )?;
    families.single(
        "thermal_guard_fallback_active",
        "1 while an expected alert chain is away and the local loop acts in its place.",
        Some(flag(chain.state.is_fallback())),
    )?;
    let last = chain.heartbeat_age.map(|age| snapshot.at(age));
    families.single(
        "thermal_guard_heartbeat_last_timestamp_seconds",
        "When the last heartbeat came, in seconds since the Unix epoch.",
        last.map(|at| at.as_secs_f64()),
    )?;
    families.single(
        "thermal_guard_heartbeat_eval_age_seconds",
        "Time since a heartbeat last reported a newer evaluation, in seconds.",
        chain.eval_age.map(|age| age.as_secs_f64()),
    )?;
    families.single(
        "thermal_guard_heartbeat_timeout_seconds",
        "Time without a heartbeat, or without a newer evaluation, after which the chain is not ok, in seconds.",
        Some(chain.timeout.as_secs_f64()),
    )
}

/// Views, though they count: an application that a reload removes takes its counts with it.
fn apps(families: &mut Families<'_>, apps: &[AppView]) -> fmt::Result {
    families.counter(
        "thermal_guard_app_notifications_total",
        "Notifications of applications, by result.",
        apps.iter().flat_map(|AppView { status, .. }| {
            let counts = [
                ("ok", status.notifications_ok),
                ("failed", status.notifications_failed),
            ];
            counts
                .map(|(result, count)| ([("app", status.name.as_str()), ("result", result)], count))
        }),
    )?;
    families.gauge(
        "thermal_guard_app_mode",
        "1 for the mode that the application was last told.",
        apps.iter().map(|app| {
            let labels = [
                ("app", app.status.name.as_str()),
                ("mode", app.told().name()),
            ];
            (labels, 1_u64)
        }),
    )?;
    families.gauge(
        "thermal_guard_app_well",
        "1 if the application follows its mode and its health URL has answered since it was told.",
        apps.iter().filter_map(|AppView { status, .. }| {
            Some(([("app", status.name.as_str())], flag(status.well?)))
        }),
    )?;
    families.gauge(
        "thermal_guard_app_writable",
        "1 if the guard could write the application's env_file.",
        apps.iter().filter_map(|app| {
            let writable = app.env_file.as_ref()?.is_ok();
            Some(([("app", app.status.name.as_str())], flag(writable)))
        }),
    )
}
