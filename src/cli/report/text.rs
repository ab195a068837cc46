//! The report as text: first a summary of each GPU, then the incidents, newest last.

use std::fmt::Write as _;

use crate::cli::style::{BAD, BOLD, DIM, GOOD, WARN, plain};
use crate::cli::when::Zone;
use crate::cli::width::Width;
use crate::events::{Trouble, Weight, Word, span, who};

use super::incident::Incident;
use super::record::{Gpu, Record, Spells};

/// The newest of more incidents.
const SHOWN: usize = 50;

/// How the report is shown.
pub(crate) struct Look {
    pub(crate) width: Width,
    pub(crate) zone: Zone,
}

impl Look {
    /// The same on every machine.
    pub(crate) const PLAIN: Self = Self {
        width: Width::ANY,
        zone: Zone::UTC,
    };
}

pub(crate) fn page(record: &Record, look: &Look) -> String {
    let mut page = heading(record, look);
    for gpu in &record.gpus {
        page.push_str(&of_gpu(gpu, record, look.width));
    }
    if record.gpus.is_empty() {
        page.push_str("Nothing happened on any GPU.\n\n");
    }
    page.push_str(&of_guard(record, look.width));
    page.push_str(&incidents(record, look));
    page
}

fn heading(record: &Record, Look { width, zone }: &Look) -> String {
    let (since, until) = (zone.date(record.since), zone.date(record.until));
    let name = zone.name(record.until);
    let period = width.beside(22, &format!("{since} to {until} {name}"));
    let mut text = format!("{BOLD}thermal-guard report{BOLD:#}  {period}\n");
    let begins = record.log_begins.filter(|begins| *begins > record.since);
    if let Some(begins) = begins {
        let _ = writeln!(text, "The log begins {} {name}.", zone.date(begins));
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

fn of_gpu(gpu: &Gpu, record: &Record, width: Width) -> String {
    let row = |text: &mut String, name: &str, value: &str| row(text, name, value, width);
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
        let least = if gpu.hottest_is_least {
            "at least "
        } else {
            ""
        };
        let hottest = format!("{least}{hottest:.0} °C while throttled");
        row(&mut text, "hottest", &hottest);
    }
    if gpu.work_asked_seconds > 0.0 {
        row(&mut text, "work lost", &work_lost(gpu));
    }
    if gpu.own_slowdowns.count > 0 {
        row(&mut text, "slowed itself", &own_slowdowns(gpu));
    }
    let infeasible = gpu.troubles.get(Trouble::Infeasible.name());
    let infeasible = infeasible.map_or_else(
        || "never".to_owned(),
        |spells| format!("{BAD}{}{BAD:#}: look at the cooling", times(spells)),
    );
    row(&mut text, "couldn't be held", &infeasible);
    if let Some(spells) = gpu.troubles.get(Trouble::CoolingWorse.name()) {
        row(&mut text, "cools worse", &cools_worse(spells));
    }
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
        .map(|(trigger, count)| format!("{count} by {}", who(&Word::named(trigger))))
        .collect();
    let emergencies = match gpu.emergencies {
        0 => String::new(),
        count => format!("; {BAD}{count} to emergency{BAD:#}"),
    };
    format!("{}: {}{emergencies}", gpu.throttle_events, by.join(", "))
}

fn work_lost(gpu: &Gpu) -> String {
    let (asked, lost) = (gpu.work_asked_seconds, gpu.work_lost_seconds);
    let time = span(lost);
    let (share, unguarded) = (100.0 * lost / asked, unguarded(gpu));
    format!("{time} at the most, {share:.1} % of the work while throttled; {unguarded}")
}

/// What the card's own slowdown would have taken.
fn unguarded(gpu: &Gpu) -> String {
    let (asked, lost) = (
        gpu.unguarded_work_asked_seconds,
        gpu.unguarded_work_lost_seconds,
    );
    if asked <= 0.0 {
        return "the cost without the guard isn't known".to_owned();
    }
    let known = 100.0 * asked / gpu.work_asked_seconds;
    let of = if known < 99.5 {
        format!(" (known for {known:.0} % of that work)")
    } else {
        String::new()
    };
    let share = 100.0 * lost / asked;
    format!("without the guard, it would be {share:.1} %{of}")
}

fn cools_worse(spells: &Spells) -> String {
    let times = times(spells);
    format!("{WARN}{times}{WARN:#}: look for dust, a fan that stands, a blocked inlet")
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

/// By the card's firmware, and not by the guard.
fn own_slowdowns(gpu: &Gpu) -> String {
    let hottest = gpu.own_hottest_celsius;
    let hottest = hottest.map_or_else(String::new, |hottest| format!(", hottest {hottest:.0} °C"));
    format!("{WARN}{}{WARN:#}{hottest}", times(&gpu.own_slowdowns))
}

/// Infeasible and worse cooling have lines of their own.
fn failures(gpu: &Gpu) -> String {
    let troubles = gpu.troubles.iter();
    let elsewhere = [Trouble::Infeasible, Trouble::CoolingWorse].map(Trouble::name);
    let troubles = troubles.filter(|(name, _)| !elsewhere.contains(&name.as_str()));
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

fn of_guard(record: &Record, width: Width) -> String {
    let row = |text: &mut String, name: &str, value: &str| row(text, name, value, width);
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

fn incidents(record: &Record, Look { width, zone }: &Look) -> String {
    let incidents = &record.incidents;
    if incidents.is_empty() {
        return "No incident.\n".to_owned();
    }
    let mut text = format!("{BOLD}Incidents{BOLD:#} ({})\n", zone.name(record.until));
    let left_out = incidents.len().saturating_sub(SHOWN);
    if left_out > 0 {
        let _ = writeln!(text, "  {left_out} earlier ones: --json has them all");
    }
    let shown = &incidents[left_out..];
    let lasted: Vec<_> = shown.iter().map(lasted).collect();
    let longest = lasted.iter().map(|it| it.chars().count()).max();
    let longest = longest.unwrap_or(0);
    for (incident, lasted) in shown.iter().zip(lasted) {
        let gpu = incident.gpu.as_ref();
        let gpu = gpu.map_or_else(|| "guard".to_owned(), |name| format!("GPU {}", name.gpu));
        let style = match incident.weight {
            Weight::Error => BAD,
            Weight::Warn => WARN,
            Weight::Info => DIM,
        };
        let began = zone.date(incident.began);
        let used = 2 + began.len() + 2 + gpu.len().max(6) + 2 + longest + 2;
        let what = width.beside(used, &plain(&incident.what));
        let _ = writeln!(
            text,
            "  {DIM}{began}{DIM:#}  {gpu:<6}  {lasted:>longest$}  {style}{what}{style:#}"
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

fn row(text: &mut String, name: &str, value: &str, width: Width) {
    let value = width.beside(2 + 16 + 2, value);
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
