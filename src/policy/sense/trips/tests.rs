use super::*;
use crate::device::{Missing, Thresholds};
use crate::units::Moment;

fn facts(gpu_max: Option<f64>, mem_max: Option<f64>) -> Facts {
    let thresholds = Thresholds {
        gpu_max: gpu_max.map(Celsius::new),
        mem_max: mem_max.map(Celsius::new),
        ..Thresholds::default()
    };
    Facts {
        thresholds,
        ..Facts::default()
    }
}

fn reading(core: f64, memory: Option<f64>, margin: Option<f64>) -> Reading {
    Reading {
        core: Ok(Celsius::new(core)),
        memory: memory.map(Celsius::new).ok_or(Missing::NotSupported),
        margin: margin.map(Celsius::new).ok_or(Missing::NotSupported),
        ..Reading::missing(Moment::START, Missing::NotSupported)
    }
}

fn trips(table: &TripTable) -> [Celsius; 3] {
    [table.core.critical, table.core.alert, table.core.safe]
}

#[test]
fn an_a100_80gb_gets_85_78_72() {
    let table = TripTable::resolve(
        &TripOverrides::default(),
        &facts(Some(85.0), Some(95.0)),
        false,
        true,
    );
    assert_eq!(trips(&table), [85.0, 78.0, 72.0].map(Celsius::new));
    assert_eq!(
        table.memory.map(|memory| memory.alert.degrees()),
        Some(88.0)
    );
}

#[test]
fn a_silent_or_absurd_card_gets_the_fallback() {
    for max in [None, Some(0.0), Some(59.9), Some(111.0)] {
        let table = TripTable::resolve(&TripOverrides::default(), &facts(max, None), false, false);
        assert_eq!(
            trips(&table),
            [85.0, 78.0, 72.0].map(Celsius::new),
            "{max:?}"
        );
        assert_eq!(table.origin, TripOrigin::Fallback);
    }
}

#[test]
fn a_margin_decides_even_where_temperature_plus_margin_moves() {
    // H100 as reported: 41 + 46 = 87, but 59 + 26 = 85.
    let table = TripTable::resolve(
        &TripOverrides::default(),
        &facts(Some(87.0), None),
        true,
        true,
    );
    assert_eq!(table.origin, TripOrigin::Margin);
    let heat = table.of_margin(Celsius::new(26.0));
    assert_eq!(heat.to_critical, Celsius::new(26.0));
    assert_eq!(heat.to_alert, Celsius::new(19.0));
}

#[test]
fn the_hotter_sensor_wins() {
    let table = TripTable::resolve(
        &TripOverrides::default(),
        &facts(Some(83.0), Some(85.0)),
        false,
        true,
    );
    let memory = Heat::of(&table.memory.expect("trips"), Celsius::new(79.0));
    let heat = Heat::of(&table.core, Celsius::new(60.0)).worse(memory);
    assert_eq!(heat.to_alert, Celsius::new(-1.0));
    assert!(heat.is_hot() && !heat.is_critical());
}

#[test]
fn configured_numbers_are_for_the_core_only() {
    let by = TripOverrides {
        alert: Some(Celsius::new(70.0)),
        ..TripOverrides::default()
    };
    let table = TripTable::resolve(&by, &facts(Some(85.0), Some(95.0)), true, true);
    assert_eq!(trips(&table), [85.0, 70.0, 64.0].map(Celsius::new));
    assert_eq!(table.origin, TripOrigin::Configured);
    assert_eq!(
        table.memory.map(|memory| memory.critical.degrees()),
        Some(95.0)
    );
}

#[test]
fn safe_is_thirteen_degrees_under_critical_for_both_kinds_of_sensor() {
    let auto = TripOverrides::default();
    let core = TripTable::resolve(&auto, &facts(Some(85.0), None), false, false);
    let heat = Heat::of(&core.core, Celsius::new(60.0));
    assert_eq!(heat.to_safe, Celsius::new(12.0));
    let margin = TripTable::resolve(&auto, &facts(None, None), true, false);
    let heat = margin.of_margin(Celsius::new(26.0));
    assert_eq!(heat.to_safe, Celsius::new(13.0));
}

