//! What every benchmark of whole programs needs: figures of a distribution, and its place in
//! `docs/benchmarks.md`, between `<!-- NAME -->` and `<!-- /NAME -->`.

#![allow(
    dead_code,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "each benchmark uses its part and says the date; without its page there is nothing to write to"
)]

use std::fs;
use std::thread::available_parallelism;
use std::time::{Duration, SystemTime};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/benchmarks.md");

/// Any value: the page is written, not only the terminal. `make bench` sets it.
const WRITE: &str = "THERMAL_GUARD_BENCH_WRITE";

/// Whether this run is for the page.
pub(crate) fn is_written() -> bool {
    std::env::var_os(WRITE).is_some()
}

/// Prints the part of the page that is called `name`, and puts it into the page if that is wanted.
pub(crate) fn publish(name: &str, text: &str) {
    println!("{text}");
    if !is_written() {
        return;
    }
    let page = fs::read_to_string(PAGE).expect("the page of the benchmarks");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (head, rest) = page.split_once(&begin).expect("where the part begins");
    let (_, tail) = rest.split_once(&end).expect("where the part ends");
    let text = text.trim();
    fs::write(PAGE, format!("{head}{begin}\n{text}\n\n{end}{tail}")).expect("the page, written");
}

/// The value that a share `part` of all is at or below; the nearest rank, as no value is made up.
pub(crate) fn quantile(values: &[Duration], part: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// The day, and what it was measured on.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let memory = read("/proc/meminfo");
    let kilobytes = memory.split_whitespace().nth(1).unwrap_or_default();
    let gibibytes = kilobytes.parse::<f64>().unwrap_or(0.0) / f64::from(1 << 20);
    let cores = available_parallelism().map_or(0, usize::from);
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    format!(
        "{}: {cores} cores, {gibibytes:.0} GiB, Linux {kernel}",
        &date[..10]
    )
}
