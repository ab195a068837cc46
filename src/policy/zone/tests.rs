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
