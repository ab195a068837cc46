//! What is pulled from Alertmanager. Nothing of it is there unless `alertmanager.url` is.

use std::fmt;

use crate::web::pull::PullSnapshot;
use crate::web::pull::counters::Member;

use super::families::{Families, flag};
use super::labels::Labels;

pub(super) fn encode(families: &mut Families<'_>, pull: &PullSnapshot) -> fmt::Result {
    if pull.members.is_empty() {
        return Ok(());
    }
    let each = |value: fn(&Member) -> Option<f64>| {
        pull.members
            .iter()
            .filter_map(move |member| Some((url(member), value(member)?)))
    };
    families.gauge(
        "thermal_guard_alertmanager_pull_up",
        "1 if the last pull from this Alertmanager brought its alerts",
        each(|member| member.up.map(flag)),
    )?;
    families.counter(
        "thermal_guard_alertmanager_pull_requests_total",
        "Pulls from Alertmanager, by how they went",
        pull.members.iter().flat_map(|member| {
            member.requests.iter().map(|(result, count)| {
                let mut labels = url(member);
                labels.push(("result", (*result).into()));
                (labels, *count as f64)
            })
        }),
    )?;
    families.gauge(
        "thermal_guard_alertmanager_pull_duration_seconds",
        "Seconds that the last pull took",
        each(|member| member.took.map(|took| took.as_secs_f64())),
    )?;
    families.gauge(
        "thermal_guard_alertmanager_pull_last_success_timestamp_seconds",
        "When alerts were last pulled, in seconds since the Unix epoch",
        each(|member| member.last_success.map(|at| at.as_secs_f64())),
    )?;
    families.counter(
        "thermal_guard_alertmanager_pull_alerts_total",
        "Alerts seen by pulls, by what Alertmanager says of them, what they ask for and what came of it; those of other nodes are unmapped or wrong_node",
        pull.alerts.iter().map(|((state, action, result), count)| {
            let labels: Labels<'_> = vec![
                ("state", state.name().into()),
                ("action", action.name().into()),
                ("result", result.name().into()),
            ];
            (labels, *count as f64)
        }),
    )?;
    families.counter(
        "thermal_guard_alertmanager_pull_ended_leases_total",
        "Leases ended because their alert was gone from Alertmanager; also counted as resolved",
        [(Labels::new(), pull.ended_leases as f64)],
    )
}

fn url(member: &Member) -> Labels<'_> {
    vec![("url", member.url.as_str().into())]
}
