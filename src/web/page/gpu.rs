//! One GPU's card in words.

use std::fmt::Write as _;

use crate::events::{Cost, span};
use crate::policy::{KnobState, Level, SensorState, State};
use crate::web::status::{Gpu, Hour, Lease, Readings, TripPoints};

use super::part::{Part, Tone};

/// The state that a card shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    State(State),
    /// Nothing was heard of it lately.
    Down,
}

impl Shown {
    /// An unguarded GPU shows as such, heard of or not: the guard can do nothing for it either way.
    pub(crate) fn of(gpu: &Gpu) -> Self {
        match gpu.state.known() {
            Some(State::Unguarded) => Self::State(State::Unguarded),
            Some(state) if gpu.up => Self::State(state),
            _ => Self::Down,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::State(state) => state.name(),
            Self::Down => "down",
        }
    }
}

pub(crate) fn card(gpu: &Gpu) -> Part {
    let now = &gpu.now;
    let trips = now.trips.as_ref();
    let state = Shown::of(gpu).name();
    let card = Part::new(&gpu.uuid, state)
        .text("name", format!("GPU {}", index(gpu)))
        .text("model", &gpu.name)
        .text("uuid", &gpu.uuid)
        .text("state", state)
        .maybe("since", since(gpu))
        .text("why", sentence(&gpu.why))
        .maybe("temperature", now.temperature_celsius.map(celsius))
        .maybe("hour", gpu.hour.as_ref().map(hour))
        .maybe("memory", memory(now))
        .maybe("trips", trips.map(thresholds))
        .maybe("draw", now.power_draw_watts.map(watts))
        .maybe("limit", limit(gpu))
        .text("throttles", throttles(gpu))
        .maybe("held", held(gpu))
        .maybe("receipt", gpu.receipt.as_ref().map(receipt))
        .maybe("cooling", cooling(gpu))
        .maybe("sustainable", gpu.cooling.sustainable_watts.map(watts))
        .text("sensors", sensors(gpu))
        .text("knobs", knobs(gpu))
        .text("slowed", now.clock_events.join(", ").replace('_', " "))
        .maybe("paused", gpu.paused_for_seconds.map(left));
    card.mark("alert", trips.map(|trips| trips.alert_celsius))
        .mark("critical", trips.map(|trips| trips.critical_celsius))
        .mark("safe", trips.map(|trips| trips.safe_celsius))
        .mark("original", gpu.limit.original.or(gpu.limit.current))
        .list("leases", gpu.leases.iter().map(lease).collect())
}

/// `–` for a card that is gone and whose index another card has now.
pub(crate) fn index(gpu: &Gpu) -> String {
    gpu.index
        .map_or_else(|| "–".to_owned(), |it| it.to_string())
}

/// Since when the card is in its state; if it is throttled, since when it has been, whichever guard
/// began that and whatever states it went through.
fn since(gpu: &Gpu) -> Option<String> {
    let age = match Shown::of(gpu) {
        Shown::Down => return None,
        Shown::State(State::Unguarded) => gpu.state_age_seconds,
        Shown::State(_) => gpu.held_for_seconds.or(gpu.state_age_seconds),
    };
    Some(format!("for {}", span(age?)))
}

/// Those that the card has.
fn sensors(gpu: &Gpu) -> String {
    let present = gpu.sensors.iter();
    let present = present.filter(|sensor| sensor.state != SensorState::Absent);
    named(present.map(|sensor| (sensor.name.as_str(), sensor.state.name())))
}

fn knobs(gpu: &Gpu) -> String {
    let present = gpu.knobs.iter();
    let present = present.filter(|knob| knob.state != KnobState::Absent);
    named(present.map(|knob| (knob.name.as_str(), knob.state.name())))
}

fn named<'a>(present: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let present: Vec<_> = present
        .map(|(name, state)| format!("{} {state}", name.replace('_', " ")))
        .collect();
    if present.is_empty() {
        "none".to_owned()
    } else {
        present.join(", ")
    }
}

