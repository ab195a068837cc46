//! Gets the histories and judges them, beside each other: while one GPU is judged, the next is fetched.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use crate::backtest::card::Wishes;
use crate::backtest::history::History;
use crate::backtest::judge;
use crate::backtest::prometheus::{
    Client, Fetched, Found, GpuSeries, Plan, Target, discover, fetch,
};
use crate::backtest::recorded;
use crate::backtest::report::{GpuReport, Report, Seen, SeenGap};
use crate::backtest::verdict::span;
use crate::cli::flags::Flags;
use crate::cli::progress;
use crate::clock::Clock;
use crate::recording;

use super::options::Options;

/// Histories that wait for a judge.
const WAITING: usize = 4;

pub(super) fn report(flags: &Flags, options: &Options) -> anyhow::Result<Report> {
    let Some(target) = options.target(flags)? else {
        return from_files(options);
    };
    let until = options.until.unwrap_or_else(Clock::unix).as_secs_f64();
    let plan = Plan {
        start: (until - options.last.as_secs_f64()).max(0.0),
        end: until,
        matching: options.matching(),
    };
    from_prometheus(&target, &plan, options.wishes())
}

fn from_prometheus(target: &Target, plan: &Plan, wishes: Wishes) -> anyhow::Result<Report> {
    let shown = &target.url;
    let mut client = Client::new(target)?;
    let found = discover(&mut client, (plan.start, plan.end), &plan.matching)
        .with_context(|| shown.to_owned())?;
    if found.gpus.is_empty() {
        bail!(
            "{shown} has no temperature of a GPU in these {}{}; wanted: DCGM_FI_DEV_GPU_TEMP (dcgm-exporter), nvidia_smi_temperature_gpu (nvidia_gpu_exporter) or thermal_guard_gpu_temperature_celsius",
            span(plan.end - plan.start),
            if plan.matching.is_empty() {
                ""
            } else {
                " with the labels of --match"
            }
        );
    }
    let period = plan.end - plan.start;
    let (fetched, gpus) = judged(wishes, Some(period), |send| {
        let all = found.gpus.len();
        let mut done = 0;
        fetch(&mut client, plan, &found.gpus, |history| {
            done += 1;
            progress::count(done, all, "GPUs");
            // The judges end only when this sender does.
            let _ = send.send(history);
        })
    });
    let fetched = fetched.with_context(|| shown.to_owned())?;
    let gpus = in_order(gpus, &found.gpus);
    let unknown = unknown(&gpus, &found.gpus, &fetched);
    Ok(Report {
        source: shown.clone(),
        start_seconds: plan.start,
        end_seconds: plan.end,
        fleet: judge::fleet(&gpus),
        seen: seen(fetched, &found, &client),
        gpus,
        unknown,
    })
}

fn from_files(options: &Options) -> anyhow::Result<Report> {
    let every = options.every.unwrap_or_default().as_secs_f64();
    let mut samples = 0;
    let mut longest = 0.0_f64;
    let (read, mut gpus) = judged(options.wishes(), None, |send| {
        for path in &options.csv {
            let shown = path.display();
            let recording =
                recording::read(path).with_context(|| format!("{shown} is no recording"))?;
            let name = path.file_name().unwrap_or(path.as_os_str());
            let name = name.to_string_lossy();
            for card in &recording.cards {
                let history = recorded::history(&name, card, every);
                samples += history.rows.len() as u64;
                longest = longest.max(history.length());
                // The judges end only when this sender does.
                let _ = send.send(history);
            }
        }
        Ok::<_, anyhow::Error>(())
    });
    read?;
    gpus.sort_by(|a, b| a.gpu.cmp(&b.gpu));
    Ok(Report {
        source: files(options),
        start_seconds: 0.0,
        end_seconds: longest,
        fleet: judge::fleet(&gpus),
        seen: Seen {
            samples,
            ..Seen::default()
        },
        unknown: unknown(&gpus, &[], &Fetched::default()),
        gpus,
    })
}

fn files(options: &Options) -> String {
    match options.csv.as_slice() {
        [one] => one.display().to_string(),
        all => format!("{} files", all.len()),
    }
}

