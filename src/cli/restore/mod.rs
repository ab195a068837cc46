//! `restore`: gives back, from the journal, what a dead guard left behind. Exit codes: 0 nothing is
//! left, 1 something is kept. Runs after every stop of the service, so it needs neither a valid
//! configuration nor, with nothing left, a driver.

mod apps;
mod gpu;

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::config::{Config, GpuRef, GpuSelection, Mode};
use crate::device::Uuid;
use crate::device::nvml::NvmlDriver;
use crate::guard::events::Events;
use crate::guard::journal::{self, Entry};
use crate::guard::lock::{self, GpuLock, Held};
use crate::guard::{Apps, Clock};

use super::manager::{self, Next};
use super::{Flags, ModeFlag, log, period, say, serve};
use gpu::Job;

/// Beyond the wait itself: opening a GPU takes seconds on a node without persistence.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// How long a GPU may take to cool down to safe.
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = period::to_wait, allow_hyphen_values = true)]
    wait: Duration,
    /// Give back whatever the temperature.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let report = if flags.simulate {
        Report::default().with("simulated GPUs end with their guard: nothing to give back")
    } else {
        after(next(flags)).unwrap_or_else(|| restore(flags, options))
    };
    // Nobody has to read it.
    let _ = say(&report.text);
    ExitCode::from(u8::from(report.is_kept))
}

/// Who comes after. One that only observes gives nothing back.
fn next(flags: &Flags) -> Next {
    match manager::after_end() {
        Next::Guard if manager::is_told_to_observe() || observes(flags) => Next::Nobody,
        next => next,
    }
}

fn observes(flags: &Flags) -> bool {
    serve::configuration(flags).is_ok_and(|config| config.mode == Mode::Observe)
}

/// In `ExecStopPost=`: nothing is given back where a guard follows, or the machine goes down.
fn after(next: Next) -> Option<Report> {
    let report = Report::default();
    match next {
        Next::Nobody => None,
        Next::Guard => Some(report.with(
            "systemd is about to start the next guard: it goes on with what is throttled",
        )),
        Next::Shutdown => Some(report.with(
            "the machine goes down, and with it what was set: nothing given back",
        )),
        Next::Unknown => Some(report.keeping(
            "kept: systemd doesn't say whether another guard follows; run `thermal-guard restore` again if none does",
        )),
    }
}

/// What was done, for people, and whether something is kept.
#[derive(Default)]
struct Report {
    text: String,
    is_kept: bool,
}

impl Report {
    fn with(mut self, line: impl Display) -> Self {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{line}");
        self
    }

    fn about(self, what: impl Display, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done(text) => self.with(format!("{what}: {text}")),
            Outcome::Kept(text) => self.keeping(format!("{what}: {text}")),
        }
    }

    fn keeping(self, line: impl Display) -> Self {
        Self {
            is_kept: true,
            ..self.with(line)
        }
    }
}

/// How it went with one thing.
enum Outcome {
    Done(String),
    Kept(String),
}

fn restore(flags: &Flags, options: &Options) -> Report {
    let state_dir = flags.state_dir();
    let (entries, errors) = journal::load_all(&state_dir);
    let loaded = serve::configuration(flags);
    let invalid = loaded.is_err();
    let config = loaded.unwrap_or_else(|error| {
        log::complain(&format!(
            "thermal-guard: {error}\nthermal-guard: going on with the defaults"
        ));
        Config::default()
    });
    if let Some(guard) = running(&flags.lock_dir, &config.gpus, &entries) {
        return Report::default().keeping(refusal(&guard));
    }
    let mut report = Report::default();
    for error in errors {
        report = report.keeping(format!("kept: {error}; what it covered can't be told"));
    }
    let events = Arc::new(Events::new());
    if !entries.is_empty() && !is_observing(flags) {
        events.write_to(&state_dir);
    }
    for (uuid, outcome) in give_back(flags, options, &config, &events, entries) {
        report = report.about(uuid, outcome);
    }
    events.close();
    // An app follows its GPUs: while one is kept throttled, so are they.
    if !report.is_kept && !is_observing(flags) {
        let mut outcome = apps::give_back(config.apps, &state_dir);
        let is_kept = matches!(outcome, Some(Outcome::Kept(_)));
        if invalid && !is_kept && Apps::may_be_left(&state_dir) {
            let why =
                "perhaps not all told normal: the configuration, which names them, isn't valid";
            outcome = Some(Outcome::Kept(why.to_owned()));
        }
        if let Some(outcome) = outcome {
            report = report.about("applications", outcome);
        }
    }
    if report.text.is_empty() {
        report = report.with("nothing is left of a dead guard");
    }
    report
}

