//! Draws conclusions from what Alertmanagers list, and no longer list.
//!
//! A listed alert fires. An alert that is *not* listed may still fire: an Alertmanager that has just
//! started, or that Prometheus doesn't reach, lists nothing at all. So absence ends a lease only if
//! every Alertmanager answered, the guard could read each answer whole, each contains a heartbeat for
//! this guard that was evaluated just now, and each Alertmanager has run for as long as a lease.

use std::collections::{BTreeMap, BTreeSet};

use super::counters::State;
use super::listing::Listing;
use crate::alerts::alert::{self, Alert};
use crate::alerts::desk::{Desk, Settings};
use crate::alerts::outcome::{Action, Applied, Outcome, Status, Via};
use crate::alerts::target;
use crate::device::Uuid;
use crate::policy::Lease;
use crate::policy::ask::lease::{Ended, Holder};

/// An alert's lease, as it was before an Alertmanager was asked.
#[derive(Debug)]
pub(crate) struct Held {
    gpu: Uuid,
    pub(crate) alert: u64,
    lease: Lease,
}

/// All leases that alerts have now.
pub(crate) fn held(desk: &Desk) -> Vec<Held> {
    let mut table = desk.shared.leases();
    table.expire(desk.shared.clock.wall());
    let mut all = Vec::new();
    for gpu in desk.shared.gpu_handles() {
        let gpu = &gpu.identity.uuid;
        all.extend(table.of(gpu).filter_map(|(holder, lease)| match holder {
            Holder::Alert(alert) => Some(Held {
                gpu: gpu.clone(),
                alert,
                lease: *lease,
            }),
            Holder::Manual => None,
        }));
    }
    all
}

/// Takes and renews leases, and hears the heartbeats. Returns all alerts that are listed, suppressed
/// ones too. An alert that is active anywhere is active: silences reach the members one by one.
pub(crate) fn take(desk: &Desk, listings: &[&Listing]) -> BTreeSet<u64> {
    let settings = desk.settings();
    let mut alerts: BTreeMap<u64, (State, &Alert)> = BTreeMap::new();
    for listing in listings {
        for alert in &listing.suppressed {
            alerts
                .entry(alert.fingerprint)
                .or_insert((State::Suppressed, alert));
        }
        for alert in &listing.active {
            alerts.insert(alert.fingerprint, (State::Active, alert));
        }
        for _ in 0..listing.unreadable {
            desk.log_rejected(Outcome::Rejected, None);
            desk.pull_counters
                .count_alert(State::Unknown, Action::None, Outcome::Rejected);
        }
    }
    for (state, alert) in alerts.values() {
        let (action, applied) = apply(desk, &settings, *state, alert);
        for outcome in applied.outcomes() {
            desk.pull_counters.count_alert(*state, action, outcome);
        }
    }
    beat(desk, &settings, listings);
    note_names(desk, &settings, listings);
    alerts.into_keys().collect()
}

fn apply(desk: &Desk, settings: &Settings, state: State, alert: &Alert) -> (Action, Applied) {
    match target::action(&alert.labels, &settings.severity_map) {
        Err(outcome) => {
            desk.log_rejected(outcome, Some(alert));
            (Action::None, outcome.into())
        }
        Ok(action) if state != State::Active => (action, Outcome::Ignored.into()),
        Ok(Action::Heartbeat) => {
            let is_ours = settings.node.may_be_meant(&alert.labels);
            let outcome = if is_ours {
                Outcome::Accepted
            } else {
                Outcome::WrongNode
            };
            (Action::Heartbeat, outcome.into())
        }
        Ok(action) => {
            let applied = desk.apply(settings, Via::Pull, Status::Firing, action, alert);
            (action, applied)
        }
    }
}

/// Passes on all heartbeats for this node, once for all listings: the chain learns its pace from how
/// often they come.
fn beat(desk: &Desk, settings: &Settings, listings: &[&Listing]) {
    // The earliest first: one wrong clock among them would hide the others.
    let mut beats: Vec<(Option<f64>, u64)> = listings
        .iter()
        .flat_map(|listing| own_heartbeats(settings, listing))
        .map(|alert| (alert.eval_ts, alert.fingerprint))
        .collect();
    beats.sort_by(|(a, _), (b, _)| f64::total_cmp(&a.unwrap_or(f64::MIN), &b.unwrap_or(f64::MIN)));
    let now = desk.shared.clock.wall();
    for (eval_ts, fingerprint) in beats {
        desk.shared.heartbeat(now, fingerprint, eval_ts);
    }
}

/// Notes the node that heartbeats are listed for: this one if any is, else another.
fn note_names(desk: &Desk, settings: &Settings, listings: &[&Listing]) {
    let beats = listings
        .iter()
        .flat_map(|listing| heartbeats(settings, listing));
    let (mut ours, others): (Vec<_>, Vec<_>) =
        beats.partition(|alert| settings.node.may_be_meant(&alert.labels));
    if let Some(alert) = ours.pop() {
        desk.heard.for_this_node(&alert.labels);
    } else if let Some(alert) = others.first() {
        desk.heard_for_another(settings, &alert.labels);
    }
}

fn heartbeats<'a>(settings: &'a Settings, listing: &'a Listing) -> impl Iterator<Item = &'a Alert> {
    listing.active.iter().filter(|alert| {
        target::action(&alert.labels, &settings.severity_map) == Ok(Action::Heartbeat)
    })
}

fn own_heartbeats<'a>(
    settings: &'a Settings,
    listing: &'a Listing,
) -> impl Iterator<Item = &'a Alert> {
    heartbeats(settings, listing).filter(|alert| settings.node.may_be_meant(&alert.labels))
}

/// Whether an alert that these listings don't have isn't firing. To be asked after [`take`].
pub(crate) fn proves(desk: &Desk, listings: &[&Listing]) -> bool {
    let now = desk.shared.clock.wall();
    let (chain, settings) = (desk.shared.chain(), desk.settings());
    listings.iter().all(|listing| {
        listing.unreadable == 0
            && own_heartbeats(&settings, listing)
                .filter_map(|alert| alert.eval_ts)
                .any(|eval_ts| chain.is_recent(now, eval_ts))
    })
}

/// Ends leases whose alerts are gone, unless they were renewed meanwhile.
pub(crate) fn end(desk: &Desk, gone: &[Held]) {
    for held in gone {
        let holder = Holder::Alert(held.alert);
        let ended = desk
            .shared
            .resolve_unchanged(&held.gpu, holder, &held.lease);
        if ended == Ended::Released {
            let name = desk.shared.alert_name(held.alert).unwrap_or_default();
            let alert = alert::told(&name, held.alert);
            tracing::info!(gpu = desk.shared.index(&held.gpu), uuid = %held.gpu, alert, "gone from Alertmanager: the alert's lease ended");
            desk.pull_counters.count_ended();
        }
    }
}
