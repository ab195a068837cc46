//! What follows from what Alertmanagers list, and from what they no longer list.
//!
//! That an alert is listed says that it fires. That it is *not* listed says little: an Alertmanager
//! that just started, or that Prometheus doesn't reach, lists nothing at all. So absence ends a lease
//! only if every Alertmanager answered, each answer could be read whole, each carries a heartbeat of
//! ours that was evaluated just now, and each of them has run for the time of a lease.

use std::collections::{BTreeMap, BTreeSet};

use crate::device::Uuid;
use crate::policy::Lease;
use crate::policy::lease::{Ended, Holder};
use crate::web::alert::{self, Action, Alert, Outcome, Status, Via};
use crate::web::{Web, heard};

use super::counters::State;
use super::listing::Listing;

/// A lease of an alert, as it was before an Alertmanager was asked.
#[derive(Debug)]
pub(super) struct Held {
    gpu: Uuid,
    pub(super) alert: u64,
    lease: Lease,
}

/// All leases that alerts have now.
pub(super) fn held(web: &Web) -> Vec<Held> {
    let now = web.shared.clock.wall();
    let stations = web.shared.stations();
    let mut table = web.shared.leases();
    table.expire(now);
    let mut all = Vec::new();
    for gpu in stations.iter().map(|station| &station.identity.uuid) {
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

/// Takes and renews leases, and the newest heartbeat. Returns all alerts that are there, suppressed
/// ones too. One that is active anywhere is active: silences reach the members one by one.
pub(super) fn take(web: &Web, listings: &[&Listing]) -> BTreeSet<u64> {
    let settings = web.settings();
    let mut alerts: BTreeMap<u64, (State, &Alert)> = BTreeMap::new();
    for listing in listings {
        let suppressed = listing.suppressed.iter();
        for alert in suppressed {
            alerts
                .entry(alert.fingerprint)
                .or_insert((State::Suppressed, alert));
        }
        for alert in &listing.active {
            alerts.insert(alert.fingerprint, (State::Active, alert));
        }
        for _ in 0..listing.unreadable {
            alert::tell_rejected(web, Outcome::Rejected, None);
            web.pull_counters
                .count_alert(State::Unknown, Action::None, Outcome::Rejected);
        }
    }
    for (state, alert) in alerts.values() {
        let (action, obeyed) = match alert::action(&alert.labels, &settings) {
            Err(outcome) => {
                alert::tell_rejected(web, outcome, Some(alert));
                (Action::None, outcome.into())
            }
            Ok(action) if *state != State::Active => (action, Outcome::Ignored.into()),
            Ok(Action::Heartbeat) if is_ours(web, alert) => {
                (Action::Heartbeat, Outcome::Accepted.into())
            }
            Ok(Action::Heartbeat) => (Action::Heartbeat, Outcome::WrongNode.into()),
            Ok(action) => {
                let obeyed = alert::obey(web, &settings, Via::Pull, Status::Firing, action, alert);
                (action, obeyed)
            }
        };
        for outcome in obeyed.outcomes() {
            web.pull_counters.count_alert(*state, action, outcome);
        }
    }
    beat(web, listings);
    hear(web, listings);
    alerts.into_keys().collect()
}

/// Once for all that are listed: how often heartbeats come is how the chain knows its pace.
fn beat(web: &Web, listings: &[&Listing]) {
    let ours: Vec<&Alert> = listings
        .iter()
        .flat_map(|listing| heartbeats(web, listing))
        .collect();
    if ours.is_empty() {
        return;
    }
    // Each is heard, the earliest first: a clock that was wrong in one of them would hide the others.
    let mut beats: Vec<(Option<f64>, u64)> = ours
        .iter()
        .map(|alert| (alert.eval_ts, alert.fingerprint))
        .collect();
    beats.sort_by(|(a, _), (b, _)| f64::total_cmp(&a.unwrap_or(f64::MIN), &b.unwrap_or(f64::MIN)));
    let now = web.shared.clock.wall();
    let mut chain = web.shared.chain();
    for (eval_ts, fingerprint) in beats {
        chain.heartbeat_of(fingerprint, now, eval_ts);
    }
}

/// For whom heartbeats are listed: ours if one is, else one of somebody else's.
fn hear(web: &Web, listings: &[&Listing]) {
    let settings = web.settings();
    let active = listings.iter().flat_map(|listing| &listing.active);
    let beats =
        active.filter(|alert| alert::action(&alert.labels, &settings) == Ok(Action::Heartbeat));
    let (mut ours, others): (Vec<_>, Vec<_>) = beats.partition(|alert| is_ours(web, alert));
    if let Some(alert) = ours.pop() {
        heard::ours(web, &alert.labels);
    } else if let Some(alert) = others.first() {
        heard::others(web, &settings, &alert.labels);
    }
}

fn heartbeats<'a>(web: &'a Web, listing: &'a Listing) -> impl Iterator<Item = &'a Alert> {
    let settings = web.settings();
    listing.active.iter().filter(move |alert| {
        alert::action(&alert.labels, &settings) == Ok(Action::Heartbeat) && is_ours(web, alert)
    })
}

fn is_ours(web: &Web, alert: &Alert) -> bool {
    alert::is_not_anothers(&web.settings(), alert)
}

/// Whether what these listings don't have isn't firing. To be asked after [`take`].
pub(super) fn proves(web: &Web, listings: &[&Listing]) -> bool {
    let now = web.shared.clock.wall();
    listings.iter().all(|listing| {
        let chain = web.shared.chain();
        listing.unreadable == 0
            && heartbeats(web, listing)
                .filter_map(|alert| alert.eval_ts)
                .any(|eval_ts| chain.is_recent(now, eval_ts))
    })
}

/// Ends leases whose alerts are gone, unless somebody renewed them meanwhile.
pub(super) fn end(web: &Web, gone: &[Held]) {
    for held in gone {
        let holder = Holder::Alert(held.alert);
        let ended = {
            let mut table = web.shared.leases();
            let as_it_was = table
                .of(&held.gpu)
                .any(|(by, lease)| by == holder && *lease == held.lease);
            as_it_was.then(|| table.resolve(&held.gpu, holder, held.lease.starts_at))
        };
        if ended == Some(Ended::Released) {
            let alert = format!("{:016x}", held.alert);
            tracing::info!(gpu = web.shared.index(&held.gpu), uuid = %held.gpu, alert, "gone from Alertmanager: the alert's lease ended");
            web.pull_counters.count_ended();
            web.shared.wake(&held.gpu);
        }
    }
}
