//! Why a GPU is in its state, in a sentence for people.

use std::fmt::Write as _;

use crate::guard::{Permission, Tick, evidence};
use crate::policy::decide::unguarded::out_of_the_plan;
use crate::policy::{Doubt, Sensor, SensorReport, SensorState, State, Targets, Trigger, Unguarded};
use crate::units::Celsius;

/// Of a fresh tick. The caller knows whether it is, and which applications on the GPU aren't well.
pub(crate) fn sentence(tick: &Tick, unwell: &[&str]) -> String {
    let decision = &tick.decision;
    let mut why = match decision.state {
        State::Unguarded => unguarded(tick),
        _ if tick.reading.is_lost() => "the GPU or its driver is gone".to_owned(),
        State::Normal => rest(tick),
        State::Gradual => held(tick, gradually(tick)),
        State::Emergency => held(tick, "at minimum power"),
        State::Recovering => recovering(tick, unwell),
        State::Blind if capped(tick) => format!("{}; capped", unseen(tick)),
        State::Blind => format!("{}; no knob takes a cap", unseen(tick)),
    };
    let remarks = [
        (decision.infeasible, "not even the coldest rung holds it"),
        (decision.contested, "somebody else keeps raising the limit"),
        (
            decision.overheld,
            "leases, of alerts or manual ones, have held it too long: counted, not obeyed",
        ),
        (
            decision.doubt == Some(Doubt::Contradicted),
            "its sensor looks fine, but the card slows itself down for heat: the card is believed",
        ),
        (
            decision.doubt == Some(Doubt::ExtraSensor),
            "a configured sensor can't be read: guarded by the others",
        ),
        (tick.paused_until.is_some(), "paused by an operator"),
    ];
    let seen = tick.up && decision.state != State::Unguarded;
    for fault in faulty(tick).filter(|_| seen) {
        why.push_str("; ");
        why.push_str(&fault);
    }
    for (fan, fault) in decision.fans.iter().filter(|_| tick.up) {
        let what = fault.map(|fault| format!("; fan {fan} {}", evidence::of_fan(fault)));
        why.push_str(&what.unwrap_or_default());
    }
    for (knob, state) in out_of_the_plan(&decision.knobs) {
        let (knob, state) = (knob.name(), state.name());
        // Writing to a String can't fail.
        let _ = write!(why, "; {knob} is {state}: the plan goes on without it");
    }
    for remark in firmware(tick).into_iter().flatten().filter(|_| seen) {
        why.push_str("; ");
        why.push_str(&remark);
    }
    for (_, remark) in remarks.iter().filter(|(holds, _)| *holds) {
        why.push_str("; ");
        why.push_str(remark);
    }
    why
}

/// What the card does about heat by itself.
fn firmware(tick: &Tick) -> [Option<String>; 3] {
    let firmware = &tick.decision.firmware;
    let first = firmware.acts_first;
    let ignored = firmware.ignores;
    let slows = firmware.slowdown.map(|_| "it slows itself down for heat");
    [
        first.map(|target| format!("the card acts first, at {target}")),
        ignored.map(|target| format!("it names a target of {target} and runs above it")),
        slows.map(str::to_owned),
    ]
}

fn rest(tick: &Tick) -> String {
    match &tick.decision.heat {
        Some(heat) => distance(heat.to_alert, "alert"),
        None => unseen(tick),
    }
}

fn unguarded(tick: &Tick) -> String {
    let why = tick.decision.unguarded;
    let why = why.map_or("nothing can be done for it", Unguarded::explained);
    if tick.claim.is_empty() {
        why.to_owned()
    } else {
        format!("{why}; what was throttled stays so, and is in the journal")
    }
}

/// Whether a limit or lock of the guard is on the card, or would be in `observe`.
fn capped(tick: &Tick) -> bool {
    !tick.claim.is_empty() || tick.permission == Permission::Observe
}

