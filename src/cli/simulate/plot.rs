//! The runs drawn: a row for each card and scenario, a panel for each policy. Plain SVG by hand: a
//! line, an area and a few words need no library.

use std::fmt::Write;

use crate::device::profile::Profile;
use crate::policy::Level;

use super::physics::ALERT_BELOW_CRITICAL;
use super::run::{Played, Point};
use super::table::label;
use super::work::Result;

const PANEL: (f64, f64) = (340.0, 220.0);
/// Left, top, right, bottom: room for words around a panel.
const AROUND: (f64, f64, f64, f64) = (46.0, 40.0, 14.0, 30.0);
const HEADER: f64 = 34.0;

/// Temperatures shown, over alert; the upper two thirds of a panel.
const COLDEST: f64 = -24.0;
const HOTTEST: f64 = 12.0;
const TEMPERATURE: (f64, f64) = (0.0, 0.66);
const LIMIT: (f64, f64) = (0.72, 1.0);

/// Safe lies this far under alert.
const SAFE: f64 = -6.0;

pub(super) fn draw(results: &[Result]) -> String {
    let columns = results.iter().map(|result| result.played.len()).max();
    let columns = columns.unwrap_or_default() as f64;
    let row = PANEL.1 + AROUND.1 + AROUND.3;
    let width = columns * (PANEL.0 + AROUND.0 + AROUND.2);
    let height = HEADER + results.len() as f64 * row;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{}\" y=\"20\">true temperature of the sensor nearest to its limit (red), power limit (blue), level (shaded: gradual, emergency), safe, alert and critical (dashed; on the core's scale, the memory by the distance to its own)</text>\n",
        AROUND.0,
    );
    for (index, result) in results.iter().enumerate() {
        for (column, played) in result.played.iter().enumerate() {
            let x = column as f64 * (PANEL.0 + AROUND.0 + AROUND.2) + AROUND.0;
            let y = HEADER + index as f64 * row + AROUND.1;
            let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
            panel(&mut svg, result, played);
            svg.push_str("</g>\n");
        }
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, result: &Result, played: &Played) {
    let story = result.story;
    let hours = story.hours();
    let x = |point: &Point| point.hours / hours * PANEL.0;
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
    shade(svg, &played.trace, x);
    trips(svg, story.profile);
    line(svg, "#c62828", &played.trace, |point| {
        (x(point), temperature(point.over_alert))
    });
    line(svg, "#1565c0", &played.trace, |point| {
        (x(point), limit(story.profile, point.limit))
    });
    for (watts, of) in [
        (story.profile.default_limit, 0.0),
        (story.profile.min_limit, 1.0),
    ] {
        let y = PANEL.1 * (LIMIT.0 + (LIMIT.1 - LIMIT.0) * of) + 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"-4\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#1565c0\">{watts}</text>"
        );
    }
    let _ = writeln!(
        svg,
        "<text y=\"{0}\">0</text><text x=\"{1}\" y=\"{0}\" text-anchor=\"end\">{hours} h</text>",
        PANEL.1 + 14.0,
        PANEL.0,
    );
}

/// A band for each stretch at one level.
fn shade(svg: &mut String, trace: &[Point], x: impl Fn(&Point) -> f64) {
    for stretch in trace.chunk_by(|a, b| a.level == b.level) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            continue;
        };
        let colour = match first.level {
            Level::None => continue,
            Level::Gradual => "#fff3e0",
            Level::Emergency => "#ffcdd2",
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
    for over in [SAFE, 0.0, ALERT_BELOW_CRITICAL] {
        let y = temperature(over);
        let _ = writeln!(
            svg,
            "<line y1=\"{y:.1}\" y2=\"{y:.1}\" x2=\"{}\" stroke=\"#888\" stroke-dasharray=\"4 3\"/>\n\
             <text x=\"-4\" y=\"{:.1}\" text-anchor=\"end\">{} °C</text>",
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
