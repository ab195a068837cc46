//! Parts of events, made from what the policy decided.

use std::time::Duration;

use crate::events::{Cost, LeaseTurn, Seen, Source, Throttle, What, Why, Word};
use crate::guard::tick::Tick;
use crate::policy::ask::lease::{Holder, Turn};
use crate::policy::cooling::Receipt;
use crate::policy::{Decision, Level, Trigger};
use crate::units::{Celsius, Ratio};

impl Seen {
    pub(crate) fn of(tick: &Tick) -> Self {
        let heat = tick.decision.heat;
        Self {
            temperature_celsius: tick.reading.core.ok().map(Celsius::degrees),
            memory_temperature_celsius: tick.reading.memory.ok().map(Celsius::degrees),
            margin_to_alert_celsius: heat.map(|heat| round(heat.to_alert.degrees())),
        }
    }
}

impl Throttle {
    pub(crate) fn of(level: Level, trigger: Option<Trigger>, why: Why, seen: Seen) -> Self {
        Self {
            level: level.into(),
            trigger: trigger.map(Word::from),
            why: why.into(),
            seen,
        }
    }
}

impl Cost {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let share = |ratio: Ratio| Some((ratio.value() * 1000.0).round() / 1000.0);
        let unguarded = receipt.unguarded;
        let hottest = unguarded.and_then(|it| it.hottest);
        Self {
            work_asked_seconds: Some(round(receipt.asked)),
            work_lost_ratio: share(receipt.lost),
            work_lost_least_ratio: share(receipt.lost_least),
            unguarded_work_lost_ratio: unguarded.and_then(|it| share(it.lost)),
            unguarded_work_lost_least_ratio: unguarded.and_then(|it| share(it.least)),
            unguarded_work_lost_most_ratio: unguarded.and_then(|it| share(it.most)),
            unguarded_hottest_celsius: hottest.map(|it| round(it.degrees())),
        }
    }
}

impl LeaseTurn {
    /// `alert` is the name of the alert that holds it.
    pub fn of(holder: Holder, alert: Option<&str>, level: Level, turn: Turn) -> What {
        let (source, fingerprint) = match holder {
            Holder::Alert(fingerprint) => (Source::Alert, Some(format!("{fingerprint:016x}"))),
            Holder::Manual => (Source::Manual, None),
        };
        What::Lease(Self {
            turn: turn.into(),
            source: source.into(),
            alert: alert.map(str::to_owned),
            fingerprint,
            level: level.into(),
        })
    }
}

pub(crate) fn why(trigger: Trigger, decision: &Decision) -> Why {
    match (trigger, decision.heat) {
        (Trigger::Alert | Trigger::Manual, _) => Why::Lease,
        (_, Some(heat)) if heat.is_critical() => Why::Critical,
        (_, Some(heat)) if heat.is_hot() => Why::Alert,
        (_, Some(_)) => Why::SetPoint,
        (_, None) => Why::NoReading,
    }
}

pub(crate) fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
