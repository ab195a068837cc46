//! What a running guard itself knows of its GPUs: the state of each sensor and knob, which only
//! shows over time and by writing. It is asked over HTTP, and this check does without an answer.

use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::cli::client::Client;
use crate::config::{Config, Mode};
use crate::guard::lock::{self, Held};
use crate::web::node::Node;
use crate::web::status::{Gpu, Status as Document};

use super::{Finding, Flags};

const CHECK: &str = "running guard";

/// It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The guards of this node, as far as this user can tell.
pub(super) struct Running {
    held: Vec<Held>,
    /// `Ok`: it is this node's.
    document: anyhow::Result<Document>,
}

impl Running {
    /// An observing guard has no locks, and other users can't see one's: so it is asked anyway.
    pub(super) fn ask(flags: &Flags, node: &Node) -> Self {
        if flags.simulate {
            let document = Err(anyhow!("simulated"));
            return Self {
                held: Vec::new(),
                document,
            };
        }
        let held = lock::held(&flags.lock_dir);
        let document = document(flags).and_then(|document| {
            let is_ours = !held.is_empty() || is_of(&document, node);
            is_ours.then_some(document).context("another node's")
        });
        Self { held, document }
    }

    /// A guard may be told on its command line what the file doesn't say: what is looked at is what
    /// runs.
    pub(super) fn with_its_mode(&self, flags: &Flags, config: Config) -> (Config, Option<Finding>) {
        const OBSERVE: &str = Mode::Observe.name();
        let is_told = flags.mode.is_some() || flags.dry_run;
        match &self.document {
            Ok(document)
                if !is_told
                    // One that enforces has a lock.
                    && self.held.is_empty()
                    && config.mode == Mode::Enforce
                    && document.mode == OBSERVE =>
            {
                let detail = "the guard that runs here observes, as its command line says: looked at as such; --mode=enforce looks at the other";
                let config = Config {
                    mode: Mode::Observe,
                    ..config
                };
                (config, Some(Finding::ok("mode", detail)))
            }
            _ => (config, None),
        }
    }

    /// A line for each of its GPUs; none where no guard is seen.
    pub(super) fn all(&self, flags: &Flags) -> Vec<Finding> {
        match &self.document {
            Ok(document) => of(document, &self.held, &flags.url),
            Err(_) if self.held.is_empty() => Vec::new(),
            Err(error) => {
                let who = who(&self.held.iter().collect::<Vec<_>>());
                vec![Finding::warn(
                    CHECK,
                    format!("{who}; {error:#}"),
                    "it goes on, but nothing is known of its sensors and knobs here: --url says where it listens",
                )]
            }
        }
    }
}

fn document(flags: &Flags) -> anyhow::Result<Document> {
    let status = Client::with_patience(flags, PATIENCE)?.read("/api/v1/status")?;
    serde_json::from_value(status).context("the guard's status is of a form unknown here")
}

/// Whether a guard calls itself as this node is called. Loopback addresses are everybody's.
fn is_of(document: &Document, node: &Node) -> bool {
    let own = node.name();
    !document.simulated && !own.is_empty() && document.names.iter().any(|name| name == own)
}

/// `pid 4711 has GPU-…`.
fn who(held: &[&Held]) -> String {
    let each = held.iter().map(|it| match it.pid.as_str() {
        "" => format!("a guard has {}", it.uuid),
        pid => format!("pid {pid} has {}", it.uuid),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Of another node's guard, or of one that has other locks, nothing is said.
fn of(document: &Document, held: &[Held], url: &str) -> Vec<Finding> {
    let has = |uuid: &str| document.gpus.iter().any(|gpu| gpu.uuid == uuid);
    let locked = |gpu: &&Gpu| held.iter().any(|it| it.uuid.as_str() == gpu.uuid);
    let (own, others): (Vec<_>, Vec<_>) = held.iter().partition(|it| has(it.uuid.as_str()));
    let other = (!others.is_empty()).then(|| {
        Finding::warn(
            CHECK,
            format!(
                "the guard at {url} has none of the GPUs that are locked here by another: {}",
                who(&others)
            ),
            "name the one that has them with --url",
        )
    });
    if own.is_empty() && other.is_some() {
        return other.into_iter().collect();
    }
    let mode = &document.mode;
    let detail = match own.as_slice() {
        [] => format!("one is running at {url}, mode {mode}"),
        own => format!("one is running at {url}, mode {mode}: {}", who(own)),
    };
    let summary = Finding::ok(
        CHECK,
        format!("{detail}; a second one could only have other GPUs (`gpus`)"),
    );
    let gpus = document.gpus.iter();
    let gpus = gpus.filter(|gpu| held.is_empty() || locked(gpu));
    let misheard = document.chain.misses();
    let misheard = misheard.map(|others| misheard_by(document, others));
    std::iter::once(summary)
        .chain(gpus.map(of_gpu))
        .chain(other)
        .chain(misheard)
        .collect()
}

fn misheard_by(document: &Document, others: &str) -> Finding {
    let called = document.names.join(", ");
    Finding::warn(
        CHECK,
        format!("heartbeats come for {others}, and none for this guard ({called})"),
        "if that is this node, put its name under node.names, or start its container with --hostname",
    )
}

fn of_gpu(gpu: &Gpu) -> Finding {
    let sensors = gpu.sensors.iter();
    let sensors = sensors.map(|it| (&it.name, &it.state, &it.why));
    let knobs = gpu.knobs.iter();
    let knobs = knobs.map(|it| (&it.name, &it.state, &it.why));
    let at_fault = sensors
        .clone()
        .chain(knobs.clone())
        .any(|it| it.2.is_some());
    let (sensors, knobs) = (told(sensors), told(knobs));
    let detail = format!("{}; sensors: {sensors}; knobs: {knobs}", gpu.state);
    let finding = if gpu.unguarded.is_some() {
        Finding::warn(CHECK, detail, gpu.why.clone())
    } else if at_fault {
        let remedy = "the guard goes on without what fails; its log says what helps";
        Finding::warn(CHECK, detail, remedy)
    } else {
        Finding::ok(CHECK, detail)
    };
    match gpu.index {
        Some(index) => finding.of_gpu(index),
        None => finding,
    }
}

/// `core working, memory failing (fails with NVML code 999)`.
fn told<'a>(all: impl Iterator<Item = (&'a String, &'a String, &'a Option<String>)>) -> String {
    let words: Vec<_> = all
        .map(|(name, state, why)| match why {
            Some(why) => format!("{name} {state} ({why})"),
            None => format!("{name} {state}"),
        })
        .collect();
    if words.is_empty() {
        "not told".to_owned()
    } else {
        words.join(", ")
    }
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
