//! The result, for people.

use std::fmt::Write;

use super::super::style::plain;
use super::row::Row;
use crate::cli::table::aligned;

const LEGEND: &str = "\
FORECAST: how far off the observer's temperature was, 10 s ahead and with the draw known: the mean, and
19 of 20 were better than the second. DOUBTS: readings that the guard would not have trusted, of a card
that is taken to be healthy. DECISIONS: throttles, emergencies, times without a trusted temperature, by
the default thresholds; the recorded card didn't obey.
";

const HELD: &str = "\
HELD: with the reading held still from a lasting move of the draw on, seconds until the guard caps: the
longest of all moves; moves within a minute of the end count only if it capped.
";

const COLUMNS: [&str; 8] = [
    "FILE",
    "CARD",
    "SECONDS",
    "CORE °C",
    "FORECAST °C",
    "DOUBTS",
    "DECISIONS",
    "HELD",
];

pub(super) fn page(rows: &[Row], hold: bool) -> String {
    let columns = if hold {
        COLUMNS.len()
    } else {
        COLUMNS.len() - 1
    };
    let mut cells = vec![COLUMNS.map(str::to_owned).to_vec()];
    cells.extend(rows.iter().map(cells_of));
    for row in &mut cells {
        row.truncate(columns);
    }
    let mut text = aligned("", &cells);
    for row in rows {
        text.push_str(&doubts(row));
    }
    text.push('\n');
    text.push_str(LEGEND);
    if hold {
        text.push_str(HELD);
    }
    text + &verdict(rows)
}

fn cells_of(row: &Row) -> Vec<String> {
    let it = &row.replayed;
    let forecast = it.forecast.map_or_else(
        || "-".to_owned(),
        |it| format!("{:.1} / {:.1}", it.mean_celsius, it.p95_celsius),
    );
    let core = it.core_celsius.map_or_else(
        || "-".to_owned(),
        |[low, high]| format!("{low:.0}–{high:.0}"),
    );
    let doubts = if it.judged {
        it.doubts.to_string()
    } else {
        "not judged".to_owned()
    };
    vec![
        plain(&row.file),
        plain(&row.card),
        format!("{:.0}", it.seconds),
        core,
        forecast,
        doubts,
        format!("{} / {} / {}", it.throttles, it.emergencies, it.blind),
        held(row),
    ]
}

fn held(row: &Row) -> String {
    if row.held.iter().any(super::held::Held::is_late) {
        return "LATE".to_owned();
    }
    let capped = row.held.iter().filter_map(|it| it.capped_after_seconds);
    capped
        .reduce(f64::max)
        .map_or_else(|| "-".to_owned(), |longest| format!("{longest:.0}"))
}

fn doubts(row: &Row) -> String {
    let mut text = String::new();
    let (file, card) = (plain(&row.file), plain(&row.card));
    for doubt in &row.replayed.listed_doubts {
        let sensor = doubt.sensor.unwrap_or("a sensor");
        let (at, why) = (doubt.at_seconds, doubt.doubt);
        let _ = writeln!(text, "{file} {card}: {sensor} {why} at {at} s");
    }
    let odd = row.replayed.implausible;
    if odd > 0 {
        let _ = writeln!(text, "{file} {card}: {odd} temperatures that no card has");
    }
    text
}

fn verdict(rows: &[Row]) -> String {
    let judged = rows.iter().filter(|row| row.replayed.judged).count();
    let wrong = rows.iter().filter(|row| row.is_wrong()).count();
    let found = match wrong {
        0 => "nothing wrong".to_owned(),
        1 => "one is wrong".to_owned(),
        more => format!("{more} are wrong"),
    };
    let cards = rows.len();
    format!("\n{judged} of {cards} cards have core and draw: {found}\n")
}
