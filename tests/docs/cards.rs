//! The thresholds of `thresholds: auto` on the cards that the simulators know.

use std::fmt::Write as _;

use thermal_guard::device::{Facts, Thresholds};
use thermal_guard::policy::TripOverrides;
use thermal_guard::policy::sense::trips::{TripOrigin, TripTable};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Watts};

use crate::derived;

/// The values of the card that trips come from.
fn trips(card: &Profile) -> TripTable {
    let absolute = |value: Celsius| card.has_thresholds.then_some(value);
    let facts = Facts {
        thresholds: Thresholds {
            gpu_max: absolute(card.max_operating),
            mem_max: card.hbm.filter(|hbm| hbm.has_threshold).map(|hbm| hbm.max),
            ..Thresholds::default()
        },
        ..Facts::default()
    };
    TripTable::resolve(
        &TripOverrides::default(),
        &facts,
        card.has_margin,
        card.hbm.is_some(),
    )
}

fn row(card: &Profile) -> String {
    let table = trips(card);
    let max = card.max_operating;
    // By the margin, trips are distances to where it is 0, which on these cards is `max_operating`.
    let (core, origin) = match table.origin {
        TripOrigin::Margin => (max, "T.Limit margin 0 / 7 / 13"),
        TripOrigin::MaxOperating => (table.core.critical, "maximum operating temperature"),
        other => panic!("{}: {other:?}", card.name),
    };
    let below = |trip: Celsius| core - (table.core.critical - trip);
    let memory = table
        .memory
        .map_or("by the margin or none".to_owned(), |memory| {
            format!(
                "{} / {} / {}",
                memory.critical.degrees(),
                memory.alert.degrees(),
                memory.safe.degrees()
            )
        });
    let (critical, alert, safe) = (
        core.degrees(),
        below(table.core.alert).degrees(),
        below(table.core.safe).degrees(),
    );
    let watts = [card.min_limit, card.default_limit, card.max_limit].map(Watts::as_f64);
    let mut row = String::new();
    let slowdown = format!("{} / {}", card.slowdown.degrees(), card.shutdown.degrees());
    let [min, default, max] = watts;
    writeln!(row, "| {} | {origin} | {critical} / {alert} / {safe} | {memory} | {slowdown} | {min} / {default} / {max} |", card.name).unwrap();
    row
}

#[test]
fn the_table_of_cards_is_what_the_policy_makes_of_them() {
    let mut table = "| card | from | core: critical / alert / safe °C | memory: critical / alert / safe °C | hardware slowdown / shutdown °C | limit min / default / max W |\n|---|---|---|---|---|---|\n".to_owned();
    for card in profile::ALL {
        table.push_str(&row(card));
    }
    derived("docs/thresholds.md", "cards", &table);
}
