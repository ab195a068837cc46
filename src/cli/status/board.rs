//! The board: a header and a row for each GPU.

use std::fmt;
use std::time::Duration;

use anstyle::Style;
use serde::Deserialize;

use crate::cli::paint::{BAD, GOOD, WARN, plain};
use crate::policy::ChainState;
use crate::web::status::misheard;

/// What the board shows of the guard's document. Whatever an older or newer guard leaves out is
/// shown as `-`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Board {
    version: String,
    mode: String,
    simulated: bool,
    names: Vec<String>,
    chain: Chain,
    driver: Option<Driver>,
    gpus: Vec<Gpu>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chain {
    state: String,
    fallback: bool,
    heartbeat_age_seconds: Option<f64>,
    instance: Option<String>,
    other_instance: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Driver {
    up: bool,
    detached: bool,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gpu {
    index: Option<u32>,
    name: String,
    state: String,
    why: String,
    temperature_celsius: Option<f64>,
    hour: Option<Hour>,
    power_draw_watts: Option<f64>,
    limit: Limit,
    throttle_events: u64,
    recoveries: u64,
    throttled_seconds: ByLevel,
    /// Since the present throttle began, also under a guard before this one.
    held_for_seconds: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hour {
    max_celsius: Option<f64>,
    mean_celsius: Option<f64>,
}

/// Watts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Limit {
    current: Option<f64>,
    /// Only while something of the guard's is on the GPU.
    original: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ByLevel {
    gradual: f64,
    emergency: f64,
}

const COLUMNS: [&str; 11] = [
    "GPU",
    "NAME",
    "STATE",
    "°C",
    "MAX 1H",
    "MEAN 1H",
    "DRAW W",
    "LIMIT/ORIGINAL W",
    "EVENTS",
    "RECOVERIES",
    "THROTTLED",
];

/// The coloured one.
const STATE: usize = 2;

/// Words stand left, numbers right.
const LEFT: std::ops::RangeInclusive<usize> = 1..=2;

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header(f)?;
        let rows: Vec<_> = self.gpus.iter().map(Gpu::cells).collect();
        let mut widths = COLUMNS.map(width);
        for row in &rows {
            for (column, cell) in row.iter().enumerate() {
                widths[column] = widths[column].max(width(cell));
            }
        }
        line(f, &COLUMNS.map(str::to_owned), &widths, "WHY", Style::new())?;
        for (row, gpu) in rows.iter().zip(&self.gpus) {
            line(f, row, &widths, &plain(&gpu.why), gpu.style())?;
        }
        Ok(())
    }
}

impl Board {
    fn header(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simulated = if self.simulated { ", simulated" } else { "" };
        let (version, mode) = (plain(&self.version), plain(&self.mode));
        let chain = plain(&self.chain.state);
        write!(
            f,
            "thermal-guard {version}, mode {mode}{simulated}, alert chain {chain}"
        )?;
        if let Some(age) = self.chain.heartbeat_age_seconds {
            write!(f, ", heartbeat {age:.0} s ago")?;
            if let Some(instance) = &self.chain.instance {
                write!(f, " for {}", plain(instance))?;
            }
        }
        if self.chain.fallback {
            write!(f, ": {WARN}FALLBACK, the local loop stands in{WARN:#}")?;
        }
        f.write_str("\n")?;
        if let Some(others) = self.chain.misses() {
            let text = plain(&misheard(others, &self.names));
            writeln!(f, "{WARN}{text}{WARN:#}")?;
        }
        match &self.driver {
            Some(driver) if driver.detached => writeln!(
                f,
                "{BAD}detached: no GPU is protected until `thermal-guard attach`{BAD:#}"
            ),
            Some(driver) if !driver.up => {
                let error = plain(driver.error.as_deref().unwrap_or("unknown"));
                writeln!(f, "{BAD}no NVIDIA driver: {error}{BAD:#}")
            }
            _ => Ok(()),
        }
    }
}

impl Chain {
    fn misses(&self) -> Option<&str> {
        let others = self.other_instance.as_deref();
        others.filter(|_| self.state != ChainState::Ok.name())
    }
}

impl Gpu {
    fn cells(&self) -> [String; COLUMNS.len()] {
        let hour = self.hour.as_ref();
        let (now, original) = (self.limit.current, self.limit.original);
        [
            self.index
                .map_or_else(|| "-".to_owned(), |index| index.to_string()),
            plain(&self.name),
            plain(&self.state),
            number(self.temperature_celsius),
            number(hour.and_then(|hour| hour.max_celsius)),
            number(hour.and_then(|hour| hour.mean_celsius)),
            number(self.power_draw_watts),
            format!("{}/{}", number(now), number(original.or(now))),
            self.throttle_events.to_string(),
            self.recoveries.to_string(),
            self.throttled(),
        ]
    }

    /// A guard counts from its own start on, and the throttle may have begun before that.
    fn throttled(&self) -> String {
        let ByLevel { gradual, emergency } = self.throttled_seconds;
        let present = self.held_for_seconds.unwrap_or(0.0);
        let seconds = (gradual + emergency).max(present).round();
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        humantime::format_duration(time).to_string()
    }

    fn style(&self) -> Style {
        match self.state.as_str() {
            "normal" => GOOD,
            "emergency" | "blind" | "unguarded" => BAD,
            "gradual" | "recovering" => WARN,
            _ => Style::new(),
        }
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    cells: &[String; COLUMNS.len()],
    widths: &[usize; COLUMNS.len()],
    last: &str,
    state: Style,
) -> fmt::Result {
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if column == STATE {
            write!(f, "{state}{cell:<width$}{state:#}  ")?;
        } else if LEFT.contains(&column) {
            write!(f, "{cell:<width$}  ")?;
        } else {
            write!(f, "{cell:>width$}  ")?;
        }
    }
    writeln!(f, "{last}")
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

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn board(document: serde_json::Value) -> String {
        let board: Board = serde_json::from_value(document).expect("lenient");
        anstream::adapter::strip_str(&board.to_string()).to_string()
    }

    #[test]
    fn rows_stand_under_their_columns() {
        let text = board(json!({
            "version": "0.1.0", "mode": "enforce", "chain": { "state": "down", "fallback": true },
            "gpus": [
                { "index": 0, "name": "A100", "state": "gradual", "why": "at alert", "unknown": 1,
                  "temperature_celsius": 77.5, "hour": { "max_celsius": 79.0, "mean_celsius": 70.25 },
                  "power_draw_watts": 250.0, "limit": { "current": 250.0, "original": 399.5 },
                  "throttle_events": 2, "recoveries": 1,
                  "throttled_seconds": { "gradual": 60.2, "emergency": 1.0 } },
                { "index": 1, "name": "L40S", "state": "normal" },
            ],
        }));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains("chain down: FALLBACK"), "{text}");
        assert!(lines[2].contains("77.5"), "{text}");
        assert!(lines[2].contains("250/399.5"), "{text}");
        assert!(lines[2].ends_with("1m 1s  at alert"), "{text}");
        assert!(lines[3].contains("-/-"), "{text}");
        let column = |line: &str, word: &str| {
            let at = line.find(word).expect(word);
            line[..at].chars().count()
        };
        assert_eq!(column(lines[1], "STATE"), column(lines[2], "gradual"));
        assert_eq!(column(lines[1], "STATE"), column(lines[3], "normal"));
    }

    #[test]
    fn a_state_that_hurts_is_red_and_colour_moves_no_column() {
        let board = |state: &str| -> Board {
            let gpus = json!([{ "state": state }, { "state": "recovering" }]);
            serde_json::from_value(json!({ "gpus": gpus })).expect("lenient")
        };
        for state in ["blind", "emergency", "unguarded"] {
            let red = format!("{BAD}{state:<10}{BAD:#}  ");
            assert!(board(state).to_string().contains(&red), "{state}");
        }
        assert!(!board("normal").to_string().contains(&BAD.to_string()));
    }

    #[test]
    fn a_throttle_counts_from_its_begin_under_whichever_guard() {
        let throttled = |held: serde_json::Value| {
            board(
                json!({ "gpus": [{ "state": "gradual", "why": "x", "held_for_seconds": held,
                "throttled_seconds": { "gradual": 60.0, "emergency": 0.0 } }] }),
            )
        };
        assert!(throttled(json!(7205.0)).contains(" 2h 5s  x"));
        assert!(throttled(json!(30.0)).contains(" 1m  x"));
        assert!(throttled(json!(null)).contains(" 1m  x"));
    }

    #[test]
    fn a_document_that_says_nothing_is_shown_all_the_same() {
        assert!(board(json!({})).starts_with("thermal-guard"));
        let text = board(json!({ "gpus": [{ "why": "\u{1b}[2J\nx", "hour": null }] }));
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
