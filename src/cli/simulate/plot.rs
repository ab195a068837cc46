//! A drawing of the runs: a row for each card and scenario, a panel for each policy. It is plain
//! SVG: a line, an area and a few words don't need a library.

use std::fmt::Write;
use std::path::Path;

use crate::cli::own_file::OwnFile;
use crate::events::span;
use crate::policy::Level;
use crate::sim::profile::Profile;

use super::table::label;
use crate::sim::scenarios::jobs::StoryResult;
use crate::sim::scenarios::physics::ALERT_BELOW_CRITICAL;
use crate::sim::scenarios::policy::Policy;
use crate::sim::scenarios::run::{Point, RunResult};

/// Each of our drawings begins so: only such a file is replaced.
const BEGINS: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" data-by=\"thermal-guard simulate\"";

const PANEL: (f64, f64) = (340.0, 220.0);
/// Left, top, right, bottom: the room for text around a panel.
const AROUND: (f64, f64, f64, f64) = (92.0, 40.0, 22.0, 30.0);
/// The legend's.
const HEADER: f64 = 54.0;

/// Panels side by side: a wider drawing is read by scrolling.
const IN_A_ROW: usize = 3;

const TEMPERATURE_COLOUR: &str = "#c62828";
const LIMIT_COLOUR: &str = "#1565c0";
const GRADUAL_COLOUR: &str = "#ffecd0";
const EMERGENCY_COLOUR: &str = "#ffcdd2";

/// Ticks of the time axis stand so many seconds apart; at most a few fit.
const STEPS: [f64; 12] = [
    60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0,
    604_800.0,
];
const MOST_TICKS: f64 = 5.0;

/// The range of temperatures above alert, in the upper two thirds of a panel.
const COLDEST: f64 = -24.0;
const HOTTEST: f64 = 12.0;
const TEMPERATURE: (f64, f64) = (0.0, 0.66);
const LIMIT: (f64, f64) = (0.72, 1.0);

/// Safe lies this far under alert.
const SAFE: f64 = -6.0;

/// The file at this path.
pub(super) const fn file(path: &Path) -> OwnFile<'_> {
    OwnFile {
        flag: "--plot",
        path,
        kind: "drawing",
        begins: BEGINS,
    }
}

/// `window`: only the last part of each run, in hours.
pub(crate) fn draw(results: &[StoryResult], window: Option<f64>) -> String {
    let columns = results.iter().map(|result| result.played.len()).max();
    let columns = columns.unwrap_or_default().min(IN_A_ROW);
    let row = PANEL.1 + AROUND.1 + AROUND.3;
    let rows = |result: &StoryResult| result.played.len().div_ceil(IN_A_ROW);
    let width = columns.max(2) as f64 * (PANEL.0 + AROUND.0 + AROUND.2);
    let height = HEADER + results.iter().map(rows).sum::<usize>() as f64 * row;
    let mut svg = format!(
        "{BEGINS} viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    legend(&mut svg);
    let mut above = 0;
    for result in results {
        for (place, played) in governor_first(&result.played).into_iter().enumerate() {
            let x = (place % IN_A_ROW) as f64 * (PANEL.0 + AROUND.0 + AROUND.2) + AROUND.0;
            let y = HEADER + (above + place / IN_A_ROW) as f64 * row + AROUND.1;
            let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
            panel(&mut svg, result, played, window);
            svg.push_str("</g>\n");
        }
        above += rows(result);
    }
    svg + "</svg>\n"
}

/// What each mark means, in two lines that fit two panels.
fn legend(svg: &mut String) {
    let entries = [
        (
            0.0,
            16.0,
            TEMPERATURE_COLOUR,
            "true temperature of the sensor nearest to its limit",
        ),
        (330.0, 16.0, LIMIT_COLOUR, "power limit, W"),
        (460.0, 16.0, GRADUAL_COLOUR, "gradual"),
        (550.0, 16.0, EMERGENCY_COLOUR, "emergency"),
    ];
    for (x, y, colour, text) in entries {
        let x = x + AROUND.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"9\" fill=\"{colour}\"/>\n\
             <text x=\"{}\" y=\"{y}\">{text}</text>",
            y - 9.0,
            x + 19.0,
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"34\" fill=\"#555\">Dashed: safe, alert and critical of the core. A memory is drawn as far from them as it is from its own.</text>",
        AROUND.0,
    );
}

/// The shipped policy is what people look for.
fn governor_first(played: &[RunResult]) -> Vec<&RunResult> {
    let mut all: Vec<&RunResult> = played.iter().collect();
    all.sort_by_key(|played| played.policy != Policy::Governor);
    all
}

fn panel(svg: &mut String, result: &StoryResult, played: &RunResult, window: Option<f64>) {
    let story = result.story;
    let hours = story.hours();
    let from = window.map_or(0.0, |window| (hours - window).max(0.0));
    let x = |at: f64| (at - from) / (hours - from) * PANEL.0;
    let begin = played.trace.partition_point(|point| point.hours < from);
    let trace = &played.trace[begin..];
    // In two lines: the longest policy's name leaves no room beside the scenario's.
    let about = format!("{} on {}", story.scenario.name(), story.profile.key);
    let title = format!(
        "{}: {:.1} % of the bound",
        label(played.policy),
        100.0 * played.score.throughput() / result.bound.throughput,
    );
    let _ = writeln!(
        svg,
        "<text y=\"-21\" fill=\"#555\">{about}</text>\n\
         <text y=\"-7\" font-weight=\"bold\">{title}</text>\n\
         <rect width=\"{}\" height=\"{}\" fill=\"#fafafa\" stroke=\"#bbb\"/>",
        PANEL.0, PANEL.1,
    );
    shade(svg, trace, |point| x(point.hours));
    trips(svg, story.profile);
    line(svg, TEMPERATURE_COLOUR, trace, |point| {
        (x(point.hours), temperature(point.over_alert))
    });
    line(svg, LIMIT_COLOUR, trace, |point| {
        (x(point.hours), limit(story.profile, point.limit))
    });
    for (watts, of) in [
        (story.profile.default_limit, 0.0),
        (story.profile.min_limit, 1.0),
    ] {
        let y = PANEL.1 * (LIMIT.0 + (LIMIT.1 - LIMIT.0) * of) + 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"-4\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"{LIMIT_COLOUR}\">{watts}</text>"
        );
    }
    ticks(svg, from, hours, x);
}

