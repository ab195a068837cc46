//! Which bars are met. Said, and no more: a machine's mood must not fail a build.

use std::fmt::Write as _;
use std::path::Path;

use crate::measure::Measured;
use crate::program::{ALL_SMI_1S, GUARD, NVITOP};
use crate::report::{IDLE, RESIDENT, ROWS, Row, SCRAPES, SERIES, digits, of, shown, slowed};

/// Most memory that is allowed.
const MEMORY_MIB: f64 = 12.0;

/// Largest binary that is allowed.
const BINARY_MIB: f64 = 8.0;

const MIB: f64 = 1024.0 * 1024.0;

/// How much the same figure differs from one run to the next, about.
const NOISE: f64 = 1.05;

/// Something to be reached.
struct Goal {
    what: &'static str,
    bar: &'static str,
    aim: &'static str,
    measured: String,
    met: bool,
}

/// A table of what was to be reached.
pub(crate) fn bars(peers: &[Measured], sizes: &[Measured]) -> String {
    let guard = of(peers, GUARD);
    let rivals = [of(peers, NVITOP), of(peers, ALL_SMI_1S)];
    let mut text = "| | bar | aim | measured | |\n|---|---|---|---|---|\n".to_owned();
    let all = [idle(guard, rivals)]
        .into_iter()
        .chain(memory(guard, rivals))
        .chain([&SCRAPES, &SERIES].map(|row| rate(row, guard, rivals)))
        .chain([slow_nvml(guard), more_gpus(sizes), binary()]);
    for Goal {
        what,
        bar,
        aim,
        measured,
        met,
    } in all
    {
        let verdict = if met { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {what} | {bar} | {aim} | {measured} | {verdict} |");
    }
    text
}

fn least(row: &Row, rivals: [&Measured; 2]) -> f64 {
    rivals.map(row.value).into_iter().fold(f64::MAX, f64::min)
}

fn idle(guard: &Measured, rivals: [&Measured; 2]) -> Goal {
    let share = (IDLE.value)(guard) / least(&IDLE, rivals);
    Goal {
        what: "idle, 8 GPUs, each second",
        bar: "≤ 1 of the best peer",
        aim: "0.5",
        measured: format!("{} of the best peer", digits(share)),
        met: share <= 1.0,
    }
}

fn memory(guard: &Measured, rivals: [&Measured; 2]) -> [Goal; 2] {
    let resident = (RESIDENT.value)(guard);
    let share = resident / least(&RESIDENT, rivals);
    let [first, last] = guard.memory.map(|memory| memory.anonymous as f64);
    let growth = last / first;
    [
        Goal {
            what: RESIDENT.name,
            bar: "≤ 12 MiB",
            aim: "below the best peer",
            measured: format!(
                "{} MiB, {} of the best peer",
                digits(resident / MIB),
                digits(share)
            ),
            met: resident <= MEMORY_MIB * MIB,
        },
        Goal {
            what: "own memory, flat",
            bar: "× 1",
            aim: "",
            measured: format!("× {} over {} scrapes", digits(growth), guard.scraped),
            met: growth <= NOISE,
        },
    ]
}

fn rate(row: &Row, guard: &Measured, rivals: [&Measured; 2]) -> Goal {
    let best = rivals.map(row.value).into_iter().fold(0.0, f64::max);
    let times = (row.value)(guard) / best;
    Goal {
        what: row.name,
        bar: "≥ 5 × the best peer",
        aim: "10 ×",
        measured: format!("{} × the best peer", digits(times)),
        met: times >= 5.0,
    }
}

fn slow_nvml(guard: &Measured) -> Goal {
    let slower = slowed(&guard.figures);
    Goal {
        what: "scrape, p99, slow NVML",
        bar: "≤ 1.1 × without",
        aim: "",
        measured: format!("{} ×", digits(slower)),
        met: slower <= 1.1,
    }
}

fn more_gpus(sizes: &[Measured]) -> Goal {
    let (name, worst) = steepest(sizes);
    Goal {
        what: "cost per GPU, 1 to 16",
        bar: "linear or better",
        aim: "",
        measured: format!("at most {} × linear ({name})", digits(worst)),
        met: worst <= NOISE,
    }
}

fn binary() -> Goal {
    let file = Path::new(env!("CARGO_BIN_EXE_thermal-guard")).metadata();
    let size = file.map_or(0.0, |file| file.len() as f64 / MIB);
    Goal {
        what: "binary, stripped",
        bar: "≤ 8 MiB",
        aim: "",
        measured: format!("{} MiB", digits(size)),
        met: size <= BINARY_MIB,
    }
}

/// What a scrape costs; the other way round than [`SCRAPES`], so that it grows.
fn scrape_cost(of: &Measured) -> f64 {
    1.0 / (SCRAPES.value)(of)
}

/// The rows that grow with the number of GPUs, if any do.
fn costs() -> impl Iterator<Item = (&'static str, fn(&Measured) -> f64)> {
    let all = ROWS.iter().filter(|row| row.name != SERIES.name);
    all.map(|row| match row.name {
        name if name == SCRAPES.name => ("processor time of a scrape", scrape_cost as _),
        name => (name, row.value),
    })
}

/// Where the cost of a GPU grows most from one size to the next; 1 is linear.
fn steepest(sizes: &[Measured]) -> (&'static str, f64) {
    let steps = costs().flat_map(|(name, value)| {
        sizes.windows(2).map(move |pair| {
            let gpus = pair[1].gpus as f64 / pair[0].gpus as f64;
            (name, value(&pair[1]) / value(&pair[0]) / gpus)
        })
    });
    steps
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .unwrap_or_default()
}

/// Each figure at each size, and what twice as many GPUs make of it.
pub(crate) fn growth(sizes: &[Measured]) -> String {
    let names: Vec<_> = sizes.iter().map(|one| one.gpus.to_string()).collect();
    let mut text = format!("| GPUs | {} | last ÷ last but one |\n", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(sizes.len() + 1));
    for row in &ROWS {
        let cells = sizes
            .iter()
            .map(|one| shown(row, one).unwrap_or("–".into()));
        let cells: Vec<_> = cells.collect();
        let last = sizes
            .last_chunk()
            .map_or(0.0, |[one, other]| (row.value)(other) / (row.value)(one));
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            row.name,
            cells.join(" | "),
            digits(last)
        );
    }
    text
}
