//! All GPUs of which a journal is left, and the applications after them.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::apps::Apps;
use crate::clock::Clock;
use crate::config::{Config, GpuRef, GpuSelection};
use crate::device::DriverOptions;
use crate::device::Uuid;
use crate::device::factory;
use crate::disk::gpu_lock;
use crate::disk::gpu_lock::{GpuLock, Held};
use crate::events::Events;
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::{Entry, JournalError};

use super::apps;
use super::gpu::Job;
use super::options::Options;
use super::report::{Outcome, Report};
use crate::cli::flags::{Flags, ModeFlag};
use crate::cli::{log, setup};

/// Beyond the wait itself: opening a GPU takes seconds on a node without persistence.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn restore(flags: &Flags, options: &Options) -> Report {
    let state_dir = flags.state_dir();
    let (entries, errors) = journal::load_all(&flags.journal_dirs());
    let is_aside = |error: &JournalError| matches!(error, JournalError::SetAside { .. });
    let (set_aside, errors): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_aside);
    let loaded = setup::configuration(flags);
    let invalid = loaded.is_err();
    let config = loaded.unwrap_or_else(|error| {
        log::complain(&format!("thermal-guard: {error}"));
        Config::default()
    });
    if let Some(guard) = running(&flags.lock_dir, &config.gpus, &entries) {
        return Report::default().keeping(refusal(&guard));
    }
    let mut report = Report::default();
    for error in errors {
        report = report.keeping(format!("kept: {error}; {}", unread(&error)));
    }
    let mut entries = entries;
    if invalid && !options.force {
        // Its thresholds and sensors decide when a GPU is cool; the defaults may call a hot one so.
        for entry in entries.drain(..) {
            report = report.keeping(format!(
                "{}: kept: without a valid configuration it isn't known when this GPU is cool; correct the file and run `thermal-guard restore` again, or use --force",
                entry.uuid
            ));
        }
    }
    let events = Arc::new(Events::new());
    if !entries.is_empty() && !is_observing(flags) {
        events.write_to(&state_dir);
    }
    for (uuid, outcome) in give_back(flags, options, &config, &events, entries) {
        report = report.about(uuid, outcome);
    }
    events.close();
    // Applications stay slow while one of the GPUs stays throttled.
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
    // It may be of any age, so no application stays slow for it.
    for error in set_aside {
        report = report.keeping(format!(
            "kept: {error}, so that what it covered can't be told; compare the GPU's limit with its default (nvidia-smi -q -d POWER), set it by hand (nvidia-smi -pl), and remove the file"
        ));
    }
    if report.text.is_empty() {
        report = report.with("nothing is left of a dead guard");
    }
    report
}

/// What a journal that can't be read means, or who can read it.
fn unread(error: &JournalError) -> &'static str {
    if error.is_denied() {
        "run this as root (sudo thermal-guard restore)"
    } else {
        "what it covered can't be told"
    }
}

/// Only by this command line: the configuration's mode is about the running guard.
fn is_observing(flags: &Flags) -> bool {
    flags.dry_run || flags.mode == Some(ModeFlag::Observe)
}

/// A running guard that has one of these GPUs, or one that the configuration selects.
fn running(lock_dir: &Path, selected: &GpuSelection, entries: &[Entry]) -> Option<Held> {
    let is_ours = |uuid: &Uuid| match selected {
        GpuSelection::All => true,
        GpuSelection::Listed(gpus) => gpus.iter().any(|gpu| match gpu {
            GpuRef::Uuid(listed) => listed.eq_ignore_ascii_case(uuid.as_str()),
            // Only the driver could tell, and it may be gone.
            GpuRef::Pci(_) | GpuRef::Index(_) => false,
        }),
    };
    gpu_lock::held(lock_dir)
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

/// Gives back on a thread for each GPU, because a call into a hung driver doesn't return.
fn give_back(
    flags: &Flags,
    options: &Options,
    config: &Config,
    events: &Arc<Events>,
    entries: Vec<Entry>,
) -> Vec<(Uuid, Outcome)> {
    let driver = factory::driver(DriverOptions {
        library: flags.nvml_library.clone(),
    });
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
            journal_dirs: flags.journal_dirs(),
            events: events.clone(),
            entry,
        };
        let (results, lock_dir) = (results.clone(), flags.lock_dir.clone());
        thread::spawn(move || {
            let uuid = job.entry.uuid.clone();
            let outcome = locked(&lock_dir, job);
            // The receiver is gone if this took too long.
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
