//! The board: a header and a row for each GPU.

use std::fmt::{self, Write as _};
use std::time::Duration;

use anstyle::Style;

use crate::cli::style::{BAD, GOOD, WARN, plain};
use crate::cli::table::{Column, fitting, heads, widths};
use crate::cli::width::Width;
use crate::policy::State;
use crate::web::status::{Gpu, Limit, Status, misheard};

/// The guard's document, to be shown at a terminal.
pub(crate) struct Board {
    pub(crate) status: Status,
    pub(crate) width: Width,
}

const COLUMNS: [Column; 11] = [
    Column::new("GPU", 0),
    Column::new("NAME", 7),
    Column::new("STATE", 0),
    Column::new("°C", 0),
    Column::new("MAX 1H", 3),
    Column::new("MEAN 1H", 6),
    Column::new("DRAW W", 1),
    Column::new("LIMIT/ORIGINAL W", 0),
    Column::new("THROTTLES", 4),
    Column::new("RECOVERIES", 5),
    Column::new("THROTTLED", 2),
];

/// The coloured one.
const STATE: usize = 2;

/// Words stand left, numbers right.
const LEFT: std::ops::RangeInclusive<usize> = 1..=2;

/// Before a reason that has a line of its own.
const BELOW: &str = "     ";

/// With more GPUs, only those that aren't normal have such a line.
const FEW: usize = 4;

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, width } = self;
        header(status, *width, f)?;
        let mut cells = vec![heads(&COLUMNS)];
        cells.extend(status.gpus.iter().map(|gpu| cells_of(gpu).to_vec()));
        let kept = fitting(&COLUMNS, &cells, 0, *width);
        let widths = widths(&cells);
        let beside = status.gpus.iter().all(|gpu| {
            let used: usize = kept.iter().map(|place| widths[*place] + 2).sum();
            width.has_room_for(used + plain(&gpu.why).chars().count())
        });
        line(f, &kept, &cells[0], &widths, Style::new())?;
        f.write_str(if beside { "  WHY\n" } else { "\n" })?;
        for (row, gpu) in cells[1..].iter().zip(&status.gpus) {
            line(f, &kept, row, &widths, style(gpu))?;
            let why = plain(&gpu.why);
            if beside {
                writeln!(f, "  {why}")?;
                continue;
            }
            f.write_str("\n")?;
            let is_calm = gpu.state.known() == Some(State::Normal);
            if !is_calm || status.gpus.len() <= FEW {
                f.write_str(&width.paragraph(BELOW, &why))?;
            }
        }
        Ok(())
    }
}

fn header(status: &Status, width: Width, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (chain, driver) = (&status.chain, &status.driver);
    let simulated = if status.simulated { ", simulated" } else { "" };
    let (version, mode) = (plain(&status.version), plain(status.mode.name()));
    let state = plain(chain.state.name());
    let mut text = format!("thermal-guard {version}, mode {mode}{simulated}, alert chain {state}");
    if let Some(age) = chain.heartbeat_age_seconds {
        let _ = write!(text, ", heartbeat {age:.0} s ago");
        if let Some(instance) = &chain.instance {
            let _ = write!(text, " for {}", plain(instance));
        }
    }
    if chain.fallback {
        let _ = write!(text, ": {WARN}FALLBACK, the local loop stands in{WARN:#}");
        if let Some(fault) = chain.fault() {
            let _ = write!(text, "; {fault}");
        }
    }
    f.write_str(&width.paragraph("", &text))?;
    if let Some(others) = chain.misses() {
        let text = plain(&misheard(others, &status.names));
        write!(f, "{WARN}{}{WARN:#}", width.paragraph("", &text))?;
    }
    if driver.detached {
        writeln!(
            f,
            "{BAD}detached: no GPU is protected until `thermal-guard attach`{BAD:#}"
        )
    } else if !driver.up {
        let error = plain(driver.error.as_deref().unwrap_or("unknown"));
        let text = format!("no NVIDIA driver: {error}");
        write!(f, "{BAD}{}{BAD:#}", width.paragraph("", &text))
    } else {
        Ok(())
    }
}

fn cells_of(gpu: &Gpu) -> [String; COLUMNS.len()] {
    let hour = gpu.hour.as_ref();
    let Limit {
        current, original, ..
    } = gpu.limit;
    [
        gpu.index
            .map_or_else(|| "-".to_owned(), |index| index.to_string()),
        plain(&gpu.name),
        plain(gpu.state.name()),
        number(gpu.now.temperature_celsius),
        number(hour.map(|hour| hour.max_celsius)),
        number(hour.map(|hour| hour.mean_celsius)),
        number(gpu.now.power_draw_watts),
        format!("{}/{}", number(current), number(original.or(current))),
        gpu.throttle_events.to_string(),
        gpu.recoveries.to_string(),
        throttled(gpu),
    ]
}

/// A guard counts from its own start, and the throttle may have begun under the guard before it.
fn throttled(gpu: &Gpu) -> String {
    let counted = gpu.throttled_seconds.gradual + gpu.throttled_seconds.emergency;
    let present = gpu.held_for_seconds.unwrap_or(0.0);
    let seconds = counted.max(present).round();
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    humantime::format_duration(time).to_string()
}

fn style(gpu: &Gpu) -> Style {
    match gpu.state.known() {
        Some(State::Normal) => GOOD,
        Some(State::Emergency | State::Blind | State::Unguarded) => BAD,
        Some(State::Gradual | State::Recovering) => WARN,
        None => Style::new(),
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    kept: &[usize],
    cells: &[String],
    widths: &[usize],
    state: Style,
) -> fmt::Result {
    for (at, &column) in kept.iter().enumerate() {
        let gap = if at == 0 { "" } else { "  " };
        let (cell, width) = (&cells[column], widths[column]);
        if column == STATE {
            write!(f, "{gap}{state}{cell:<width$}{state:#}")?;
        } else if LEFT.contains(&column) {
            write!(f, "{gap}{cell:<width$}")?;
        } else {
            write!(f, "{gap}{cell:>width$}")?;
        }
    }
    Ok(())
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| {
            let shown = format!("{value:.1}");
            shown.strip_suffix(".0").map(str::to_owned).unwrap_or(shown)
        },
    )
}

#[cfg(test)]
mod tests;