#[test]
fn the_trips_in_force_move_with_a_margin_and_stand_without() {
    let auto = TripOverrides::default();
    let margin = TripTable::resolve(&auto, &facts(Some(87.0), None), true, false);
    let now = margin.in_force(&reading(60.0, None, Some(20.0)));
    assert_eq!(now, Some(Trips::under(Celsius::new(80.0))));
    assert_eq!(margin.in_force(&reading(60.0, None, None)), None);
    let core = TripTable::resolve(&auto, &facts(Some(87.0), None), false, false);
    assert_eq!(core.in_force(&reading(60.0, None, None)), Some(core.core));
}

/// A card of this maximum that slows itself down, and shuts itself off, there.
fn with_limits(gpu_max: Option<f64>, slowdown: Option<f64>, shutdown: Option<f64>) -> Facts {
    let mut facts = facts(gpu_max, None);
    facts.thresholds.slowdown = slowdown.map(Celsius::new);
    facts.thresholds.shutdown = shutdown.map(Celsius::new);
    facts
}

fn auto(facts: &Facts) -> TripTable {
    TripTable::resolve(&TripOverrides::default(), facts, false, false)
}

#[test]
fn critical_is_under_the_cards_own_slowdown_and_well_under_its_shutdown() {
    for (max, slowdown, shutdown, critical) in [
        (Some(105.0), Some(97.0), Some(100.0), 96.0),
        (Some(102.0), Some(97.0), Some(102.0), 96.0),
        (Some(105.0), None, Some(100.0), 97.0),
        (None, Some(80.0), None, 79.0),
        (Some(88.0), Some(89.0), Some(91.0), 88.0),
        (Some(85.0), Some(0.0), Some(511.0), 85.0),
    ] {
        let table = auto(&with_limits(max, slowdown, shutdown));
        assert_eq!(table.core.critical, Celsius::new(critical), "{max:?}");
        assert_eq!(table.core, Trips::under(Celsius::new(critical)));
        let lowered = critical < max.unwrap_or(85.0);
        assert_eq!(table.origin == TripOrigin::Slowdown, lowered);
    }
}

#[test]
fn every_known_card_keeps_its_maximum_as_critical() {
    // Of docs/thresholds.md: critical, slowdown, shutdown.
    for (critical, slowdown, shutdown) in [
        (85.0, 89.0, 92.0),
        (83.0, 87.0, 90.0),
        (91.0, 93.0, 98.0),
        (87.0, 89.0, 95.0),
        (87.0, 89.0, 92.0),
        (84.0, 86.0, 91.0),
    ] {
        let mut facts = with_limits(Some(critical), Some(slowdown), Some(shutdown));
        assert_eq!(auto(&facts).core.critical, Celsius::new(critical));
        facts.margin_offsets.slowdown = Some(Celsius::new(critical - slowdown));
        facts.margin_offsets.shutdown = Some(Celsius::new(critical - shutdown));
        let margin = TripTable::resolve(&TripOverrides::default(), &facts, true, false);
        assert_eq!(margin.margin, Celsius::new(0.0), "margin 0");
    }
}

#[test]
fn a_margin_is_critical_before_the_card_slows_itself_down() {
    let mut facts = Facts::default();
    facts.margin_offsets.slowdown = Some(Celsius::new(2.0));
    let table = TripTable::resolve(&TripOverrides::default(), &facts, true, false);
    assert!(table.of_margin(Celsius::new(3.0)).is_critical());
    assert!(!table.of_margin(Celsius::new(3.1)).is_critical());
    facts.margin_offsets.slowdown = Some(Celsius::new(255.0));
    let table = TripTable::resolve(&TripOverrides::default(), &facts, true, false);
    assert_eq!(table.margin, Celsius::new(0.0), "a misread");
}

