//! The comparison, for people.

use std::fmt::Write;

use super::physics::ALERT_BELOW_CRITICAL;
use super::run::Run;
use super::work::Result;

const LEGEND: &str = "\
work: of the same load never limited; of bound: of what an oracle gets that runs at full power until
alert and then holds exactly that; over: true °C over alert; > alert, > crit.: share of the time;
temperatures are true ones, of the sensor nearest to its limit; back: all given back after a cool-down.
fixed-step is the article's script: at its own 78 °C, whatever the card's alert, 120 W (or the card's
minimum) and batch 1 (keeps 37 % of the work, draws 70 %); back after 30 s at or below 72 °C.
";

const COLUMNS: [&str; 11] = [
    "POLICY",
    "WORK %",
    "OF BOUND %",
    "OVER °C",
    "HOTTEST °C",
    "MEAN °C",
    "> ALERT %",
    "> CRIT. %",
    "WRITES/H",
    "BACK",
    "LATENCY",
];

pub(super) fn table(results: &[Result]) -> String {
    let mut text = String::new();
    let mut scenario = None;
    for result in results {
        if scenario != Some(result.story.scenario) {
            scenario = Some(result.story.scenario);
            let (name, about) = (result.story.scenario.name(), result.story.scenario.about());
            let _ = writeln!(text, "{name}: {about}");
        }
        let _ = writeln!(text, "\n  {}", heading(result));
        text.push_str(&rows(&result.runs));
        text.push('\n');
    }
    text + LEGEND
}

/// What physics says of this card in this story.
fn heading(result: &Result) -> String {
    let profile = result.story.profile;
    let alert = profile.max_operating.degrees() - ALERT_BELOW_CRITICAL;
    let memory = profile.hbm.map_or(String::new(), |hbm| {
        format!(" (memory {})", hbm.max.degrees() - ALERT_BELOW_CRITICAL)
    });
    let feasible = if result.feasible {
        ""
    } else if result.story.scenario.lies() {
        "; a sensor lies"
    } else {
        "; infeasible: over alert even at the minimum limit"
    };
    let bound = result.bound.throughput * 100.0;
    let degree = 100.0 * (1.0 - result.bound_a_degree_under.throughput / result.bound.throughput);
    let hours = result.story.hours();
    format!(
        "{}, {hours} h: alert {alert} °C{memory}, bound {bound:.1} %, a degree under alert costs {degree:.1} % of it{feasible}",
        profile.key
    )
}

fn rows(runs: &[Run]) -> String {
    let mut cells = vec![COLUMNS.map(str::to_owned)];
    cells.extend(runs.iter().map(row));
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &cells {
        let mut line = format!("    {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            let _ = write!(line, "  {cell:>width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(run: &Run) -> [String; COLUMNS.len()] {
    let percent = |ratio: f64| format!("{:.1}", ratio * 100.0);
    let latency = match (run.policy, run.alert_latency_seconds) {
        ("fixed-step", seconds) => format!("{seconds} s"),
        _ => String::new(),
    };
    [
        run.policy.to_owned(),
        percent(run.throughput),
        percent(run.throughput_of_bound),
        format!("{:.2}", run.overshoot_celsius),
        format!("{:.1}", run.hottest_celsius),
        format!("{:.1}", run.mean_celsius),
        percent(run.above_alert_ratio),
        percent(run.above_critical_ratio),
        format!("{:.1}", run.limit_writes_per_hour),
        if run.restored { "yes" } else { "NO" }.to_owned(),
        latency,
    ]
}
