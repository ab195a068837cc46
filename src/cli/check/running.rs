//! Asks a running guard for the state of each sensor and knob, which shows only over time and through
//! writes. It is asked over HTTP; the check works without an answer, too.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{self, Path};
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::alerts::target::node::Node;
use crate::cli::client::Client;
use crate::cli::client::reader::Reader;
use crate::cli::when::Zone;
use crate::config::{Config, Mode};
use crate::disk;
use crate::disk::gpu_lock;
use crate::disk::gpu_lock::Held;
use crate::guard::evidence::REMEDY_OF_FAN;
use crate::web::status::{Gpu, Status as Document};

use crate::cli::check::finding::Finding;
use crate::cli::flags::Flags;

const CHECK: &str = "running guard";

/// The guard answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The status document rounds times to this.
const TO_THE_MILLISECOND: Duration = Duration::from_millis(1);

/// The guards of this node, as far as this user can see them.
pub(crate) struct Running {
    held: Vec<Held>,
    /// `Ok`: a guard of this node.
    document: anyhow::Result<Document>,
}

impl Running {
    /// An observing guard has no locks, and other users can't see another user's locks, so it is asked
    /// in any case.
    pub(crate) fn ask(flags: &Flags, reader: &Reader, node: &Node) -> Self {
        if flags.simulate {
            let document = Err(anyhow!("simulated"));
            return Self {
                held: Vec::new(),
                document,
            };
        }
        let held = gpu_lock::held(&flags.lock_dir);
        let document = document(flags, reader).and_then(|document| {
            let is_ours = !held.is_empty() || is_of(&document, node);
            is_ours.then_some(document).context("another node's")
        });
        Self { held, document }
    }

    /// The running guard's command line may set another mode than the file. The check then uses the
    /// mode of the running guard.
    pub(crate) fn with_its_mode(&self, flags: &Flags, config: Config) -> (Config, Option<Finding>) {
        let is_told = flags.mode.is_some() || flags.dry_run;
        match &self.document {
            Ok(document)
                if !is_told
                    // An enforcing guard has a lock.
                    && self.held.is_empty()
                    && config.mode == Mode::Enforce
                    && document.mode == Mode::Observe =>
            {
                let detail = "the guard that runs here observes, by its command line; checked as such (--mode=enforce checks for the other mode)";
                let config = Config {
                    mode: Mode::Observe,
                    ..config
                };
                (config, Some(Finding::ok("mode", detail)))
            }
            _ => (config, None),
        }
    }

    /// A finding for each of its GPUs; none if there is no guard.
    pub(crate) fn all(&self, flags: &Flags) -> Vec<Finding> {
        match &self.document {
            Ok(document) => {
                let mut findings = of(document, &self.held, &flags.url);
                findings.extend(outdated(document, flags));
                findings
            }
            Err(_) if self.held.is_empty() => Vec::new(),
            Err(error) => {
                let who = who(&self.held.iter().collect::<Vec<_>>());
                vec![Finding::warn(
                    CHECK,
                    format!("{who}; {error:#}"),
                    "it keeps running, but the state of its sensors and knobs is unknown here: give its address with --url",
                )]
            }
        }
    }
}

/// The file that this check reads is the guard's, and has changed since the guard read it: what the
/// check says of thresholds isn't in force.
fn outdated(document: &Document, flags: &Flags) -> Option<Finding> {
    let file = path::absolute(flags.config_file.as_deref()?).ok()?;
    let theirs = document.configuration.as_ref()?;
    if file.as_os_str() != theirs.file.as_str() {
        return None;
    }
    let read = Duration::try_from_secs_f64(theirs.read_time).ok()?;
    (changed(&file)? > read + TO_THE_MILLISECOND).then(|| {
        let when = Zone::local().date(read);
        Finding::warn(
            CHECK,
            format!("it still uses the configuration from {when}; the file has changed since"),
            "systemctl reload thermal-guard",
        )
    })
}

/// When the file was last written, or put in place of another; since the Unix epoch.
fn changed(file: &Path) -> Option<Duration> {
    let its = file.to_owned();
    let meta = disk::patiently(file, PATIENCE, move || fs::metadata(its));
    let meta = meta.flatten().ok()?;
    let times = [
        (meta.mtime(), meta.mtime_nsec()),
        (meta.ctime(), meta.ctime_nsec()),
    ];
    let times = times.into_iter().filter_map(|(seconds, nanos)| {
        let seconds = u64::try_from(seconds).ok()?;
        Some(Duration::new(seconds, u32::try_from(nanos).ok()?))
    });
    times.max()
}

fn document(flags: &Flags, reader: &Reader) -> anyhow::Result<Document> {
    let client = Client::with_patience(flags, PATIENCE)?.reading_as(reader);
    let status = client.read("/api/v1/status")?;
    serde_json::from_value(status).context("the guard's status is of a form unknown here")
}

/// Whether the guard has this node's name. Loopback addresses prove nothing: every node has them.
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

/// Says nothing about the guard of another node, or one with other locks.
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
    let sensors = sensors.map(|it| (it.name.as_str(), it.state.name(), it.why.as_deref()));
    let knobs = gpu.knobs.iter();
    let knobs = knobs.map(|it| (it.name.as_str(), it.state.name(), it.why.as_deref()));
    let at_fault = sensors
        .clone()
        .chain(knobs.clone())
        .any(|it| it.2.is_some());
    let (sensors, knobs) = (told(sensors), told(knobs));
    let fans = suspect(gpu);
    let fans_at_fault = !fans.is_empty();
    let cooling = cooling(gpu);
    let detail = format!(
        "{}; sensors: {sensors}; knobs: {knobs}{fans}{cooling}",
        gpu.state
    );
    let finding = if gpu.unguarded.is_some() {
        Finding::warn(CHECK, detail, gpu.why.clone())
    } else if at_fault {
        let remedy = "the guard works without the failing part; its log names the remedy";
        Finding::warn(CHECK, detail, remedy)
    } else if fans_at_fault {
        Finding::warn(CHECK, detail, REMEDY_OF_FAN)
    } else if !gpu.cooling.worse_than.is_empty() {
        let remedy = "it cools worse than it did: look for dust, a fan that stands, a blocked inlet, and at its thermal paste";
        Finding::warn(CHECK, detail, remedy)
    } else {
        Finding::ok(CHECK, detail)
    };
    match gpu.index {
        Some(index) => finding.of_gpu(index),
        None => finding,
    }
}

/// `; fan 0 stays under 70 %, …`; empty if no fan is suspect.
fn suspect(gpu: &Gpu) -> String {
    let suspect = gpu.fans.iter().filter_map(|fan| {
        let why = fan.why.as_deref()?;
        Some(format!("; fan {} {why}", fan.index))
    });
    suspect.collect()
}

/// Nothing while the guard is learning.
fn cooling(gpu: &Gpu) -> String {
    let cooling = &gpu.cooling;
    let resistance = cooling.resistance_kelvin_per_watt;
    let resistance = resistance.map(|it| format!("; cooling: {it:.3} K/W to the air"));
    let change = cooling.change_ratio.map(|it| (it - 1.0) * 100.0);
    let change = change.map(|it| format!(", {it:+.0} % against its baseline"));
    let sustainable = cooling.sustainable_watts;
    let sustainable = sustainable.map(|it| format!("; can draw {it:.0} W for good"));
    [resistance, change, sustainable]
        .into_iter()
        .flatten()
        .collect()
}

/// `core working, memory failing (fails with NVML code 999)`.
fn told<'a>(all: impl Iterator<Item = (&'a str, &'a str, Option<&'a str>)>) -> String {
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
mod tests;
