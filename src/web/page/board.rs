//! The status board in words.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use crate::config::Mode;
use crate::events::{Event, Weight};
use crate::guard::Permission;
use crate::policy::{State, Unguarded};
use crate::web::snapshot::Told;
use crate::web::status::{App, Chain, Driver, Gpu, Status, misheard};

use super::gpu::{self, Shown};
use super::part::{Part, Tone};

/// The whole board.
pub(crate) fn board(status: &Status) -> Part {
    let gpus = status.gpus.iter().map(gpu::card).collect();
    let apps = status.apps.iter().map(app).collect();
    let events = status.events.iter().rev().map(event).collect();
    let lights = vec![mode(status), driver(&status.driver), chain(&status.chain)];
    Part::new("board", "")
        .text("node", &status.node)
        .text("title", title(status))
        .text("summary", summary(&status.gpus))
        .text("version", &status.version)
        .list("lights", lights)
        .list("notices", notices(status))
        .list("gpus", gpus)
        .list("apps", apps)
        .list("events", events)
}

fn light(label: &'static str, tone: Tone, text: impl Into<String>) -> Part {
    Part::new(label, tone.name())
        .text("label", label)
        .text("value", text)
}

fn mode(status: &Status) -> Part {
    let real = status.mode == Mode::Enforce && !status.simulated;
    let tone = if real { Tone::Good } else { Tone::Notice };
    let simulated = if status.simulated { ", simulated" } else { "" };
    light("Mode", tone, format!("{}{simulated}", status.mode))
}

fn driver(driver: &Driver) -> Part {
    match (driver.detached, driver.up) {
        (true, _) => light("Driver", Tone::Notice, "detached"),
        (false, true) => light("Driver", Tone::Good, "up"),
        (false, false) => light("Driver", Tone::Bad, "not there"),
    }
}

fn chain(chain: &Chain) -> Part {
    let tone = match (chain.expected, chain.fallback) {
        (_, true) => Tone::Bad,
        (true, false) => Tone::Good,
        (false, false) => Tone::Plain,
    };
    let state = &chain.state;
    let text = match chain.heartbeat_age_seconds {
        Some(age) => format!("{state}, heartbeat {age:.0} s ago"),
        None if chain.expected => format!("{state}, no heartbeat yet"),
        None => format!("{state}, no Alertmanager expected"),
    };
    light("Alert chain", tone, text)
}

/// Facts that a reader must not overlook, in sentences.
fn notices(status: &Status) -> Vec<Part> {
    let (driver, chain) = (&status.driver, &status.chain);
    let mut notices = Vec::new();
    let mut say = |key: &str, tone: Tone, text: &str| {
        notices.push(Part::new(key, tone.name()).text("value", text));
    };
    if driver.detached {
        let text = "Detached by an operator: no GPU is read or guarded until `attach`.";
        say("detached", Tone::Notice, text);
    } else if !driver.up {
        let error = driver.error.as_deref().unwrap_or("not found yet");
        let text = format!("No NVIDIA driver ({error}): nothing is guarded until it is there.");
        say("driver", Tone::Bad, &text);
    }
    if status.mode == Mode::Observe {
        let text = "Observe: every decision is computed and shown, nothing is written to a GPU.";
        say("observe", Tone::Notice, text);
    }
    if status.simulated {
        let text = "Simulated: these GPUs exist in this process only.";
        say("simulated", Tone::Notice, text);
    }
    // A detached guard has its notice above.
    for gpu in &status.gpus {
        let why = gpu.unguarded.as_ref();
        if let Some(why) = why.filter(|why| !driver.detached || **why != Unguarded::Detached) {
            let (index, sentence) = (gpu::index(gpu), &gpu.why);
            let text = format!("Unguarded: nothing can be done for GPU {index}: {sentence}.");
            say(&format!("{why} {index}"), Tone::Bad, &text);
        }
    }
    let denied = status.gpus.iter().filter(|gpu| gpu.unguarded.is_none());
    let denied = denied.filter(|gpu| gpu.permission == Permission::Denied);
    let denied: Vec<_> = denied.map(gpu::index).collect();
    if !denied.is_empty() {
        let gpus = denied.join(", ");
        let text =
            format!("Cannot actuate: no permission to write to GPU {gpus}. Shown, not protected.");
        say("denied", Tone::Bad, &text);
    }
    if chain.fallback {
        let state = &chain.state;
        let fault = chain
            .fault()
            .map_or_else(String::new, |it| format!(": {it}"));
        let text = format!(
            "Fallback: the alert chain is {state}{fault}. The local loop protects without it."
        );
        say("fallback", Tone::Bad, &text);
    }
    if let Some(others) = chain.misses() {
        let text = misheard(others, &status.names);
        say("misheard", Tone::Notice, &format!("Alert chain: {text}."));
    }
    notices
}