/// Times since the run's beginning.
fn ticks(svg: &mut String, from: f64, to: f64, x: impl Fn(f64) -> f64) {
    let seconds = (to - from) * 3600.0;
    let fits = |step: &f64| seconds / step <= MOST_TICKS;
    let step = STEPS.into_iter().find(fits).unwrap_or(seconds) / 3600.0;
    let mut at = (from / step).ceil() * step;
    while at <= to + step * 1e-6 {
        let x = x(at);
        let time = span(at * 3600.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{0}\" y2=\"{1}\" stroke=\"#bbb\"/>\n\
             <text x=\"{x:.1}\" y=\"{2}\" text-anchor=\"middle\">{time}</text>",
            PANEL.1,
            PANEL.1 + 4.0,
            PANEL.1 + 16.0,
        );
        at += step;
    }
}

/// A band for each stretch at one level.
fn shade(svg: &mut String, trace: &[Point], x: impl Fn(&Point) -> f64) {
    for stretch in trace.chunk_by(|a, b| a.level == b.level) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            continue;
        };
        let colour = match first.level {
            Level::None => continue,
            Level::Gradual => GRADUAL_COLOUR,
            Level::Emergency => EMERGENCY_COLOUR,
        };
        let (from, to) = (x(first), x(last));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
            (to - from).max(0.5),
            PANEL.1,
        );
    }
}

fn trips(svg: &mut String, profile: &Profile) {
    let alert = profile.max_operating.degrees() - ALERT_BELOW_CRITICAL;
    for (name, over) in [
        ("safe", SAFE),
        ("alert", 0.0),
        ("critical", ALERT_BELOW_CRITICAL),
    ] {
        let y = temperature(over);
        let _ = writeln!(
            svg,
            "<line y1=\"{y:.1}\" y2=\"{y:.1}\" x2=\"{}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n\
             <text x=\"-4\" y=\"{:.1}\" text-anchor=\"end\">{name} {} °C</text>",
            PANEL.0,
            y + 4.0,
            alert + over,
        );
    }
}

fn line(svg: &mut String, colour: &str, trace: &[Point], at: impl Fn(&Point) -> (f64, f64)) {
    let _ = write!(svg, "<polyline fill=\"none\" stroke=\"{colour}\" points=\"");
    for point in trace {
        let (x, y) = at(point);
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg.push_str("\"/>\n");
}

fn temperature(over_alert: f64) -> f64 {
    let share = (HOTTEST - over_alert.clamp(COLDEST, HOTTEST)) / (HOTTEST - COLDEST);
    PANEL.1 * (TEMPERATURE.0 + (TEMPERATURE.1 - TEMPERATURE.0) * share)
}

fn limit(profile: &Profile, watts: f64) -> f64 {
    let (min, max) = (profile.min_limit.as_f64(), profile.default_limit.as_f64());
    let share = ((max - watts) / (max - min)).clamp(0.0, 1.0);
    PANEL.1 * (LIMIT.0 + (LIMIT.1 - LIMIT.0) * share)
}