fn recovering(tick: &Tick, unwell: &[&str]) -> String {
    let targets = tick.decision.targets;
    if tick.claim.is_empty() && targets == Targets::default() {
        return all_given_back(unwell);
    }
    let limit = tick.claim.limit.zip(tick.reading.limit.ok());
    let all_asked = targets.limit.is_none() && !targets.has_lock();
    match limit.filter(|(ours, now)| all_asked && ours.original != *now) {
        Some((ours, now)) => format!(
            "cool, but the card doesn't take its limit of {} back: {now} is on it, and it is tried again",
            ours.original
        ),
        None => "cool: given back in steps".to_owned(),
    }
}

fn all_given_back(unwell: &[&str]) -> String {
    match unwell {
        [] => "all given back".to_owned(),
        [app] => format!("all given back; waiting until the app {app} answers at its health_url"),
        apps => format!(
            "all given back; waiting until the apps {} answer at their health_url",
            apps.join(", ")
        ),
    }
}

/// By heat, the guard keeps it at alert; a lease slows it however cool it is.
fn gradually(tick: &Tick) -> &'static str {
    match tick.decision.trigger {
        Some(Trigger::Local | Trigger::Fallback) => "held under alert",
        Some(Trigger::Alert | Trigger::Manual) | None => "throttled",
    }
}

fn held(tick: &Tick, how: &str) -> String {
    let how = match tick.permission {
        Permission::Observe => &format!("observed only, would be {how}"),
        Permission::Denied => &format!("NO PERMISSION, should be {how}"),
        Permission::Unproven | Permission::Granted => how,
    };
    let who = match tick.decision.trigger {
        Some(Trigger::Alert) => "an alert asked",
        Some(Trigger::Local) => "the local loop acted",
        Some(Trigger::Fallback) => "the local loop acted, the alert chain was away when it began",
        Some(Trigger::Manual) => "an operator asked",
        None => "left so by the guard before",
    };
    match &tick.decision.heat {
        Some(heat) if heat.is_critical() => {
            let past = distance(heat.to_critical, "critical");
            format!("{how}: {who}; {past}")
        }
        Some(heat) => format!("{how}: {who}; {}", distance(heat.to_alert, "alert")),
        None => format!("{how}: {who}"),
    }
}

fn distance(margin: Celsius, trip: &str) -> String {
    let degrees = margin.degrees();
    if degrees < 0.0 {
        format!("{:.1} °C over {trip}", -degrees)
    } else if degrees > 0.0 {
        format!("{degrees:.1} °C under {trip}")
    } else {
        format!("at {trip}")
    }
}

/// The sensor that the guard doubts, and why.
fn unseen(tick: &Tick) -> String {
    let decision = &tick.decision;
    let of = |sensor: Sensor| {
        let report = decision.sensors[sensor];
        let doubted = SensorReport {
            state: SensorState::Doubted,
            doubt: decision.doubt,
            missing: None,
        };
        let what = evidence::of_sensor(&report).or(evidence::of_sensor(&doubted));
        let name = sensor.name();
        format!("the {name} sensor {}", what.unwrap_or_default())
    };
    let doubted = decision.doubted.map(of);
    doubted.unwrap_or_else(|| "the temperature can't be trusted".to_owned())
}

/// Sensors with a fault, without the one that blinds the guard.
fn faulty(tick: &Tick) -> impl Iterator<Item = String> + '_ {
    let decision = &tick.decision;
    let blinding = decision.doubted.filter(|_| decision.state == State::Blind);
    let others = decision.sensors.iter();
    others
        .filter(move |(sensor, _)| Some(*sensor) != blinding)
        .filter_map(|(sensor, report)| {
            let (name, what) = (sensor.name(), evidence::of_sensor(report)?);
            Some(format!("the {name} sensor {what}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_names_the_side_of_the_trip() {
        assert_eq!(distance(Celsius::new(3.0), "alert"), "3.0 °C under alert");
        assert_eq!(distance(Celsius::new(0.0), "alert"), "at alert");
        assert_eq!(
            distance(Celsius::new(-0.5), "critical"),
            "0.5 °C over critical"
        );
    }
}
