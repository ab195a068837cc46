//! Why a GPU is in its state, in a sentence for people.

use crate::device::Missing;
use crate::guard::{Permission, Tick};
use crate::policy::{Doubt, State, Trigger};
use crate::units::Celsius;

/// Speaks of a tick that still holds; whether it does is the caller's to say.
pub(super) fn sentence(tick: &Tick) -> String {
    let decision = &tick.decision;
    let mut why = match decision.state {
        _ if tick.reading.is_lost() => "the GPU or its driver is gone".to_owned(),
        State::Normal => rest(tick),
        State::Gradual => held(tick, "held under alert"),
        State::Emergency => held(tick, "at minimum power"),
        State::Recovering => "cool: given back in steps".to_owned(),
        State::Blind => format!("{}; capped", unseen(tick)),
    };
    let remarks = [
        (decision.infeasible, "not even the coldest rung holds it"),
        (decision.contested, "somebody else keeps raising the limit"),
        (
            decision.overheld,
            "alerts have held it too long and are not obeyed",
        ),
        (
            decision.doubt == Some(Doubt::Contradicted),
            "its sensor looks fine, but the card slows itself down for heat: the card is believed",
        ),
        (
            decision.doubt == Some(Doubt::Probe),
            "a configured sensor can't be read: guarded by the others",
        ),
        (tick.paused_until.is_some(), "paused by an operator"),
    ];
    for (_, remark) in remarks.iter().filter(|(holds, _)| *holds) {
        why.push_str("; ");
        why.push_str(remark);
    }
    why
}

fn rest(tick: &Tick) -> String {
    match &tick.decision.heat {
        Some(heat) => distance(heat.to_alert, "alert"),
        None if tick.reading.core == Err(Missing::NotSupported) => {
            "no temperature sensor: exported, not guarded".to_owned()
        }
        None => unseen(tick),
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
        Some(Trigger::Fallback) => "the local loop acted, the alert chain is away",
        Some(Trigger::Manual) => "an operator asked",
        None => "left so by a guard before this one",
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

fn unseen(tick: &Tick) -> String {
    match tick.decision.doubt {
        Some(Doubt::Frozen) => return "the temperature doesn't follow the power".to_owned(),
        Some(Doubt::Fallen) => return "the temperature fell faster than metal cools".to_owned(),
        Some(Doubt::Missing | Doubt::Contradicted | Doubt::Probe) | None => {}
    }
    let reading = &tick.reading;
    let sensors = [reading.core, reading.memory, reading.margin];
    let code = sensors.iter().find_map(|sensor| match sensor {
        Err(Missing::Failed(code)) => Some(code),
        _ => None,
    });
    match code {
        Some(code) => format!("a sensor failed with NVML code {code}"),
        None => "the temperature can't be trusted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_says_on_which_side_of_the_trip() {
        assert_eq!(distance(Celsius::new(3.0), "alert"), "3.0 °C under alert");
        assert_eq!(distance(Celsius::new(0.0), "alert"), "at alert");
        assert_eq!(
            distance(Celsius::new(-0.5), "critical"),
            "0.5 °C over critical"
        );
    }
}