/// Judges all histories that `produce` sends, on all cores. `period`: in seconds, of all of them; each its
/// own without.
fn judged<T>(
    wishes: Wishes,
    period: Option<f64>,
    produce: impl FnOnce(&SyncSender<History>) -> T,
) -> (T, Vec<GpuReport>) {
    let (send, receive) = sync_channel::<History>(WAITING);
    let receive = Mutex::new(receive);
    let reports = Mutex::new(Vec::new());
    let work = || {
        while let Some(history) = next(&receive) {
            let report = judge::gpu(&history, wishes, period.unwrap_or_else(|| history.length()));
            drop(history);
            reports
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(report);
        }
    };
    let judges = thread::available_parallelism().map_or(1, NonZero::get);
    let produced = thread::scope(|scope| {
        for _ in 0..judges {
            scope.spawn(work);
        }
        let produced = produce(&send);
        drop(send);
        produced
    });
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    (produced, reports)
}

fn next(receive: &Mutex<Receiver<History>>) -> Option<History> {
    let receive = receive.lock().unwrap_or_else(PoisonError::into_inner);
    receive.recv().ok()
}

/// As they were found: by host and index.
fn in_order(mut reports: Vec<GpuReport>, found: &[GpuSeries]) -> Vec<GpuReport> {
    let place = |report: &GpuReport| found.iter().position(|gpu| gpu.key == report.uuid);
    reports.sort_by_cached_key(place);
    reports
}

fn seen(fetched: Fetched, found: &Found, client: &Client) -> Seen {
    let mut warnings = found.warnings.clone();
    for warning in fetched.warnings {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    let gaps = fetched.gaps.into_iter().map(|gap| SeenGap {
        start_seconds: gap.start,
        end_seconds: gap.end,
        gpus: gap.gpus,
        why: gap.why,
    });
    Seen {
        samples: fetched.samples,
        requests: client.requests,
        repeated_requests: client.repeated,
        gaps: gaps.collect(),
        warnings,
    }
}

/// What this history can't tell, and what would.
fn unknown(gpus: &[GpuReport], found: &[GpuSeries], fetched: &Fetched) -> Vec<String> {
    let mut unknown = coarse(gpus);
    let count = |wanted: &dyn Fn(&GpuReport) -> bool| gpus.iter().filter(|gpu| wanted(gpu)).count();
    let all = gpus.len();
    let untold = count(&|gpu| gpu.own_slowdown.is_none());
    if untold > 0 {
        let mut remedies: Vec<String> = found
            .iter()
            .filter(|series| {
                let is = |gpu: &&GpuReport| gpu.uuid == series.key && gpu.own_slowdown.is_none();
                gpus.iter().any(|gpu| is(&gpu))
            })
            .map(|series| format!("{}: {}", series.exporter(), series.how_to_see_slowdown()))
            .collect();
        remedies.sort();
        remedies.dedup();
        let remedies = match remedies.join("; ") {
            none if none.is_empty() => none,
            some => format!(" ({some})"),
        };
        unknown.push(format!(
            "Whether a card slowed itself down: {untold} of {all} don't tell it{remedies}."
        ));
    }
    let assumed = count(&|gpu| gpu.thresholds_assumed);
    if assumed > 0 {
        unknown.push(format!(
            "The thresholds of {assumed} of {all} cards: they are assumed; --alert sets another."
        ));
    }
    let powerless = count(&|gpu| gpu.heat.is_some_and(|heat| heat.mean_watts.is_none()));
    if powerless > 0 {
        unknown.push(format!(
            "The power of {powerless} of {all} cards: without it there is no fit."
        ));
    }
    unknown.push(
        "The air's temperature: none is exported, so a fit is to whatever air there was."
            .to_owned(),
    );
    if !fetched.gaps.is_empty() {
        unknown.push("Parts of the period that the server didn't give: see above.".to_owned());
    }
    unknown
}

/// About the time between scrapes.
pub(super) fn coarse(gpus: &[GpuReport]) -> Vec<String> {
    const FINE_SECONDS: f64 = 5.0;
    let slowest = gpus.iter().filter_map(|gpu| gpu.scrape_seconds);
    let Some(slowest) = slowest.reduce(f64::max) else {
        return Vec::new();
    };
    if slowest <= FINE_SECONDS {
        return Vec::new();
    }
    vec![
        format!(
            "Anything between two scrapes, {slowest:.0} s apart: a peak may have been hotter, and a short slowdown unseen, unless a counter tells."
        ),
        format!(
            "Loads that change within {:.0} s: the guard may have acted more often than said here.",
            (slowest * 4.0).max(60.0)
        ),
    ]
}