/// Whole degrees where the sensor gives no others.
pub(crate) fn celsius(degrees: f64) -> String {
    let shown = format!("{degrees:.1}");
    format!("{} °C", shown.trim_end_matches(".0"))
}

fn watts(watts: f64) -> String {
    format!("{watts:.0} W")
}

fn left(seconds: f64) -> String {
    format!("{} left", span(seconds))
}

fn hour(hour: &Hour) -> String {
    let (max, mean) = (celsius(hour.max_celsius), celsius(hour.mean_celsius));
    format!("highest {max}, mean {mean}")
}

fn memory(now: &Readings) -> Option<String> {
    let memory = celsius(now.memory_temperature_celsius?);
    Some(format!("memory {memory}"))
}

fn thresholds(trips: &TripPoints) -> String {
    let (safe, alert) = (trips.safe_celsius, trips.alert_celsius);
    let critical = trips.critical_celsius;
    format!("safe {safe:.0}, alert {alert:.0}, critical {critical:.0} °C")
}

fn throttles(gpu: &Gpu) -> String {
    let (begun, recovered) = (gpu.throttle_events, gpu.recoveries);
    format!("{begun} begun, {recovered} recovered")
}

fn limit(gpu: &Gpu) -> Option<String> {
    /// Until the reading shows what was given back.
    const SETTLED_SECONDS: f64 = 3.0;
    let limit = watts(gpu.limit.current?);
    let age = gpu.state_age_seconds;
    let is_settled = gpu.recoveries == 0 || age.is_none_or(|age| age >= SETTLED_SECONDS);
    Some(match gpu.limit.original.map(watts) {
        Some(original) if original != limit => format!("limit {limit}, originally {original}"),
        None if is_settled => format!("limit {limit}, the original"),
        // Just written, or just given back: the reading is older.
        _ => format!("limit {limit}"),
    })
}

fn held(gpu: &Gpu) -> Option<String> {
    let held = &gpu.throttled_seconds;
    let levels = [(held.gradual, "gradual"), (held.emergency, "emergency")];
    let some = levels.iter().filter(|(seconds, _)| *seconds >= 1.0);
    let some: Vec<_> = some
        .map(|(seconds, level)| format!("{} {level}", span(*seconds)))
        .collect();
    (!some.is_empty()).then(|| some.join(", "))
}

/// What the last throttle cost.
fn receipt(cost: &Cost) -> String {
    cost.to_string().trim_start_matches("; it ").to_owned()
}

/// A smaller change, in per cent, is the estimate's own error.
const TELLING_CHANGE: f64 = 5.0;

/// The resistance to the air, and how that compares.
fn cooling(gpu: &Gpu) -> Option<String> {
    let cooling = &gpu.cooling;
    let resistance = cooling.resistance_kelvin_per_watt?;
    let mut text = format!("{resistance:.3} K/W");
    let changes = [
        (cooling.change_ratio, "than before"),
        (cooling.neighbours_change_ratio, "beside its neighbours"),
    ];
    for (ratio, than) in changes {
        let percent = ratio.map_or(0.0, |ratio| (ratio - 1.0) * 100.0);
        // Writing to a String can't fail.
        let _ = if percent >= TELLING_CHANGE {
            write!(text, ", {percent:.0} % worse {than}")
        } else if percent <= -TELLING_CHANGE {
            write!(text, ", {:.0} % better {than}", -percent)
        } else {
            Ok(())
        };
    }
    Some(text)
}

fn lease(lease: &Lease) -> Part {
    let tone = if lease.level == Level::Emergency {
        Tone::Bad
    } else {
        Tone::Notice
    };
    let source = match (&lease.alert, &lease.fingerprint) {
        (Some(name), _) if !name.is_empty() => format!("alert {name}"),
        (_, Some(fingerprint)) => format!("alert {fingerprint}"),
        (_, None) => "an operator".to_owned(),
    };
    let fingerprint = lease.fingerprint.clone().unwrap_or_default();
    Part::new(format!("{}{fingerprint}", lease.holder), tone.name())
        .text("level", lease.level.name())
        .text("source", source)
        .text("left", left(lease.expires_in_seconds))
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
