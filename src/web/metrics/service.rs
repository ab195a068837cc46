//! The service around the control loops: build, mode, driver, alert chain, hook, applications.

use std::borrow::Cow;
use std::fmt;

use crate::policy::ChainState;
use crate::web::snapshot::{HookSnapshot, Snapshot};

use super::families::{Families, flag, one_hot};
use super::labels::Labels;
use super::pull;

const MODES: [&str; 2] = ["enforce", "observe"];

pub(super) fn basics(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let build = &snapshot.build;
    families.info(
        "thermal_guard_build_info",
        "Which build of thermal-guard this is",
        [vec![
            ("version", build.version.into()),
            ("revision", build.revision.into()),
            ("rustc", build.rustc.into()),
        ]],
    )?;
    families.gauge(
        "thermal_guard_mode",
        "1 for the mode in force: enforce, or observe, in which nothing is written",
        labelled("mode", one_hot(MODES, snapshot.extra.mode)),
    )?;
    families.single(
        "thermal_guard_simulated",
        "1 if the GPUs are simulated",
        Some(flag(snapshot.extra.simulated)),
    )?;
    families.single(
        "thermal_guard_nvml_up",
        "1 while the driver answers",
        Some(flag(snapshot.driver.up)),
    )
}

pub(super) fn driver(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.single(
        "thermal_guard_gpus",
        "GPUs under guard",
        Some(snapshot.gpus.len() as f64),
    )?;
    families.single(
        "thermal_guard_gpus_expected",
        "GPUs that should be under guard: as many as the driver counts, or `gpus` lists",
        Some(snapshot.driver.expected as f64),
    )?;
    families.counter(
        "thermal_guard_nvml_initializations_total",
        "Times the driver was found, at the start or again",
        [(Labels::new(), snapshot.driver.initializations as f64)],
    )?;
    families.single(
        "thermal_guard_detached",
        "1 while an operator has the guard let go of the driver",
        Some(flag(snapshot.detached)),
    )
}

pub(super) fn encode(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.counter(
        "thermal_guard_lease_expirations_total",
        "Leases ended, by how: time to live, resolved, or evicted by others",
        labelled(
            "reason",
            [
                ("ttl", snapshot.endings.expired as f64),
                ("resolved", snapshot.endings.resolved as f64),
                ("evicted", snapshot.endings.evicted as f64),
            ],
        ),
    )?;
    hook(families, &snapshot.extra.hook)?;
    pull::encode(families, &snapshot.extra.pull)?;
    apps(families, snapshot)?;
    families.counter(
        "thermal_guard_event_log_events_total",
        "Events of the log on disk, by what became of them: written, or dropped as it took none",
        labelled(
            "result",
            [
                ("written", snapshot.event_log.written as f64),
                ("dropped", snapshot.event_log.dropped as f64),
            ],
        ),
    )?;
    let reload = &snapshot.extra.reload;
    families.single(
        "thermal_guard_config_last_reload_successful",
        "1 if the configuration was read without a mistake the last time",
        Some(flag(reload.successful)),
    )?;
    families.single(
        "thermal_guard_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was read, in seconds since the Unix epoch",
        reload.last_success.map(|at| at.as_secs_f64()),
    )
}

pub(super) fn scrapes(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.single(
        "thermal_guard_last_scrape_timestamp_seconds",
        "When the scrape before this one came, in seconds since the Unix epoch",
        snapshot.last_scrape.map(|at| at.as_secs_f64()),
    )
}

