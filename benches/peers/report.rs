//! What goes onto the page: ratios first, absolute values after.

use std::fmt::Write as _;

use crate::measure::{Figures, Measured};
use crate::page::machine;
use crate::program::{GUARD, Kind};
use crate::verdict;

/// One figure of every program.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    better: Better,
    unit: Unit,
    /// 0: the program has none.
    pub(crate) value: fn(&Measured) -> f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Share,
    Bytes,
    Number,
}

const FAST: usize = 0;
const SLOW: usize = 1;

const fn row(name: &'static str, better: Better, unit: Unit, value: fn(&Measured) -> f64) -> Row {
    Row {
        name,
        better,
        unit,
        value,
    }
}

pub(crate) const IDLE: Row = row("idle, of a core", Better::Less, Unit::Share, |of| {
    median(&of.figures[FAST].idle)
});
pub(crate) const RESIDENT: Row = row("resident memory", Better::Less, Unit::Bytes, |of| {
    of.memory[1].resident as f64
});
pub(crate) const SCRAPES: Row = row(
    "scrapes per second of processor time",
    Better::More,
    Unit::Number,
    |of| median(&of.figures[FAST].scrapes),
);
pub(crate) const SERIES: Row = row(
    "series per second of processor time",
    Better::More,
    Unit::Number,
    |of| (SCRAPES.value)(of) * of.series as f64,
);

pub(crate) const ROWS: [Row; 17] = [
    row("start to first sample", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[FAST].starts)
    }),
    row("the same, slow NVML", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[SLOW].starts)
    }),
    IDLE,
    row("the same, slow NVML", Better::Less, Unit::Share, |of| {
        median(&of.figures[SLOW].idle)
    }),
    row("idle and not scraped", Better::Less, Unit::Share, |of| {
        median(&of.figures[FAST].alone)
    }),
    RESIDENT,
    row(
        "of it, its own (anonymous)",
        Better::Less,
        Unit::Bytes,
        |of| of.memory[1].anonymous as f64,
    ),
    SCRAPES,
    SERIES,
    row("scrape, p50", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[FAST].p50)
    }),
    row("scrape, p99", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[FAST].p99)
    }),
    row(
        "scrape, p99, slow NVML",
        Better::Less,
        Unit::Seconds,
        |of| median(&of.figures[SLOW].p99),
    ),
    row("age of the sample", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[FAST].ages)
    }),
    row("the same, slow NVML", Better::Less, Unit::Seconds, |of| {
        median(&of.figures[SLOW].ages)
    }),
    row("its worst, slow NVML", Better::Less, Unit::Seconds, |of| {
        of.figures[SLOW].ages.iter().copied().fold(0.0, f64::max)
    }),
    row("NVML calls per second", Better::Less, Unit::Number, |of| {
        median(&of.figures[FAST].calls)
    }),
    row("the same, slow NVML", Better::Less, Unit::Number, |of| {
        median(&of.figures[SLOW].calls)
    }),
];

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The whole part of the page.
pub(crate) fn page(peers: &[Measured], sizes: &[Measured]) -> String {
    let mut text = format!(
        "{}. thermal-guard {}, nvitop-exporter 1.7.2, all-smi 0.22.0.\n\n{}\n",
        machine(),
        env!("CARGO_PKG_VERSION"),
        ABOUT.trim()
    );
    let guard = of(peers, GUARD);
    text += "\n### How many times better the guard is\n\nMore than 1: the guard is better; less than 1: it is worse. Medians of the rounds.\n\n";
    table(&mut text, peers, |row, one| {
        let (own, other) = ((row.value)(guard), (row.value)(one));
        let ratio = match row.better {
            Better::Less => other / own,
            Better::More => own / other,
        };
        let known = own > 0.0 && other > 0.0;
        known.then(|| digits(ratio))
    });
    text += "\n### Bars\n\n";
    text += &verdict::bars(peers, sizes);
    text += "\n### Absolute values\n\nOf this machine, and of little meaning for another.\n\n";
    table(&mut text, peers, shown);
    text += "\n### The guard on more GPUs\n\n";
    text += &verdict::growth(sizes);
    text
}

/// The one of that kind.
pub(crate) fn of(all: &[Measured], kind: Kind) -> &Measured {
    let found = all.iter().find(|one| one.kind.name == kind.name);
    found.expect("it was measured")
}

const ABOUT: &str = "
Eight simulated A100 80GB, idle; each program has a machine of its own, all over the same simulated library. Idle: all of them at the same time, each scraped once a second. Scrapes: one program at a time, in turns, two connections (kept where the program keeps them), as fast as it answers, classic text, not packed; several of them see the same sample then, by which a program gains that keeps its text. \"Idle\" has a scrape a second, of a new sample each time. Programs are compared as they come: nvitop-exporter and all-smi export the host, too, and know no limits, throttle reasons or states.

Slow NVML: calls take what a field report says of a real driver (limits 122 µs, fans 0.4 ms, memory temperature 1.2 ms, energy 2.6 ms, PCIe throughput 21 ms), and nvidia-smi 1.5 s. Age: from a change of the true temperature to the first scrape (or the first line of the scripts) that shows it. NVML calls are those that touch a GPU, each field being one; of the scripts it is how often they run nvidia-smi, and the stand-in for that costs far less than the real one.
";

fn table(text: &mut String, all: &[Measured], cell: impl Fn(&Row, &Measured) -> Option<String>) {
    let names: Vec<_> = all.iter().map(|one| one.kind.name).collect();
    let _ = writeln!(text, "| | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
    for row in &ROWS {
        let cells = all.iter().map(|one| cell(row, one).unwrap_or("–".into()));
        let cells: Vec<_> = cells.collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    let pages = all.iter().map(|one| match one.series {
        0 => "–".to_owned(),
        series => format!("{series}, {:.0} kB", one.bytes as f64 / 1e3),
    });
    let pages: Vec<_> = pages.collect();
    let _ = writeln!(
        text,
        "| series and size of a scrape | {} |",
        pages.join(" | ")
    );
}

/// With its unit; `None` where the program has no such figure.
pub(crate) fn shown(row: &Row, one: &Measured) -> Option<String> {
    let value = (row.value)(one);
    (value > 0.0).then(|| match row.unit {
        Unit::Seconds if value < 1.0 => format!("{} ms", digits(value * 1e3)),
        Unit::Seconds => format!("{} s", digits(value)),
        Unit::Share => format!("{} %", digits(value * 100.0)),
        Unit::Bytes => format!("{} MiB", digits(value / f64::from(1 << 20))),
        Unit::Number => digits(value),
    })
}

/// Three digits that mean something.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Of each round with slow NVML, how much longer the slowest scrapes took than in the round beside
/// it without.
pub(crate) fn slowed([fast, slow]: &[Figures; 2]) -> f64 {
    let pairs = fast.p99.iter().zip(&slow.p99);
    let ratios: Vec<_> = pairs.map(|(fast, slow)| slow / fast).collect();
    median(&ratios)
}
