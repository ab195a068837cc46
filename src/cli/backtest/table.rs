//! The report for people, in 80 columns.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use crate::backtest::report::{GpuReport, Report};
use crate::backtest::verdict::{Verdict, percent, span};
use crate::cli::style::{BAD, BOLD, DIM, GOOD, WARN, plain};
use crate::cli::width::Width;

/// Rows of the table; the hottest come first if there are more.
const MOST_ROWS: usize = 40;
/// Verdicts that are told in words.
const MOST_WORDS: usize = 12;
const NAME_WIDTH: usize = 17;
const WIDTH: usize = 80;

pub(super) fn page(report: &Report) -> String {
    let mut text = heading(report);
    text.push_str(&missing(report));
    text.push_str(&rows(report));
    text.push_str(&verdicts(report));
    let style = if report.fleet.not_needed == report.fleet.gpus {
        GOOD
    } else {
        BOLD
    };
    let _ = writeln!(text, "\n{style}{}{style:#}", report.fleet.verdict);
    text.push_str(&total(report));
    if !report.unknown.is_empty() {
        let _ = writeln!(text, "\n{DIM}What this history can't tell:");
        for line in &report.unknown {
            text.push_str(&wrapped("  ", &plain(line)));
        }
        let _ = write!(text, "{DIM:#}");
    }
    text
}

fn heading(report: &Report) -> String {
    let seen = &report.seen;
    let period = span(report.end_seconds - report.start_seconds);
    let mut text = format!(
        "{BOLD}thermal-guard backtest{BOLD:#}  {}\n",
        plain(&report.source)
    );
    let _ = match seen.requests {
        0 => writeln!(
            text,
            "up to {period}: {} GPUs, {} samples",
            report.gpus.len(),
            seen.samples
        ),
        requests => writeln!(
            text,
            "{period} to {} UTC: {} GPUs, {} samples in {requests} requests",
            date(report.end_seconds),
            report.gpus.len(),
            seen.samples,
        ),
    };
    text
}

/// What the server didn't give.
fn missing(report: &Report) -> String {
    let mut text = String::new();
    for gap in &report.seen.gaps {
        let line = format!(
            "Not given: {} from {} of {} GPUs: {}",
            span(gap.end_seconds - gap.start_seconds),
            date(gap.start_seconds),
            gap.gpus,
            plain(&gap.why)
        );
        let _ = write!(text, "{WARN}{}{WARN:#}", wrapped("", &line));
    }
    text.push_str(&unscraped(report));
    for warning in &report.seen.warnings {
        let line = format!("The server warns: {}", plain(warning));
        let _ = write!(text, "{WARN}{}{WARN:#}", wrapped("", &line));
    }
    text
}

/// GPUs that weren't scraped all the time.
fn unscraped(report: &Report) -> String {
    const SHARE: f64 = 0.01;
    let period = report.end_seconds - report.start_seconds;
    let has_gaps = |gpu: &&GpuReport| {
        gpu.heat
            .is_some_and(|heat| heat.gap_seconds > period * SHARE)
    };
    let gappy: Vec<&GpuReport> = report.gpus.iter().filter(has_gaps).collect();
    let gap = |gpu: &GpuReport| gpu.heat.map_or(0.0, |heat| heat.gap_seconds);
    let Some(most) = gappy.iter().max_by(|a, b| gap(a).total_cmp(&gap(b))) else {
        return String::new();
    };
    let line = format!(
        "Gaps: {} of {} GPUs weren't scraped all the time; {} for {}.",
        gappy.len(),
        report.gpus.len(),
        plain(&most.gpu),
        span(gap(most))
    );
    wrapped("", &line)
}

fn rows(report: &Report) -> String {
    let mut text = format!(
        "\n{DIM}{:<NAME_WIDTH$}  ---- °C ---- over   slowed ---- fit --- --- the guard ----\n{:<NAME_WIDTH$}  most  p99 alert alert  itself  °C/W  ±°C times   held   lost{DIM:#}\n",
        "", "GPU"
    );
    let mut gpus: Vec<&GpuReport> = report.gpus.iter().collect();
    if gpus.len() > MOST_ROWS {
        gpus.sort_by(|a, b| heat_of(b).total_cmp(&heat_of(a)));
    }
    for gpu in gpus.iter().take(MOST_ROWS) {
        text.push_str(&row(gpu));
    }
    if let Some(more) = gpus.len().checked_sub(MOST_ROWS).filter(|more| *more > 0) {
        let _ = writeln!(text, "{DIM}and {more} cooler ones: --json has all{DIM:#}");
    }
    text
}

/// How far over its alert it was.
fn heat_of(gpu: &GpuReport) -> f64 {
    let hottest = gpu
        .heat
        .map_or(f64::NEG_INFINITY, |heat| heat.hottest_celsius);
    hottest - gpu.alert_celsius
}

