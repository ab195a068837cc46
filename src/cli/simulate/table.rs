//! The comparison, for people.

use std::fmt::Write;

use crate::cli::table::{Column, aligned, fitting, heads, only};
use crate::cli::width::Width;
use crate::sim::scenarios::jobs::StoryResult;
use crate::sim::scenarios::physics::ALERT_BELOW_CRITICAL;
use crate::sim::scenarios::policy::Policy;
use crate::sim::scenarios::run::Run;

/// A paragraph each.
const LEGEND: [&str; 2] = [
    "work: of the same load never limited; of bound: of what an oracle gets that runs at full power until alert and then holds exactly that; x script: times what fixed-step gets where it hears of heat at once (the oracle's: the most that physics allows whoever stays under alert); over: true °C over alert; > alert, > crit.: share of the time; temperatures are true ones, of the sensor nearest to its limit; limits/h: limits written in an hour; clocks/h: clock locks set and reset; back: all given back after a cool-down.",
    "fixed-step is the script of a published article: at its own 78 °C, whatever the card's alert, 120 W (or the card's minimum) and batch 1 (keeps 37 % of the work, draws 70 %); back after 30 s at or below 72 °C.",
];

/// Of the legend, where the terminal isn't narrower.
const READABLE: usize = 100;

const COLUMNS: [Column; 12] = [
    Column::new("POLICY", 0),
    Column::new("WORK %", 0),
    Column::new("OF BOUND %", 0),
    Column::new("x SCRIPT", 6),
    Column::new("OVER °C", 0),
    Column::new("HOTTEST °C", 3),
    Column::new("MEAN °C", 5),
    Column::new("> ALERT %", 2),
    Column::new("> CRIT. %", 1),
    Column::new("LIMITS/H", 0),
    Column::new("CLOCKS/H", 4),
    Column::new("BACK", 0),
];

/// Before each row.
const INDENT: &str = "    ";

pub(crate) fn table(results: &[StoryResult], width: Width) -> String {
    let mut text = String::new();
    let mut scenario = None;
    for result in results {
        if scenario != Some(result.story.scenario) {
            scenario = Some(result.story.scenario);
            let (name, about) = (result.story.scenario.name(), result.story.scenario.about());
            let _ = writeln!(text, "{}", width.paragraph("", &format!("{name}: {about}")));
        }
        text.push_str(&width.paragraph("  ", &heading(result)));
        text.push_str(&rows(result, width));
        text.push('\n');
    }
    for paragraph in LEGEND {
        text.push_str(&width.at_most(READABLE).paragraph("", paragraph));
    }
    text
}

/// The oracle's figures for this card in this story.
fn heading(result: &StoryResult) -> String {
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
    let degree = 100.0 * (1.0 - result.bound_a_degree_under.throughput / result.bound.throughput);
    let hours = result.story.hours();
    format!(
        "{}, {hours} h: alert {alert} °C{memory}; a degree under alert costs {degree:.1} % of the bound{feasible}",
        profile.key
    )
}

fn rows(result: &StoryResult, width: Width) -> String {
    let mut cells = vec![heads(&COLUMNS)];
    cells.push(oracle(result));
    let runs = result.played.iter().zip(&result.runs);
    let script = script(result);
    cells.extend(runs.map(|(played, run)| row(label(played.policy), run, script)));
    let kept = fitting(&COLUMNS, &cells, INDENT.len(), width);
    aligned(INDENT, &only(&kept, &cells))
}

/// The physical bound.
fn oracle(result: &StoryResult) -> Vec<String> {
    let mut cells = vec![
        "(oracle)".to_owned(),
        format!("{:.1}", result.bound.throughput * 100.0),
        "100.0".to_owned(),
        times(result.bound.throughput, script(result)),
        format!("{:.2}", result.bound.overshoot.max(0.0)),
    ];
    cells.resize(COLUMNS.len(), String::new());
    cells
}

/// The throughput of the script without latency, if it ran.
fn script(result: &StoryResult) -> Option<f64> {
    let mut runs = result.played.iter().zip(&result.runs);
    let prompt = Policy::FixedStep { latency_seconds: 0 };
    let at_once = runs.find(|(played, _)| played.policy == prompt);
    at_once.map(|(_, run)| run.throughput)
}

fn times(throughput: f64, script: Option<f64>) -> String {
    let ratio = script.filter(|script| *script > 0.0);
    ratio.map_or(String::new(), |script| {
        format!("{:.2}", throughput / script)
    })
}

/// A policy in a table.
pub(crate) fn label(policy: Policy) -> String {
    match policy.latency_seconds() {
        0 => policy.name().to_owned(),
        late => format!("{}, {late} s late", policy.name()),
    }
}

fn row(label: String, run: &Run, script: Option<f64>) -> Vec<String> {
    let percent = |ratio: f64| format!("{:.1}", ratio * 100.0);
    vec![
        label,
        percent(run.throughput),
        percent(run.throughput_of_bound),
        times(run.throughput, script),
        format!("{:.2}", run.overshoot_celsius),
        format!("{:.1}", run.hottest_celsius),
        format!("{:.1}", run.mean_celsius),
        percent(run.above_alert_ratio),
        percent(run.above_critical_ratio),
        format!("{:.1}", run.limit_writes_per_hour),
        format!("{:.1}", run.clock_writes_per_hour),
        if run.restored { "yes" } else { "NO" }.to_owned(),
    ]
}
