//! Each alert that fires must have its lease on its GPU, and no guard a lease without its alert.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::scrape::Metrics;
use crate::common::wait::wait_until;
use crate::fleet::Fleet;

/// An alert is evaluated each 5 s and sent within 5 s more; twice that for a busy machine.
const TO_AGREE: Duration = Duration::from_secs(20);

/// By node and GPU, how many.
type Held = BTreeMap<(String, String), usize>;

pub(crate) struct Leases {
    pub(crate) firing: usize,
    /// Alerts without their lease, and leases without their alert.
    pub(crate) lost: usize,
    pub(crate) strange: usize,
    /// Alerts that came to a guard that they don't mean.
    pub(crate) misrouted: f64,
    /// Ended by time, as if nobody had renewed them.
    pub(crate) expired: f64,
}

/// As soon as both sides agree, or as they are when they should have.
pub(crate) fn compare(fleet: &Fleet) -> Leases {
    let mut sides = (Held::new(), Held::new());
    wait_until(TO_AGREE, || {
        sides = (firing(fleet), held(fleet));
        !sides.0.is_empty() && sides.0 == sides.1
    });
    let (firing, held) = sides;
    assert_noticed(&firing, &held);
    let all = metrics(fleet);
    let sum = |name: &str, labels: &[(&str, &str)]| -> f64 {
        let each = all.iter();
        each.filter_map(|(_, metrics)| metrics.get(name, labels))
            .sum()
    };
    let alerts = "thermal_guard_hook_alerts_total";
    Leases {
        firing: firing.values().sum(),
        lost: missing(&firing, &held),
        strange: missing(&held, &firing),
        misrouted: sum(alerts, &[("result", "wrong_node")])
            + sum(alerts, &[("result", "unmapped")]),
        expired: sum(
            "thermal_guard_lease_expirations_total",
            &[("reason", "ttl")],
        ),
    }
}

/// How many of those wanted aren't among those found.
fn missing(wanted: &Held, found: &Held) -> usize {
    let count = |which: &(String, String)| found.get(which).copied().unwrap_or(0);
    let each = wanted
        .iter()
        .map(|(which, number)| number.saturating_sub(count(which)));
    each.sum()
}

/// The control: one lease on another node would be both lost and strange.
fn assert_noticed(firing: &Held, held: &Held) {
    let mut moved = held.clone();
    if let Some((which, count)) = moved.pop_first() {
        moved.insert(("elsewhere".to_owned(), which.1), count);
        assert!(missing(firing, &moved) > 0 && missing(&moved, firing) > 0);
    }
}

fn firing(fleet: &Fleet) -> Held {
    let promql = "count by (instance, uuid) (
        ALERTS{alertstate='firing', guard_action=~'gradual|emergency'})";
    let alerts = fleet.chain.query(promql).into_iter();
    let living = fleet.living().map(|guard| guard.address().to_string());
    let living: Vec<_> = living.collect();
    let each = alerts.map(|alert| {
        let label = |name: &str| alert.labels[name].clone();
        ((label("instance"), label("uuid")), number(alert.value))
    });
    // What fires of the dead can't be held there.
    each.filter(|((instance, _), _)| living.contains(instance))
        .collect()
}

fn held(fleet: &Fleet) -> Held {
    let mut held = Held::new();
    for (instance, metrics) in metrics(fleet) {
        for (labels, count) in metrics.series_of("thermal_guard_leases") {
            if count > 0.0 {
                let which = (instance.clone(), labels["uuid"].clone());
                *held.entry(which).or_default() += number(count);
            }
        }
    }
    held
}

/// Of each guard that lives, by its address.
fn metrics(fleet: &Fleet) -> Vec<(String, Metrics)> {
    let each = fleet.living();
    let each = each.map(|guard| (guard.address().to_string(), guard.metrics()));
    each.collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count"
)]
fn number(value: f64) -> usize {
    value as usize
}