/// Its ages grow from scrape to scrape.
pub(super) fn chain(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let chain = &snapshot.chain;
    families.gauge(
        "thermal_guard_chain_state",
        "1 for the state of the chain Prometheus, Alertmanager, hook",
        labelled(
            "state",
            one_hot(ChainState::ALL.map(ChainState::name), chain.state.name()),
        ),
    )?;
    families.single(
        "thermal_guard_fallback_active",
        "1 while an alert chain is expected and away, and the local loop acts in its place",
        Some(flag(chain.state.is_fallback())),
    )?;
    families.single(
        "thermal_guard_heartbeat_last_timestamp_seconds",
        "When the last heartbeat came, in seconds since the Unix epoch",
        chain
            .heartbeat_age
            .map(|age| snapshot.at(age).as_secs_f64()),
    )?;
    families.single(
        "thermal_guard_heartbeat_eval_age_seconds",
        "Seconds since a heartbeat last told of a newer evaluation",
        chain.eval_age.map(|age| age.as_secs_f64()),
    )?;
    families.single(
        "thermal_guard_heartbeat_timeout_seconds",
        "Seconds without a heartbeat, or a newer evaluation, after which the chain is not ok",
        Some(chain.timeout.as_secs_f64()),
    )
}

fn hook(families: &mut Families<'_>, hook: &HookSnapshot) -> fmt::Result {
    families.counter(
        "thermal_guard_hook_requests_total",
        "Requests to the hook, by HTTP status code",
        hook.requests
            .iter()
            .map(|(code, count)| (vec![("code", code.to_string().into())], *count as f64)),
    )?;
    families.counter(
        "thermal_guard_hook_alerts_total",
        "Alerts received, by their status, the action they ask for and what came of it",
        hook.alerts.iter().map(|alerts| {
            let labels: Labels<'_> = vec![
                ("status", alerts.status.into()),
                ("action", alerts.action.into()),
                ("result", alerts.result.into()),
            ];
            (labels, alerts.count as f64)
        }),
    )?;
    families.counter(
        "thermal_guard_hook_auth_failures_total",
        "Requests turned away, by reason",
        hook.auth_failures
            .iter()
            .map(|(reason, count)| (vec![("reason", Cow::from(*reason))], *count as f64)),
    )?;
    families.counter(
        "thermal_guard_hook_truncated_alerts_total",
        "Alerts that Alertmanager left out of its messages",
        [(Labels::new(), hook.truncated_alerts as f64)],
    )?;
    families.histogram(
        "thermal_guard_hook_request_duration_seconds",
        "How long requests to the hook took in seconds",
        &hook.durations,
    )?;
    families.single(
        "thermal_guard_hook_last_success_timestamp_seconds",
        "When the hook last took a message, in seconds since the Unix epoch",
        hook.last_success.map(|at| at.as_secs_f64()),
    )
}

fn apps(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let apps = &snapshot.extra.apps;
    families.counter(
        "thermal_guard_app_notifications_total",
        "Notifications of applications, by how they went",
        apps.iter().flat_map(|app| {
            [("ok", app.ok), ("failed", app.failed)].map(|(result, count)| {
                let labels: Labels<'_> =
                    vec![("app", app.name.as_str().into()), ("result", result.into())];
                (labels, count as f64)
            })
        }),
    )?;
    families.gauge(
        "thermal_guard_app_mode",
        "1 for the mode the application was last told",
        apps.iter().map(|app| {
            let labels: Labels<'_> =
                vec![("app", app.name.as_str().into()), ("mode", app.mode.into())];
            (labels, 1.0)
        }),
    )?;
    let with_health = apps.iter().filter_map(|app| Some((app, app.well?)));
    families.gauge(
        "thermal_guard_app_well",
        "1 if the application follows its mode and its health URL has answered since it was told",
        with_health.map(|(app, well)| {
            let labels: Labels<'_> = vec![("app", app.name.as_str().into())];
            (labels, f64::from(u8::from(well)))
        }),
    )?;
    let with_file = apps
        .iter()
        .filter_map(|app| Some((app, app.file.as_ref()?.is_ok())));
    families.gauge(
        "thermal_guard_app_writable",
        "1 if the application's env_file could be written from where the guard runs",
        with_file.map(|(app, writable)| {
            let labels: Labels<'_> = vec![("app", app.name.as_str().into())];
            (labels, flag(writable))
        }),
    )
}

fn labelled<const N: usize>(
    label: &'static str,
    values: [(&'static str, f64); N],
) -> [(Labels<'static>, f64); N] {
    values.map(|(name, value)| (vec![(label, name.into())], value))
}