fn row(gpu: &GpuReport) -> String {
    const NONE: &str = "-";
    let none = || NONE.to_owned();
    let heat = gpu.heat.filter(|heat| heat.seen_seconds > 0.0);
    let degrees = |value: Option<f64>| value.map_or_else(none, |it| format!("{it:.0}"));
    let style = match gpu.verdict {
        Verdict::NotNeeded => GOOD,
        Verdict::LookAtCooling => BAD,
        Verdict::CantTell | Verdict::HotWithoutFit => DIM,
        _ => WARN,
    };
    let busy = heat.map_or(1.0, |heat| heat.busy_seconds.max(1.0));
    let over = heat.map_or_else(none, |heat| span(heat.over_alert_seconds));
    let slowed = gpu.own_slowdown.map_or_else(none, |own| span(own.seconds));
    let resistance = gpu.fit.as_ref();
    let resistance = resistance.map_or_else(none, |fit| {
        format!("{:.3}", fit.resistance_celsius_per_watt)
    });
    let error = gpu.fit.as_ref();
    let error = error.map_or_else(none, |fit| format!("{:.1}", fit.held_out_rms_celsius));
    let times = gpu
        .what_if
        .map_or_else(none, |it| format!("{:.0}", it.interventions));
    let held = gpu.what_if.map_or_else(none, |it| {
        share(percent(
            it.throttled_seconds,
            heat.map_or(1.0, |heat| heat.seen_seconds),
        ))
    });
    let lost = gpu
        .what_if
        .map_or_else(none, |it| share(percent(it.lost_seconds, busy)));
    format!(
        "{style}{:<NAME_WIDTH$}{style:#}  {:>4} {:>4} {:>5} {:>5} {:>7} {:>5} {:>4} {:>5} {:>6} {:>6}\n",
        cut(&plain(&gpu.gpu), NAME_WIDTH),
        degrees(heat.map(|heat| heat.hottest_celsius)),
        degrees(heat.map(|heat| heat.p99_celsius)),
        degrees(Some(gpu.alert_celsius)),
        over,
        slowed,
        resistance,
        error,
        times,
        held,
        lost,
    )
}

fn share(percent: f64) -> String {
    match percent {
        _ if percent <= 0.0 => "0 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ if percent < 9.95 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// The end of a long name tells more than its beginning.
fn cut(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let end: String = name.chars().skip(length + 1 - width).collect();
    format!("…{end}")
}

fn verdicts(report: &Report) -> String {
    let mut text = String::new();
    let worth = |gpu: &&GpuReport| gpu.verdict != Verdict::NotNeeded || report.gpus.len() == 1;
    let mut worth: Vec<&GpuReport> = report.gpus.iter().filter(worth).collect();
    worth.sort_by(|a, b| heat_of(b).total_cmp(&heat_of(a)));
    for gpu in worth.iter().take(MOST_WORDS) {
        let name = plain(&gpu.gpu);
        let _ = write!(
            text,
            "\n{BOLD}{name}{BOLD:#}: {}\n{}",
            gpu.verdict.name(),
            wrapped("  ", &gpu.words)
        );
        if let Some(fit) = gpu.unfit.as_ref().filter(|_| gpu.heat.is_some()) {
            text.push_str(&wrapped("  ", &format!("No fit: {fit}.")));
        }
        if let Some(seconds) = gpu.guarded_seconds.filter(|it| *it > 0.0) {
            let line = format!(
                "A guard ran already, and throttled it for {}: this history is what it left.",
                span(seconds)
            );
            text.push_str(&wrapped("  ", &line));
        }
    }
    if let Some(more) = worth.len().checked_sub(MOST_WORDS).filter(|it| *it > 0) {
        let _ = writeln!(text, "\nand {more} more: --json has all");
    }
    text
}

fn total(report: &Report) -> String {
    let fleet = &report.fleet;
    if fleet.interventions < 0.5 {
        return String::new();
    }
    let heats = || report.gpus.iter().filter_map(|gpu| gpu.heat);
    let seen: f64 = heats().map(|heat| heat.seen_seconds).sum();
    let busy: f64 = heats().map(|heat| heat.busy_seconds).sum();
    let line = format!(
        "The guard would have acted {:.0} times and held GPUs for {} of their time. Work lost: at most {} with it, {} by the cards' own slowdown.",
        fleet.interventions,
        share(percent(fleet.throttled_seconds, seen)),
        share(percent(fleet.lost_seconds, busy)),
        share(percent(fleet.own_lost_seconds, busy)),
    );
    wrapped("", &line)
}

/// To the minute.
pub(super) fn date(since_epoch: f64) -> String {
    let since = Duration::try_from_secs_f64(since_epoch).unwrap_or_default();
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

fn wrapped(indent: &str, text: &str) -> String {
    Width::ANY.at_most(WIDTH).paragraph(indent, text)
}
