//! The report on a page: first what there is to know of each GPU, then what happened, newest last.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use crate::cli::paint::{BAD, BOLD, DIM, GOOD, WARN, plain};
use crate::guard::events::{Weight, span, trouble};

use super::incident::Incident;
use super::record::{Gpu, Record, Spells};

/// Of more incidents, the newest.
const SHOWN: usize = 50;

pub(super) fn page(record: &Record) -> String {
    let mut page = heading(record);
    for gpu in &record.gpus {
        page.push_str(&of_gpu(gpu, record));
    }
    if record.gpus.is_empty() {
        page.push_str("Nothing happened on any GPU.\n\n");
    }
    page.push_str(&of_guard(record));
    page.push_str(&incidents(&record.incidents));
    page
}

fn heading(record: &Record) -> String {
    let (since, until) = (date(record.since), date(record.until));
    let mut text = format!("{BOLD}thermal-guard report{BOLD:#}  {since} to {until} UTC\n");
    let begins = record.log_begins.filter(|begins| *begins > record.since);
    if let Some(begins) = begins {
        let _ = writeln!(text, "The log begins {} UTC.", date(begins));
    }
    if record.unrecorded_events > 0 || record.unreadable_lines > 0 {
        let _ = writeln!(
            text,
            "The log has holes: {} events not recorded, {} lines not readable.",
            record.unrecorded_events, record.unreadable_lines
        );
    }
    text.push('\n');
    text
}

fn of_gpu(gpu: &Gpu, record: &Record) -> String {
    let mut text = format!(
        "{BOLD}GPU {}{BOLD:#}  {}\n",
        gpu.name.gpu,
        plain(&gpu.name.uuid)
    );
    row(&mut text, "throttle events", &throttles(gpu));
    let recoveries = match gpu.mean_seconds_to_recovery {
        Some(mean) => format!(
            "{}, {} from trigger to full recovery on average",
            gpu.recoveries,
            span(mean)
        ),
        None => "none".to_owned(),
    };
    row(&mut text, "recovery cycles", &recoveries);
    if gpu.throttled_seconds > 0.0 {
        row(&mut text, "time throttled", &throttled(gpu, record));
    }
    if let Some(hottest) = gpu.hottest_celsius {
        row(
            &mut text,
            "hottest",
            &format!("{hottest:.0} °C while throttled"),
        );
    }
    let infeasible = gpu.troubles.get(trouble::INFEASIBLE);
    let infeasible = infeasible.map_or_else(
        || "never".to_owned(),
        |spells| format!("{BAD}{}{BAD:#}: look at the cooling", times(spells)),
    );
    row(&mut text, "couldn't be held", &infeasible);
    row(&mut text, "failures", &failures(gpu));
    if gpu.pauses > 0 {
        row(&mut text, "paused", &often(gpu.pauses));
    }
    text.push('\n');
    text
}

fn throttles(gpu: &Gpu) -> String {
    if gpu.throttle_events == 0 {
        return format!("{GOOD}none{GOOD:#}");
    }
    let by = gpu.by_trigger.iter();
    let by: Vec<_> = by
        .map(|(trigger, count)| format!("{count} by {trigger}"))
        .collect();
    let emergencies = match gpu.emergencies {
        0 => String::new(),
        count => format!("; {BAD}{count} to emergency{BAD:#}"),
    };
    format!("{}: {}{emergencies}", gpu.throttle_events, by.join(", "))
}

fn throttled(gpu: &Gpu, record: &Record) -> String {
    let begins = record.log_begins.unwrap_or(record.since).max(record.since);
    let known = record.until.saturating_sub(begins).as_secs_f64();
    let time = span(gpu.throttled_seconds);
    if known < gpu.throttled_seconds.max(60.0) {
        return time;
    }
    let share = 100.0 * gpu.throttled_seconds / known;
    format!("{time}, {share:.1} % of the time")
}

/// Infeasible has a line of its own.
fn failures(gpu: &Gpu) -> String {
    let troubles = gpu.troubles.iter();
    let troubles = troubles.filter(|(name, _)| *name != trouble::INFEASIBLE);
    let mut all: Vec<_> = troubles
        .map(|(name, spells)| format!("{} {}", plain(name).replace('_', " "), times(spells)))
        .collect();
    let xids = gpu.xids.iter();
    all.extend(xids.map(|(xid, count)| format!("Xid {xid} ({count})")));
    if all.is_empty() {
        format!("{GOOD}none{GOOD:#}")
    } else {
        format!("{WARN}{}{WARN:#}", all.join("; "))
    }
}

fn of_guard(record: &Record) -> String {
    let guard = &record.guard;
    let mut text = format!("{BOLD}Guard{BOLD:#}\n");
    let deaths = match guard.deaths {
        0 => String::new(),
        count => format!("; {BAD}died {}{BAD:#}", often(count)),
    };
    row(&mut text, "starts", &format!("{}{deaths}", guard.starts));
    for (name, spells) in [
        ("alert chain away", guard.chain_outages),
        ("no driver", guard.driver_outages),
        ("detached", guard.detached),
    ] {
        if spells.count > 0 {
            row(&mut text, name, &times(&spells));
        }
    }
    if guard.reloads_refused > 0 {
        row(&mut text, "reload refused", &often(guard.reloads_refused));
    }
    text.push('\n');
    text
}

fn incidents(incidents: &[Incident]) -> String {
    if incidents.is_empty() {
        return "No incident.\n".to_owned();
    }
    let mut text = format!("{BOLD}Incidents{BOLD:#} (UTC)\n");
    let left_out = incidents.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let _ = writeln!(text, "  {left_out} earlier ones: --json has them all");
    }
    let shown = &incidents[left_out..];
    let lasted: Vec<_> = shown.iter().map(lasted).collect();
    let width = lasted.iter().map(String::len).max().unwrap_or(0);
    for (incident, lasted) in shown.iter().zip(lasted) {
        let gpu = incident.gpu.as_ref();
        let gpu = gpu.map_or_else(|| "guard".to_owned(), |name| format!("GPU {}", name.gpu));
        let style = match incident.weight {
            Weight::Error => BAD,
            Weight::Warn => WARN,
            Weight::Info => DIM,
        };
        let (began, what) = (date(incident.began), plain(&incident.what));
        let _ = writeln!(
            text,
            "  {DIM}{began}{DIM:#}  {gpu:<6}  {lasted:>width$}  {style}{what}{style:#}"
        );
    }
    text
}

fn lasted(incident: &Incident) -> String {
    let lasted = incident.seconds.map(span).unwrap_or_default();
    if incident.ongoing {
        format!("{lasted}…")
    } else {
        lasted
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "  {name:<16}  {value}");
}

fn times(spells: &Spells) -> String {
    format!("{}, {}", often(spells.count), span(spells.seconds))
}

fn often(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// To the second, in UTC: `2026-11-20 08:12:31`.
fn date(at: Duration) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + at).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}
