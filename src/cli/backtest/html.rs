//! The report as one file to send on: no script, nothing from elsewhere, and everything from outside
//! escaped.

use std::fmt::Write as _;
use std::path::Path;

use crate::backtest::report::{GpuReport, Report, Slice};
use crate::backtest::verdict::{Verdict, percent, span};
use crate::cli::own_file::OwnFile;

use super::table::date;

/// The beginning of each of our reports: only such a file is replaced.
const BEGINS: &str = "<!doctype html>\n<!-- thermal-guard backtest -->\n";

/// The file at this path.
pub(super) const fn file(path: &Path) -> OwnFile<'_> {
    OwnFile {
        flag: "--html",
        path,
        kind: "report",
        begins: BEGINS,
    }
}

/// The whole file.
pub(super) fn page(report: &Report) -> String {
    let mut text = String::from(BEGINS);
    let _ = write!(
        text,
        "<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>What heat cost</title><style>{STYLE}</style></head><body>\
         <h1>What heat cost, and what thermal-guard would have done</h1>\
         <p class=\"verdict\">{}</p>\
         <p>{} up to {} UTC, from {}: {} GPUs, {} samples.</p>",
        escaped(&report.fleet.verdict),
        span(report.end_seconds - report.start_seconds),
        date(report.end_seconds),
        escaped(&report.source),
        report.gpus.len(),
        report.seen.samples,
    );
    text.push_str(&missing(report));
    text.push_str(&overview(report));
    for gpu in &report.gpus {
        text.push_str(&section(gpu));
    }
    text.push_str("<h2>What this history can’t tell</h2><ul>");
    for line in &report.unknown {
        let _ = write!(text, "<li>{}</li>", escaped(line));
    }
    text.push_str("</ul><footer>thermal-guard ");
    text.push_str(env!("CARGO_PKG_VERSION"));
    text.push_str(". Work lost is by the clocks, a bound from above. A fit’s error is on scrapes that it hadn’t seen.</footer></body></html>\n");
    text
}

fn missing(report: &Report) -> String {
    let mut text = String::new();
    for gap in &report.seen.gaps {
        let _ = write!(
            text,
            "<p class=\"warn\">The server didn’t give {} from {} of {} GPUs: {}</p>",
            span(gap.end_seconds - gap.start_seconds),
            date(gap.start_seconds),
            gap.gpus,
            escaped(&gap.why)
        );
    }
    for warning in &report.seen.warnings {
        let _ = write!(
            text,
            "<p class=\"warn\">The server warns: {}</p>",
            escaped(warning)
        );
    }
    text
}

fn overview(report: &Report) -> String {
    let mut text = String::from(
        "<div class=\"wide\"><table><thead><tr><th>GPU</th><th>hottest</th><th>99 % under</th><th>alert</th>\
         <th>over alert</th><th>slowed itself</th><th>°C/W</th><th>fit ± °C</th><th>guard acts</th>\
         <th>holds</th><th>work lost</th><th>verdict</th></tr></thead><tbody>",
    );
    for gpu in &report.gpus {
        let _ = write!(text, "<tr class=\"{}\">", class(gpu.verdict));
        let heat = gpu.heat;
        let busy = heat.map_or(1.0, |heat| heat.busy_seconds.max(1.0));
        let seen = heat.map_or(1.0, |heat| heat.seen_seconds.max(1.0));
        let cells = [
            Some(gpu.gpu.clone()),
            heat.map(|heat| format!("{:.0} °C", heat.hottest_celsius)),
            heat.map(|heat| format!("{:.0} °C", heat.p99_celsius)),
            Some(format!("{:.0} °C", gpu.alert_celsius)),
            heat.map(|heat| span(heat.over_alert_seconds)),
            gpu.own_slowdown.map(|own| span(own.seconds)),
            gpu.fit
                .as_ref()
                .map(|fit| format!("{:.3}", fit.resistance_celsius_per_watt)),
            gpu.fit
                .as_ref()
                .map(|fit| format!("{:.1}", fit.held_out_rms_celsius)),
            gpu.what_if.map(|it| format!("{:.0}", it.interventions)),
            gpu.what_if
                .map(|it| format!("{:.2} %", percent(it.throttled_seconds, seen))),
            gpu.what_if
                .map(|it| format!("{:.2} %", percent(it.lost_seconds, busy))),
            Some(gpu.verdict.name().to_owned()),
        ];
        for cell in cells {
            let cell = cell.unwrap_or_else(|| "–".to_owned());
            let _ = write!(text, "<td>{}</td>", escaped(&cell));
        }
        text.push_str("</tr>");
    }
    text.push_str("</tbody></table></div>");
    text
}

