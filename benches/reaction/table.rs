//! The measured times as a page's part: figures, whether a bar is met, and the distribution drawn.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::page::quantile;

/// What others are compared with: the first row of this name.
pub(crate) const BASE: &str = "guard's own loop, 1 s, critical";

/// One way from heat, or a call, to the write.
pub(crate) struct Row {
    name: String,
    times: Vec<Duration>,
    bar: Option<(f64, Duration)>,
}

impl Row {
    pub(crate) fn new(name: &str, times: Vec<Duration>) -> Self {
        let name = name.to_owned();
        Self {
            name,
            times,
            bar: None,
        }
    }

    /// So large a share of all is to be within this time.
    pub(crate) fn within(self, share: f64, bar: Duration) -> Self {
        Self {
            bar: Some((share, bar)),
            ..self
        }
    }

    fn at(&self, part: f64) -> Duration {
        quantile(&self.times, part)
    }

    fn figures(&self, base: Option<Duration>) -> String {
        let [least, p50, p90, p99, most] = [0.0, 0.5, 0.9, 0.99, 1.0].map(|part| self.at(part));
        let ratio = base.map_or("–".to_owned(), |base| {
            format!("{}×", significant(p50.as_secs_f64() / base.as_secs_f64()))
        });
        let times = [least, p50, p90, p99, most].map(said).join(" | ");
        format!(
            "| {} | {times} | {} | {ratio} |",
            self.name,
            self.times.len()
        )
    }

    fn verdict(&self) -> Option<String> {
        let (share, bar) = self.bar?;
        let within = self.times.iter().filter(|time| **time <= bar).count();
        let is_met = self.at(share) <= bar;
        let word = if is_met { "met" } else { "missed" };
        Some(format!(
            "- {}: {} % within {}: {word} ({within} of {}; the {} % are within {})",
            self.name,
            share * 100.0,
            said(bar),
            self.times.len(),
            share * 100.0,
            said(self.at(share)),
        ))
    }
}

pub(crate) fn text(rows: &[Row]) -> String {
    let base = rows
        .iter()
        .find(|row| row.name == BASE)
        .map(|row| row.at(0.5));
    let mut text = format!("{}\n\n", setting());
    text += "| from heat (or the call) to the write | min | p50 | p90 | p99 | max | n | p50 against the guard's own loop |\n";
    text += "|---|---|---|---|---|---|---|---|\n";
    let lines = rows.iter().map(|row| row.figures(base) + "\n");
    text.extend(lines);
    text += "\nThe bars:\n\n";
    text.extend(rows.iter().filter_map(Row::verdict).map(|line| line + "\n"));
    text += "\nThe distributions, four columns for a factor of ten:\n\n```text\n";
    text += &drawn(rows);
    text + "```\n" + METHOD
}

const METHOD: &str = "
How it is measured: real guard, simulated NVML library, which stamps each call that sets something when it comes in, and each jump of a card's temperature; one clock for all processes. \
A card without load jumps from 71.2 °C to 85.5 °C (critical is 85 °C), at a random moment of whatever watches it. Nothing in nature is as steep, so nobody can see it coming. \
Over alert (78 °C) the governor regulates, and goes by its estimate of where the temperature is going: there a jump to 79.5 °C that no power explains is taken for noise at first. \
The ladder goes by the reading, but keeps 10 s between two rungs, also after the last one of giving back: only a card's first reaction shows the loop, the later ones show that wait. \
For the chains a card jumps to 76.2 °C, where only an alert brings a limit about; three numbers are scrape interval, evaluation interval, and Alertmanager's group wait. With other intervals than the shipped ones the rule is a plain threshold, and each card is counted once. \
Hook calls are single alerts on one of eight idle GPUs over a kept connection; the time is from before the request is sent. \
The shell loop looks every 2 s and calls `nvidia-smi -pl`; each call of its `nvidia-smi` takes the 1.5 s that a query is reported to take, or for the best case nothing. Slow NVML: calls take what a field report says of a real driver (limits 122 µs, fans 0.4 ms, memory temperature 1.2 ms, energy 2.6 ms); everywhere else they cost nothing but their own work. \
Loops and chains run at the same time on the same machine; the hook is measured alone.
";

/// Each row as a line of bars, on a logarithmic axis.
fn drawn(rows: &[Row]) -> String {
    /// 100 µs to 1000 s.
    const COLUMNS: usize = 28;
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let axis = ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"];
    let axis = axis.map(|label| format!("|{label:<7}"));
    let wide = rows
        .iter()
        .map(|row| row.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = format!("{:wide$}  {}\n", "", axis.concat());
    for row in rows {
        let mut counts = [0_usize; COLUMNS];
        for time in &row.times {
            let fours = (time.as_secs_f64() / 1e-4).log10() * 4.0;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within the axis"
            )]
            let column = fours.clamp(0.0, (COLUMNS - 1) as f64) as usize;
            counts[column] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(1).max(1);
        let bar = |count: usize| {
            if count == 0 {
                ' '
            } else {
                BARS[(count * 8).div_ceil(most) - 1]
            }
        };
        let bars: String = counts.iter().flat_map(|count| [bar(*count); 2]).collect();
        let _ = writeln!(text, "{:wide$}  {}", row.name, bars.trim_end());
    }
    text
}

/// When and where.
fn setting() -> String {
    let date = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let versions = ["prometheus", "prometheus-alertmanager"].map(version);
    format!(
        "{}, {cores} cores of {}; {}.",
        &date[..10],
        model.unwrap_or("an unknown processor"),
        versions.join(", ")
    )
}

/// `prometheus, version 2.42.0+ds (branch: …` of the first line.
fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let said = output.map(|output| [output.stdout, output.stderr].concat());
    let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
    let number = said
        .split_whitespace()
        .skip_while(|word| *word != "version")
        .nth(1);
    format!("{program} {}", number.unwrap_or("of an unknown version"))
}

fn said(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        1.0.. => format!("{} s", significant(seconds)),
        0.001.. => format!("{} ms", significant(seconds * 1e3)),
        _ => format!("{} µs", significant(seconds * 1e6)),
    }
}

/// Three digits that count.
fn significant(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}
