//! Whether a card cools worse than it did: found, and nothing else called so.

use thermal_guard::guard::Tick;
use thermal_guard::policy::cooling::Than;
use thermal_guard::sim::profile::{self, PowerReading};

use super::any_card::any_card;
use super::room::Room;
use crate::common::dice::Dice;
use crate::common::figures::tell;

/// The operators' bars, in hours of varied load.
const FOUND_WITHIN: u64 = 24;
const LEARNED_WITHIN: u64 = 72;

/// More than one: the month of `make cooling`.
fn days() -> u64 {
    let days = std::env::var("THERMAL_GUARD_COOLING_DAYS");
    days.ok().and_then(|days| days.parse().ok()).unwrap_or(1)
}

fn any_worse(ticks: &[Tick]) -> bool {
    let worse = |tick: &Tick, than| tick.cooling.is_worse(than) == Some(true);
    ticks
        .iter()
        .any(|tick| Than::ALL.into_iter().any(|than| worse(tick, than)))
}

/// Learns the cards' baselines, then lets the first one collect dust. How many hours each took. `None`:
/// these loads don't tell the resistance of such cards.
fn dust(room: &mut Room) -> Option<(f64, f64)> {
    let learned = room.hours_until(LEARNED_WITHIN, |ticks| {
        assert!(!any_worse(ticks), "nothing has changed yet");
        ticks.iter().all(|tick| tick.cooling.baseline.is_some())
    })?;
    let early = room.hours_until(3, any_worse);
    assert_eq!(early, None, "nothing has changed yet");
    room.positions[0] *= 1.2;
    let found = room.hours_until(FOUND_WITHIN, |ticks| {
        let cooling = &ticks[0].cooling;
        cooling.is_worse(Than::Before) == Some(true)
            && cooling.is_worse(Than::Neighbours) == Some(true)
    });
    Some((learned, found.expect("found within a day")))
}

/// What the node's neighbours do, too, when one of them collects dust.
#[test]
fn a_card_that_cools_a_fifth_worse_is_found_and_its_neighbour_is_not() {
    let profile = profile::named("a100-80gb").unwrap();
    let mut room = Room::new(profile, &[1.0, 1.45], 60.0, Dice(3));
    let (learned, found) = dust(&mut room).expect("a baseline");
    let ticks = room.poll();
    let ratio = ticks[0].cooling.ratio.unwrap().value();
    tell(&format!(
        "+20 % of resistance: found after {found:.1} h at {ratio:.2}; baselines after {learned:.0} h"
    ));
    assert_eq!(ticks[1].cooling.is_worse(Than::Before), Some(false));
    // A new worker goes on from what the last one learned.
    room.node.restart(0);
    let again = room.poll().swap_remove(0).cooling;
    assert_eq!(again.baseline, ticks[0].cooling.baseline);
}

/// Many cards, and jobs of one minute to three hours: `make cooling`.
#[test]
fn any_card_that_cools_a_fifth_worse_is_found() {
    let seeds = if days() > 1 { 16 } else { 0 };
    let mut hours: Vec<f64> = (0..seeds)
        .filter_map(|seed| {
            let mut dice = Dice(seed);
            let profile = loop {
                let profile = any_card(&mut dice);
                // What a card's own fans do is known too little for 20 %. And the simulated mean of a
                // second is a tenth off after some hours.
                if profile.fans == 0 && profile.sensing.power == PowerReading::Momentary {
                    break profile;
                }
            };
            let longest = [60.0, 180.0][dice.index(2)];
            let mut room = Room::new(profile, &[1.0, 1.3], longest, dice);
            let key = profile.key;
            let hours = dust(&mut room);
            tell(&match hours {
                Some((learned, found)) => format!(
                    "{key}, jobs of up to {longest:.0} min: baselines after {learned:.0} h, found after {found:.1} h"
                ),
                None => format!("{key}, jobs of up to {longest:.0} min: no baselines"),
            });
            hours.map(|(_, found)| found)
        })
        .collect();
    hours.sort_by(f64::total_cmp);
    if let (Some(median), Some(last)) = (hours.get(hours.len() / 2), hours.last()) {
        let known = hours.len();
        tell(&format!(
            "+20 % of {seeds} cards: {known} with baselines within three days, found after {median:.1} h at the median, {last:.1} h at the latest"
        ));
    }
    assert!(4 * hours.len() as u64 >= 3 * seeds, "{hours:?}");
}

/// Half of the cards of an HGX are a third to a half worse for good.
#[test]
fn a_room_that_swings_and_cards_in_bad_places_raise_no_alarm() {
    let days = days();
    let profile = profile::named("a100-80gb").unwrap();
    let positions = [1.0, 1.45, 1.0, 1.45];
    let cards = if days > 1 { 4 } else { 2 };
    let mut room = Room::new(profile, &positions[..cards], 60.0, Dice(5));
    let alarm = room.hours_until(days * 24, any_worse);
    let ticks = room.poll();
    let resistances: Vec<_> = ticks
        .iter()
        .map(|tick| tick.cooling.resistance.unwrap())
        .collect();
    let apart = resistances[1] / resistances[0];
    tell(&format!(
        "{days} days of changing loads: alarm {alarm:?}, positions {apart:.2} apart"
    ));
    assert_eq!(alarm, None);
    assert!((1.3..1.6).contains(&apart), "{resistances:?}");
}
