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

/// A table of what was to be reached.
pub(crate) fn bars(peers: &[Measured], sizes: &[Measured]) -> String {
    let guard = of(peers, GUARD);
    let rivals = [of(peers, NVITOP), of(peers, ALL_SMI_1S)];
    let least = |row: &Row| rivals.map(row.value).into_iter().fold(f64::MAX, f64::min);
    let most = |row: &Row| rivals.map(row.value).into_iter().fold(0.0, f64::max);
    let mut text = "| | bar | aim | measured | |\n|---|---|---|---|---|\n".to_owned();
    let mut say = |what: &str, bar: &str, aim: &str, measured: String, met: bool| {
        let verdict = if met { "met" } else { "**missed**" };
        let _ = writeln!(text, "| {what} | {bar} | {aim} | {measured} | {verdict} |");
    };

    let idle = (IDLE.value)(guard) / least(&IDLE);
    let measured = format!("{} of the best peer", digits(idle));
    say(
        "idle, 8 GPUs, each second",
        "≤ 1 of the best peer",
        "0.5",
        measured,
        idle <= 1.0,
    );
    let resident = (RESIDENT.value)(guard);
    let measured = format!(
        "{} MiB, {} of the best peer",
        digits(resident / MIB),
        digits(resident / least(&RESIDENT))
    );
    let met = resident <= MEMORY_MIB * MIB;
    say(
        "resident memory",
        "≤ 12 MiB",
        "below the best peer",
        measured,
        met,
    );
    let growth = guard.memory[1].anonymous as f64 / guard.memory[0].anonymous as f64;
    let measured = format!("× {} over {} scrapes", digits(growth), guard.scraped);
    say("own memory, flat", "× 1", "", measured, growth <= NOISE);
    for row in [&SCRAPES, &SERIES] {
        let times = (row.value)(guard) / most(row);
        let measured = format!("{} × the best peer", digits(times));
        say(
            row.name,
            "≥ 5 × the best peer",
            "10 ×",
            measured,
            times >= 5.0,
        );
    }
    let slower = slowed(&guard.figures);
    let measured = format!("{} ×", digits(slower));
    say(
        "scrape p99 with slow NVML",
        "≤ 1.1 × without",
        "",
        measured,
        slower <= 1.1,
    );
    let (name, worst) = steepest(sizes);
    let measured = format!("{} × linear ({name})", digits(worst));
    say(
        "cost per GPU, 1 to 16",
        "linear or better",
        "",
        measured,
        worst <= NOISE,
    );
    let binary = Path::new(env!("CARGO_BIN_EXE_thermal-guard")).metadata();
    let binary = binary.map_or(0.0, |file| file.len() as f64 / MIB);
    let measured = format!("{} MiB", digits(binary));
    say(
        "binary, stripped",
        "≤ 8 MiB",
        "",
        measured,
        binary <= BINARY_MIB,
    );
    text
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
