//! One GPU's card in words.

use crate::guard::events::span;
use crate::web::status::{Gpu, Lease};

use super::part::{Part, Tone};

pub(super) fn card(gpu: &Gpu) -> Part {
    let now = &gpu.now;
    let trips = now.trips.as_ref();
    let leases = gpu.leases.iter().map(lease).collect();
    Part::new(&gpu.uuid, state(gpu))
        .text("name", format!("GPU {}", gpu.index))
        .text("model", &gpu.name)
        .text("uuid", &gpu.uuid)
        .text("state", state(gpu))
        .maybe(
            "since",
            gpu.state_age_seconds
                .filter(|_| gpu.up)
                .map(|age| format!("for {}", span(age))),
        )
        .text("why", sentence(&gpu.why))
        .maybe(
            "temperature",
            now.temperature_celsius
                .map(|celsius| format!("{celsius:.1} °C")),
        )
        .maybe(
            "memory",
            now.memory_temperature_celsius
                .map(|celsius| format!("memory {celsius:.1} °C")),
        )
        .maybe(
            "trips",
            trips.map(|trips| {
                let (alert, critical, safe) = (
                    trips.alert_celsius,
                    trips.critical_celsius,
                    trips.safe_celsius,
                );
                format!("safe {safe:.0}, alert {alert:.0}, critical {critical:.0} °C")
            }),
        )
        .maybe(
            "draw",
            now.power_draw_watts.map(|watts| format!("{watts:.0} W")),
        )
        .maybe("limit", limit(gpu))
        .maybe(
            "hour",
            gpu.hour.as_ref().map(|hour| {
                format!(
                    "highest {:.1} °C, mean {:.1} °C",
                    hour.max_celsius, hour.mean_celsius
                )
            }),
        )
        .text(
            "throttles",
            format!(
                "{} begun, {} recovered",
                gpu.throttle_events, gpu.recoveries
            ),
        )
        .maybe("held", held(gpu))
        .text("slowed", now.clock_events.join(", ").replace('_', " "))
        .maybe(
            "paused",
            gpu.paused_for_seconds
                .map(|left| format!("by an operator, {} left", span(left))),
        )
        .mark("alert", trips.map(|trips| trips.alert_celsius))
        .mark("critical", trips.map(|trips| trips.critical_celsius))
        .mark("safe", trips.map(|trips| trips.safe_celsius))
        .mark("original", gpu.limit.original.or(gpu.limit.current))
        .list("leases", leases)
}

/// `down` stands for everything that isn't heard of.
pub(super) fn state(gpu: &Gpu) -> &'static str {
    let known = ["normal", "gradual", "emergency", "recovering", "blind"];
    let state = known.into_iter().find(|state| *state == gpu.state);
    state.filter(|_| gpu.up).unwrap_or("down")
}

fn limit(gpu: &Gpu) -> Option<String> {
    let limit = gpu.limit.current?;
    Some(match gpu.limit.original {
        Some(original) => format!("limit {limit:.0} W, originally {original:.0} W"),
        None => format!("limit {limit:.0} W, the original"),
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
        .text("left", format!("{} left", span(lease.expires_in_seconds)))
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
