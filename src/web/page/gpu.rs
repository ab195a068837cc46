//! One GPU's card in words.

use crate::guard::events::span;
use crate::web::status::{Gpu, Hour, Lease, Readings, TripPoints};

use super::part::{Part, Tone};

/// The state in which nothing can be done.
pub(super) const UNGUARDED: &str = "unguarded";

pub(super) fn card(gpu: &Gpu) -> Part {
    let now = &gpu.now;
    let trips = now.trips.as_ref();
    let card = Part::new(&gpu.uuid, state(gpu))
        .text("name", format!("GPU {}", index(gpu)))
        .text("model", &gpu.name)
        .text("uuid", &gpu.uuid)
        .text("state", state(gpu))
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

/// A card that is gone, and whose index another has got, has none.
pub(super) fn index(gpu: &Gpu) -> String {
    gpu.index
        .map_or_else(|| "–".to_owned(), |it| it.to_string())
}

/// `down` stands for everything that isn't heard of, but for what nothing can be done for: that
/// needn't be heard of.
pub(super) fn state(gpu: &Gpu) -> &'static str {
    if gpu.state == UNGUARDED {
        return UNGUARDED;
    }
    let known = ["normal", "gradual", "emergency", "recovering", "blind"];
    let state = known.into_iter().find(|state| *state == gpu.state);
    state.filter(|_| gpu.up).unwrap_or("down")
}

/// What is held has been since its throttle began, under whichever guard and in whichever states.
fn since(gpu: &Gpu) -> Option<String> {
    let held = gpu.held_for_seconds.filter(|_| gpu.state != UNGUARDED);
    let age = held.or(gpu.state_age_seconds);
    let age = age.filter(|_| state(gpu) != "down")?;
    Some(format!("for {}", span(age)))
}

/// Those that there are.
fn sensors(gpu: &Gpu) -> String {
    let all = gpu.sensors.iter();
    named(all.map(|sensor| (&sensor.name, &sensor.state)))
}

fn knobs(gpu: &Gpu) -> String {
    named(gpu.knobs.iter().map(|knob| (&knob.name, &knob.state)))
}

fn named<'a>(all: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let there = all.filter(|(_, state)| *state != "absent");
    let there: Vec<_> = there
        .map(|(name, state)| format!("{} {state}", name.replace('_', " ")))
        .collect();
    if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    }
}

fn celsius(degrees: f64) -> String {
    format!("{degrees:.1} °C")
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
    let limit = watts(gpu.limit.current?);
    Some(match gpu.limit.original.map(watts) {
        Some(original) => format!("limit {limit}, originally {original}"),
        None => format!("limit {limit}, the original"),
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

fn lease(lease: &Lease) -> Part {
    let tone = if lease.level == "emergency" {
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
        .text("level", &lease.level)
        .text("source", source)
        .text("left", left(lease.expires_in_seconds))
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
