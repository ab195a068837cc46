//! What a file that counts needs of the metrics library: names as they are exported, a gauge that is
//! absent at first, and labels whose values are words of this program.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::registry::Registry;
use prometheus_client::registry::{Metric, Unit};

/// Label names and values. The values are words of this program, never those of a sender.
pub(crate) type Words<const N: usize> = [(&'static str, &'static str); N];

/// A metric without labels that is absent until it is first set.
pub(crate) type Optional<M> = Family<Words<0>, M>;

/// A point in time, in seconds since the Unix epoch.
pub(crate) type Seconds = Gauge<f64, AtomicU64>;

/// Units as the names of metrics end in them.
static UNITS: LazyLock<[Unit; 9]> = LazyLock::new(|| {
    [
        Unit::Bytes,
        Unit::Celsius,
        Unit::Joules,
        Unit::Seconds,
        Unit::Other("hertz".to_owned()),
        Unit::Other("kelvin_per_watt".to_owned()),
        Unit::Other("ratio".to_owned()),
        Unit::Other("rpm".to_owned()),
        Unit::Other("watts".to_owned()),
    ]
});

/// Registers a metric by the name that Prometheus shows, so that a search for it finds its owner.
pub(crate) fn register(registry: &mut Registry, exported: &str, help: &str, metric: impl Metric) {
    let (name, unit) = split(exported);
    // The library ends each help text with a full stop of its own.
    let help = help.strip_suffix('.').unwrap_or(help);
    match unit {
        Some(unit) => registry.register_with_unit(name, help, unit.clone(), metric),
        None => registry.register(name, help, metric),
    }
}

/// The library adds a type's suffix and the unit to the name itself.
pub(crate) fn split(exported: &str) -> (&str, Option<&'static Unit>) {
    let suffixes = ["_total", "_info"];
    let family = suffixes.iter().find_map(|end| exported.strip_suffix(end));
    let family = family.unwrap_or(exported);
    let of = |unit: &&Unit| family.strip_suffix(unit.as_str())?.strip_suffix('_');
    let unit = UNITS.iter().find(|unit| of(unit).is_some());
    (unit.as_ref().and_then(of).unwrap_or(family), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_into_what_the_library_puts_together() {
        let table = [
            ("a_total", "a", None),
            ("a_info", "a", None),
            ("a_seconds_total", "a", Some("seconds")),
            ("a_temperature_celsius", "a_temperature", Some("celsius")),
            ("a_speed_ratio", "a_speed", Some("ratio")),
            ("a_trip", "a_trip", None),
            ("total_hertz", "total", Some("hertz")),
            ("seconds", "seconds", None),
        ];
        for (exported, name, unit) in table {
            let (split, its_unit) = split(exported);
            assert_eq!((split, its_unit.map(Unit::as_str)), (name, unit));
        }
    }
}