fn is_calm(gpu: &Gpu) -> bool {
    Shown::of(gpu) == Shown::State(State::Normal)
}

/// For the browser's tab: the node, and how many GPUs aren't normal.
fn title(status: &Status) -> String {
    let troubled = status.gpus.iter().filter(|gpu| !is_calm(gpu)).count();
    let alarm = if troubled > 0 {
        format!("({troubled}) ")
    } else {
        String::new()
    };
    let at = if status.node.is_empty() { "" } else { " · " };
    format!("{alarm}{}{at}thermal-guard", status.node)
}

fn summary(gpus: &[Gpu]) -> String {
    let mut words = match gpus.len() {
        0 => return "No GPU yet.".to_owned(),
        1 => "1 GPU".to_owned(),
        many => format!("{many} GPUs"),
    };
    let states = [
        Shown::State(State::Unguarded),
        Shown::State(State::Emergency),
        Shown::State(State::Blind),
        Shown::Down,
        Shown::State(State::Gradual),
        Shown::State(State::Recovering),
    ];
    for state in states {
        let count = gpus.iter().filter(|gpu| Shown::of(gpu) == state).count();
        if count > 0 {
            let _ = write!(words, ", {count} {}", state.name());
        }
    }
    if gpus.iter().all(is_calm) {
        words.push_str(", all normal");
    }
    let margins = gpus
        .iter()
        .filter_map(|gpu| gpu.now.margin_to_alert_celsius);
    match margins.reduce(f64::min) {
        Some(margin) if margin < 0.0 => {
            format!("{words}; one is {} over alert", gpu::celsius(-margin))
        }
        Some(margin) => format!(
            "{words}; the nearest is {} under alert",
            gpu::celsius(margin)
        ),
        None => words,
    }
}

fn event(event: &Event) -> Part {
    let tone = match event.weight() {
        Weight::Info => Tone::Plain,
        Weight::Warn => Tone::Notice,
        Weight::Error => Tone::Bad,
    };
    let time = humantime::format_rfc3339_seconds(UNIX_EPOCH + event.time).to_string();
    Part::new(format!("{}{event}", event.time.as_millis()), tone.name())
        .text("time", time)
        .text("what", event.to_string())
}

fn app(app: &App) -> Part {
    let tone = if app.trouble.is_some() {
        Tone::Bad
    } else if app.mode == Told::Normal && !app.failing {
        Tone::Plain
    } else {
        Tone::Notice
    };
    let (mode, ok, failed) = (&app.mode, app.ok, app.failed);
    let now = match app.well {
        _ if app.failing => "; fails now, and is tried again",
        Some(false) => "; its health_url hasn't answered yet",
        _ => "",
    };
    let trouble = app.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |trouble| format!("; {trouble}"));
    Part::new(&app.name, tone.name())
        .text("name", &app.name)
        .text(
            "value",
            format!("{mode}; told {ok} times, failed {failed} times{now}{trouble}"),
        )
}
