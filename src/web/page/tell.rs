//! An event in words.

use std::time::UNIX_EPOCH;

use crate::guard::events::{Event, LeaseTurn, Outcome, Seen, Throttle, What, Word, trouble};

use super::gpu::lasting;
use super::part::{Part, Tone};

/// One line of the last events.
pub(super) fn line(event: &Event) -> Part {
    let (tone, text) = what(&event.what);
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + event.time).to_string();
    let gpu = event.gpu.as_ref();
    let who = gpu.map_or("guard".to_owned(), |gpu| format!("GPU {}", gpu.gpu));
    Part::new(
        format!("{}{who}{text}", event.time.as_millis()),
        tone.name(),
    )
    .text("time", time)
    .text("who", who)
    .text("what", text)
}

fn what(what: &What) -> (Tone, String) {
    match what {
        What::Started {
            version,
            mode,
            simulated,
            ..
        } => {
            let simulated = if *simulated { ", simulated" } else { "" };
            (
                Tone::Plain,
                format!("started, version {version}, {mode}{simulated}"),
            )
        }
        What::Stopped { .. } => plain("stopped"),
        What::Throttled(throttle) => (heavy(&throttle.level), throttled("throttled", throttle)),
        What::Escalated(throttle) => (heavy(&throttle.level), throttled("escalated", throttle)),
        What::Blinded(throttle) => (Tone::Bad, throttled("blind, capped", throttle)),
        What::Eased(seen) => (Tone::Notice, format!("emergency over{}", at(seen))),
        What::Recovering(seen) => (Tone::Plain, format!("giving back{}", at(seen))),
        What::Recovered(outcome) => (Tone::Good, recovered(outcome)),
        What::Left { capped: true } => (Tone::Notice, "let go of, left capped".to_owned()),
        What::Left { capped: false } => plain("let go of, all given back"),
        What::TroubleBegan { trouble, detail } => (Tone::Bad, troubled(trouble, detail.as_ref())),
        What::TroubleEnded {
            trouble, seconds, ..
        } => {
            let after = lasting(*seconds);
            (
                Tone::Good,
                format!("over after {after}: {}", troubled(trouble, None)),
            )
        }
        What::Lease(turn) => (Tone::Plain, lease(turn)),
        What::Chain { from, to } => {
            let tone = if to == "ok" { Tone::Good } else { Tone::Notice };
            (tone, format!("alert chain {to}, was {from}"))
        }
        What::Paused { for_seconds } => (
            Tone::Notice,
            format!("paused by an operator for {}", lasting(*for_seconds)),
        ),
        What::Resumed => plain("resumed by an operator"),
        What::Detached => (Tone::Notice, "detached by an operator".to_owned()),
        What::Attached => plain("attached by an operator"),
        What::Reloaded { ok: true } => plain("configuration read again"),
        What::Reloaded { ok: false } => (Tone::Bad, "a bad configuration was refused".to_owned()),
        What::Xid { xid, count } => (Tone::Bad, format!("Xid {xid} reported, {count} in all")),
        What::Unrecorded { count } => (
            Tone::Bad,
            format!("{count} events couldn't be written down"),
        ),
        What::Unknown => plain("something that this version has no word for"),
    }
}

fn plain(text: &str) -> (Tone, String) {
    (Tone::Plain, text.to_owned())
}

fn heavy(level: &Word) -> Tone {
    if level == "emergency" {
        Tone::Bad
    } else {
        Tone::Notice
    }
}

fn throttled(how: &str, throttle: &Throttle) -> String {
    let by = match throttle.trigger.as_deref() {
        Some("alert") => "an alert asked",
        Some("local") => "the local loop",
        Some("fallback") => "the local loop, without its alert chain",
        Some("manual") => "an operator asked",
        _ => "found so",
    };
    let (level, why) = (&throttle.level, &throttle.why);
    let why = if why.is_empty() {
        String::new()
    } else {
        format!(", {why}")
    };
    format!("{how} ({level}): {by}{why}{}", at(&throttle.seen))
}

fn at(seen: &Seen) -> String {
    let celsius = seen.temperature_celsius;
    celsius.map_or_else(String::new, |celsius| format!(" at {celsius:.1} °C"))
}

fn recovered(outcome: &Outcome) -> String {
    let hottest = outcome.hottest_celsius;
    let hottest = hottest.map_or_else(String::new, |hottest| format!(", hottest {hottest:.1} °C"));
    format!("recovered after {}{hottest}", lasting(outcome.seconds))
}

fn lease(turn: &LeaseTurn) -> String {
    let whose = match &turn.fingerprint {
        Some(fingerprint) => format!("alert {fingerprint}"),
        None if turn.source == "manual" => "an operator".to_owned(),
        None => turn.source.to_string(),
    };
    format!("{} lease {}, {whose}", turn.level, turn.turn)
}

fn troubled(trouble: &Word, detail: Option<&Word>) -> String {
    let said = match &**trouble {
        trouble::INFEASIBLE => "not even the coldest rung holds it",
        trouble::CONTESTED => "somebody else keeps raising the limit",
        trouble::OVERHELD => "alerts have held it too long and are not obeyed",
        trouble::DOUBT => "its sensor isn't believed",
        trouble::ACTION => "a write fails",
        trouble::JOURNAL => "the journal can't be written",
        trouble::GPU_LOST => "the GPU doesn't answer",
        trouble::DRIVER_GONE => "no NVIDIA driver",
        other => other,
    };
    detail.map_or_else(|| said.to_owned(), |detail| format!("{said} ({detail})"))
}
