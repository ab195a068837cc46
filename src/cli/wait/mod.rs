//! `wait`: until GPUs have been cool for a while, such as before a job starts. Changes nothing. Exit
//! codes: 0 cool, 1 nobody can be asked, 75 timed out.

mod below;
mod cards;
mod choose;
mod guard;
mod options;
mod report;
mod source;
mod streak;

use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::error::ErrorKind;

use crate::clock::Clock;

use super::flags::Flags;
use super::help;
use super::log;
use super::output::{in_full, say};
use super::progress;
pub(crate) use options::Options;
use report::{Report, Verdict};
use source::{GpuHeat, Source};
use streak::Streak;

/// A temporary failure, as in sysexits.h: worth another try.
const EXIT_TIMED_OUT: u8 = 75;

/// As often as a guard reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Not shorter on the wall clock, however fast a test's time runs.
const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// How long the first answer may take. Opening GPUs takes seconds on a node without persistence mode.
const FIRST_PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    if options.period > options.timeout {
        let mistake = "--for is longer than --timeout, so the wait could only time out";
        help::command()
            .error(ErrorKind::ValueValidation, mistake)
            .exit();
    }
    let report = match watch(flags, options) {
        Ok(report) => report,
        Err(error) => {
            log::complain(&format!("thermal-guard: {}", in_full(&error)));
            return ExitCode::FAILURE;
        }
    };
    log::remark(&format!("thermal-guard: {}", report.sentence()));
    if options.json {
        // The exit code says it, too.
        let _ = say(&report.json());
    }
    match report.verdict {
        Verdict::Cool => ExitCode::SUCCESS,
        Verdict::TimedOut => ExitCode::from(EXIT_TIMED_OUT),
    }
}

fn watch(flags: &Flags, options: &Options) -> anyhow::Result<Report> {
    let clock = Clock::start(flags.time_scale);
    let source = choose::choose(flags, options, clock)?;
    let asked = source.asked();
    let looks = looking(source, clock);
    let first = match looks.recv_timeout(FIRST_PATIENCE) {
        Ok(first) => first?,
        Err(_) => bail!(
            "{asked} gave no answer for {} s: see `thermal-guard check` and dmesg",
            FIRST_PATIENCE.as_secs()
        ),
    };
    let mut report = Report::begin(options, asked);
    log::remark(&format!("thermal-guard: {}", report.purpose(&first)));
    let mut streak = Streak::new(options.below);
    let mut look = Ok(first);
    loop {
        let now = clock.now();
        let gpus = streak.note(now, clock.wall(), look);
        report.update(now.since_start(), streak.lasts(now), gpus);
        if report.is_over() {
            progress::clear();
            return Ok(report);
        }
        progress::show(&report.so_far());
        let waited = clock.now().since_start();
        let left = clock.on_wall(options.timeout.saturating_sub(waited));
        look = match looks.recv_timeout(left.min(streak::MOST_APART)) {
            Ok(look) => look,
            // The last look stands: it isn't too old.
            Err(RecvTimeoutError::Timeout) if left < streak::MOST_APART => {
                progress::clear();
                return Ok(report.timed_out(clock.now().since_start()));
            }
            Err(RecvTimeoutError::Timeout) => Err(anyhow!("no answer in time")),
            Err(RecvTimeoutError::Disconnected) => Err(anyhow!("nobody looks any more")),
        };
    }
}

/// Looks on a thread of its own, because a call into a hung driver doesn't return.
fn looking(mut source: Box<dyn Source>, clock: Clock) -> Receiver<anyhow::Result<Vec<GpuHeat>>> {
    let (report, looks) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // An error: the receiver has ended.
        while report.send(source.look()).is_ok() {
            thread::sleep(clock.on_wall(LOOK_EVERY).max(LEAST_PAUSE));
        }
    });
    looks
}