/// Numbers of the operator on a card of 85 that slows itself down at 89.
fn configured(alert: Option<f64>, critical: Option<f64>, safe: Option<f64>) -> TripTable {
    let by = TripOverrides {
        alert: alert.map(Celsius::new),
        critical: critical.map(Celsius::new),
        safe: safe.map(Celsius::new),
        ..TripOverrides::default()
    };
    let facts = with_limits(Some(85.0), Some(89.0), Some(92.0));
    TripTable::resolve(&by, &facts, false, false)
}

#[test]
fn configured_trips_keep_their_distance_their_order_and_under_the_slowdown() {
    for (given, expected) in [
        ((Some(70.0), None, None), [85.0, 70.0, 64.0]),
        ((None, Some(80.0), None), [80.0, 73.0, 67.0]),
        ((None, None, Some(60.0)), [85.0, 78.0, 60.0]),
        ((Some(78.0), Some(85.0), Some(72.0)), [85.0, 78.0, 72.0]),
        // What can't stand on this card is lowered.
        ((None, Some(95.0), None), [88.0, 81.0, 75.0]),
        ((Some(90.0), None, None), [85.0, 78.0, 72.0]),
        ((None, None, Some(80.0)), [85.0, 78.0, 72.0]),
    ] {
        let (alert, critical, safe) = given;
        let table = configured(alert, critical, safe);
        assert_eq!(trips(&table), expected.map(Celsius::new), "{given:?}");
        assert_eq!(table.origin, TripOrigin::Configured);
    }
}

#[test]
fn a_lowered_threshold_is_reported() {
    let lowered = |by: TripOverrides| {
        let facts = with_limits(Some(85.0), Some(89.0), Some(92.0));
        TripTable::resolve(&by, &facts, false, false)
            .core
            .are_lowered(&by)
    };
    let critical = |degrees| TripOverrides {
        critical: Some(Celsius::new(degrees)),
        ..TripOverrides::default()
    };
    assert!(lowered(critical(95.0)));
    assert!(!lowered(critical(88.0)) && !lowered(TripOverrides::default()));
}

/// A card with a maximum operating temperature and a target of its firmware.
fn with_target(gpu_max: Option<f64>, target: f64) -> Facts {
    let mut facts = facts(gpu_max, None);
    facts.thresholds.acoustic_current = Some(Celsius::new(target));
    facts
}

const BEFORE: TripOverrides = TripOverrides {
    alert: None,
    critical: None,
    safe: None,
    rule: TripRule::BeforeFirmware,
};

#[test]
fn before_firmware_puts_alert_one_degree_under_its_target() {
    // An RTX 3090 as reported: maximum 93, target 83.
    let facts = with_target(Some(93.0), 83.0);
    let table = TripTable::resolve(&BEFORE, &facts, false, false);
    assert_eq!(trips(&table), [93.0, 82.0, 76.0].map(Celsius::new));
    assert_eq!(table.origin, TripOrigin::BeforeFirmware);
    let auto = TripTable::resolve(&TripOverrides::default(), &facts, false, false);
    assert_eq!(trips(&auto), [93.0, 86.0, 80.0].map(Celsius::new));
}

#[test]
fn before_firmware_raises_nothing_and_without_a_target_it_is_auto() {
    let auto = TripOverrides::default();
    for facts in [
        // The guard is first already.
        with_target(Some(84.0), 83.0),
        // No target, or a placeholder.
        facts(Some(85.0), Some(95.0)),
        with_target(Some(93.0), 0.0),
        with_target(Some(93.0), 255.0),
    ] {
        let before = TripTable::resolve(&BEFORE, &facts, false, true);
        let table = TripTable::resolve(&auto, &facts, false, true);
        assert_eq!((before.core, before.origin), (table.core, table.origin));
    }
}

#[test]
fn on_a_card_with_a_margin_the_core_is_held_under_the_target_and_the_margin_stays() {
    let facts = with_target(None, 85.0);
    let table = TripTable::resolve(&BEFORE, &facts, true, false);
    assert_eq!(trips(&table), [91.0, 84.0, 78.0].map(Celsius::new));
    assert_eq!(table.origin, TripOrigin::BeforeFirmware);
    assert_eq!(table.margin, Celsius::new(0.0));
}