/// Asked for on this command line: what the configuration says is about the running guard.
fn is_observing(flags: &Flags) -> bool {
    flags.dry_run || flags.mode == Some(ModeFlag::Observe)
}

/// A guard that still has one of these GPUs, or, by the configuration, would have.
fn running(lock_dir: &Path, selected: &GpuSelection, entries: &[Entry]) -> Option<Held> {
    let is_ours = |uuid: &Uuid| match selected {
        GpuSelection::All => true,
        GpuSelection::Listed(gpus) => gpus.iter().any(|gpu| match gpu {
            GpuRef::Uuid(listed) => listed.eq_ignore_ascii_case(uuid.as_str()),
            // Only a driver could tell, and it may be what died.
            GpuRef::Pci(_) | GpuRef::Index(_) => false,
        }),
    };
    lock::held(lock_dir)
        .into_iter()
        .find(|held| is_ours(&held.uuid) || entries.iter().any(|entry| entry.uuid == held.uuid))
}

fn refusal(guard: &Held) -> String {
    let pid = if guard.pid.is_empty() {
        String::new()
    } else {
        format!(" (pid {})", guard.pid)
    };
    format!(
        "refused: a guard{pid} is running and has {}; it gives back what it took itself. Stop it first",
        guard.uuid
    )
}

/// A thread for each GPU, because a call into a hung driver doesn't return.
fn give_back(
    flags: &Flags,
    options: &Options,
    config: &Config,
    events: &Arc<Events>,
    entries: Vec<Entry>,
) -> Vec<(Uuid, Outcome)> {
    let driver = Arc::new(NvmlDriver::new(flags.nvml_library.clone()));
    let clock = Clock::start(1.0);
    let (results, outcomes) = mpsc::channel();
    let mut waiting = Vec::new();
    for entry in entries {
        waiting.push(entry.uuid.clone());
        let job = Job {
            driver: driver.clone(),
            clock,
            deadline: clock.wall() + options.wait,
            force: options.force,
            observe: is_observing(flags),
            trips: config.thresholds,
            sensors: config.sensors.clone(),
            restore_clock: config.actuators.gpu_clock_restore,
            state_dir: flags.state_dir(),
            events: events.clone(),
            entry,
        };
        let (results, lock_dir) = (results.clone(), flags.lock_dir.clone());
        thread::spawn(move || {
            let uuid = job.entry.uuid.clone();
            let outcome = locked(&lock_dir, job);
            // Nobody listens any more if this took too long.
            let _ = results.send((uuid, outcome));
        });
    }
    drop(results);
    collect(
        &outcomes,
        waiting,
        clock,
        options.wait.saturating_add(GRACE),
    )
}

fn locked(lock_dir: &Path, job: Job) -> Outcome {
    match GpuLock::acquire(lock_dir, &job.entry.uuid) {
        Ok(_lock) => job.run(),
        Err(error) => Outcome::Kept(format!("not touched: {error}")),
    }
}

fn collect(
    outcomes: &Receiver<(Uuid, Outcome)>,
    mut waiting: Vec<Uuid>,
    clock: Clock,
    patience: Duration,
) -> Vec<(Uuid, Outcome)> {
    let deadline = clock.wall() + patience;
    let mut all = Vec::new();
    while !waiting.is_empty() {
        match outcomes.recv_timeout(deadline.since(clock.wall())) {
            Ok((uuid, outcome)) => {
                waiting.retain(|other| *other != uuid);
                all.push((uuid, outcome));
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    let hung = || Outcome::Kept("kept: the driver doesn't answer".to_owned());
    all.extend(waiting.into_iter().map(|uuid| (uuid, hung())));
    all
}