fn section(gpu: &GpuReport) -> String {
    let mut text = format!(
        "<section><h2>{}</h2><p class=\"what\">{}{}</p><p>{}</p>",
        escaped(&gpu.gpu),
        escaped(&gpu.uuid),
        gpu.model
            .as_ref()
            .map_or_else(String::new, |model| format!(", {}", escaped(model))),
        escaped(&gpu.words)
    );
    if let Some(fit) = &gpu.fit {
        let masses: Vec<String> = fit
            .masses
            .iter()
            .map(|mass| {
                let seconds = match mass.seconds {
                    0.0 => "at once".to_owned(),
                    seconds => format!("within about {}", span(seconds)),
                };
                format!("{:.3} °C/W {seconds}", mass.celsius_per_watt)
            })
            .collect();
        let _ = write!(
            text,
            "<p>Fit: {}; {:.1} °C off (rms) on scrapes that it hadn’t seen{}.</p>",
            masses.join(", "),
            fit.held_out_rms_celsius,
            if fit.beyond {
                ", which go beyond the fitted powers"
            } else {
                ""
            }
        );
    } else if let Some(why) = &gpu.unfit {
        let _ = write!(text, "<p>No fit: {}.</p>", escaped(why));
    }
    text.push_str(&drawing(gpu));
    text.push_str("</section>");
    text
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;

/// The hottest and the mean of each part of the period, with alert as a line.
fn drawing(gpu: &GpuReport) -> String {
    let there = gpu
        .course
        .iter()
        .filter(|it| it.hottest_celsius.is_finite());
    let (low, high) = there.fold((f64::INFINITY, gpu.alert_celsius), |(low, high), it| {
        (low.min(it.mean_celsius), high.max(it.hottest_celsius))
    });
    if !low.is_finite() {
        return String::new();
    }
    let (low, high) = (low - 2.0, high + 2.0);
    let y = |celsius: f64| HEIGHT - (celsius - low) / (high - low) * HEIGHT;
    let step = WIDTH / gpu.course.len().max(1) as f64;
    let line = |value: fn(&Slice) -> f64| {
        let mut path = String::new();
        let mut pen_down = false;
        for (place, slice) in gpu.course.iter().enumerate() {
            let celsius = value(slice);
            if !celsius.is_finite() {
                pen_down = false;
                continue;
            }
            let letter = if pen_down { 'L' } else { 'M' };
            let x = (place as f64 + 0.5) * step;
            let _ = write!(path, "{letter}{x:.1} {:.1}", y(celsius));
            pen_down = true;
        }
        path
    };
    let alert = y(gpu.alert_celsius);
    format!(
        "<svg viewBox=\"0 0 {width} {HEIGHT}\" role=\"img\" aria-label=\"Temperature over the period: hottest, mean, and alert\">\
         <path class=\"alert\" d=\"M0 {alert:.1}H{WIDTH}\"/><path class=\"mean\" d=\"{}\"/><path class=\"most\" d=\"{}\"/>\
         <text x=\"{label}\" y=\"{text_y:.1}\">alert {:.0} °C</text><text x=\"{label}\" y=\"{HEIGHT}\">{low:.0} °C</text></svg>",
        line(|slice| slice.mean_celsius),
        line(|slice| slice.hottest_celsius),
        gpu.alert_celsius,
        width = WIDTH + 90.0,
        label = WIDTH + 6.0,
        text_y = alert + 4.0,
    )
}

const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::NotNeeded => "good",
        Verdict::LookAtCooling => "bad",
        Verdict::CantTell | Verdict::HotWithoutFit => "dim",
        _ => "warn",
    }
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:66rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .2rem}.verdict{font-size:1.15rem;font-weight:600}\
.what,footer{color:#57606a;font-size:.85rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}\
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #d0d7de;white-space:nowrap}th:first-child,td:first-child,td:last-child{text-align:left}\
p.warn{color:#7d4e00}tr.good td:last-child{color:#116329}tr.warn td:last-child{color:#7d4e00}tr.bad td:last-child{color:#a40e26;font-weight:600}tr.dim td{color:#57606a}\
svg{width:100%;height:auto}path{fill:none;stroke-width:1.5}.alert{stroke:#a40e26;stroke-dasharray:4 3}.mean{stroke:#8c959f}.most{stroke:#0969da}text{font-size:11px;fill:#57606a}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.what,footer,tr.dim td{color:#9198a1}th,td{border-color:#3d444d}p.warn,tr.warn td:last-child{color:#e3b341}tr.good td:last-child{color:#56d364}tr.bad td:last-child{color:#ff7b72}text{fill:#9198a1}.alert{stroke:#ff7b72}.most{stroke:#58a6ff}}";

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if letter.is_control() => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}
