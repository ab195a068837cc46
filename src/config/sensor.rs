//! Sensors in files, beside the cards' own: the file of each, and its trip temperatures.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::device::{FileSensor, SensorUnit};
use crate::policy::{TripOverrides, Trips};

use super::gpus::GpuSelection;
use super::tree::section::Section;
use super::tree::value::{Wrong, celsius, choice, integer, label, path};

/// From a cold aisle (for an inlet probe) up to more than any board survives.
const TRIP_RANGE: RangeInclusive<f64> = 0.0..=150.0;

/// Each has a thread for every GPU that it applies to, and a series in the metrics.
const MAX: usize = 16;

/// No such file has more words on a line.
const MAX_FIELD: i64 = 64;

/// One temperature in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorConfig {
    /// Unique; a label of the metrics.
    pub name: String,
    /// The GPUs that it applies to.
    pub gpus: GpuSelection,
    pub file: FileSensor,
    pub trips: Trips,
}

/// All sensors; names must be unique.
pub(crate) fn read_sensors(root: &mut Section<'_>, dir: &Path) -> Vec<SensorConfig> {
    let read = root.sections("sensors", |sensor| read_sensor(sensor, dir));
    if read.len() > MAX {
        let problem = format!("has {} entries", read.len());
        root.wrong("sensors", Wrong::new(problem, format!("at most {MAX}")));
    }
    root.unique("sensors", read, |sensor| &sensor.name)
}

/// `None`: something is missing, and reported.
fn read_sensor(sensor: &mut Section<'_>, dir: &Path) -> Option<SensorConfig> {
    let units = [
        ("celsius", SensorUnit::Celsius),
        ("millicelsius", SensorUnit::Millicelsius),
    ];
    let name = sensor.required("name", label);
    let gpus = sensor.take("gpus", GpuSelection::parse).unwrap_or_default();
    let path = sensor.required("file", path(dir));
    // No default: with the wrong unit, readings would be a thousand times too low, and would go
    // unnoticed.
    let unit = sensor.required("unit", choice(&units));
    let field = sensor.take("field", integer(1..=MAX_FIELD));
    let trips = read_trips(sensor);
    let file = FileSensor {
        path: path?,
        unit: unit?,
        field: field.and_then(|field| field.try_into().ok()).unwrap_or(1),
    };
    Some(SensorConfig {
        name: name?,
        gpus,
        file,
        trips: trips?,
    })
}

/// Alert and safe follow from critical unless they are given, as for the card's own sensors.
fn read_trips(sensor: &mut Section<'_>) -> Option<Trips> {
    let critical = sensor.required("critical", celsius(TRIP_RANGE));
    let given = TripOverrides {
        alert: sensor.take("alert", celsius(TRIP_RANGE)),
        critical,
        safe: sensor.take("safe", celsius(TRIP_RANGE)),
        ..TripOverrides::default()
    };
    let under = Trips::under(critical?);
    let trips = Trips {
        alert: given.alert.unwrap_or(under.alert),
        critical: under.critical,
        safe: given.safe.unwrap_or(under.safe),
    };
    let Trips {
        alert,
        critical,
        safe,
    } = trips;
    if safe >= alert || alert >= critical {
        let problem = format!("safe {safe}, alert {alert}, critical {critical}");
        sensor.wrong("critical", Wrong::new(problem, "safe < alert < critical"));
    }
    Some(trips)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::units::Celsius;

    use super::*;

    fn sensors(entries: &str) -> Vec<SensorConfig> {
        let yaml = format!("sensors: [{entries}]");
        Config::from_yaml_in(&yaml, Path::new("/etc/thermal-guard"))
            .unwrap_or_else(|errors| panic!("{yaml}\n{errors}"))
            .sensors
    }

    #[test]
    fn every_key_arrives() {
        let read = sensors(
            "{ name: inlet, file: /sys/class/hwmon/hwmon3/temp1_input, unit: millicelsius, critical: 45 },
             { name: gpu-0, gpus: [0], file: own, unit: celsius, field: 3, critical: 85, alert: 80, safe: 70.5 }",
        );
        let degrees = |trips: &Trips| [trips.safe, trips.alert, trips.critical];
        let as_a_cards_own = [32.0, 38.0, 45.0].map(Celsius::new);
        assert_eq!(degrees(&read[0].trips), as_a_cards_own);
        let given = [70.5, 80.0, 85.0].map(Celsius::new);
        assert_eq!(degrees(&read[1].trips), given);
        assert_eq!(read[0].gpus, GpuSelection::All);
        assert_eq!((read[0].file.field, read[1].file.field), (1, 3));
        assert_eq!(read[0].file.unit, SensorUnit::Millicelsius);
        assert_eq!(read[1].file.path, Path::new("/etc/thermal-guard/own"));
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let yaml = "sensors:
  - { name: a b, file: /x, unit: kelvin, field: 0, critical: 200, colour: red }
  - { gpus: [] }
  - { name: c, file: /x, unit: celsius, critical: 40, safe: 39 }
  - { name: c, file: /x, unit: celsius, critical: 40, alert: 40 }
  - warm
";
        let errors = Config::from_yaml(yaml).expect_err(yaml);
        let mut paths: Vec<_> = errors.0.iter().map(|error| error.path.as_str()).collect();
        paths.sort_unstable();
        let mut wanted = vec![
            "sensors[0].name",
            "sensors[0].unit",
            "sensors[0].field",
            "sensors[0].critical",
            "sensors[0].colour",
            "sensors[1].name",
            "sensors[1].gpus",
            "sensors[1].file",
            "sensors[1].unit",
            "sensors[1].critical",
            "sensors[2].critical",
            "sensors[3].critical",
            "sensors[3].name",
            "sensors[4]",
        ];
        wanted.sort_unstable();
        assert_eq!(paths, wanted, "{errors}");
    }

    #[test]
    fn there_is_an_end_to_it() {
        let entry = |n: usize| format!("{{ name: s{n}, file: /x, unit: celsius, critical: 40 }}");
        let many = |count: usize| (0..count).map(entry).collect::<Vec<_>>().join(", ");
        assert_eq!(sensors(&many(16)).len(), 16);
        let errors = Config::from_yaml(&format!("sensors: [{}]", many(17))).expect_err("too many");
        assert_eq!(
            errors.to_string(),
            "sensors: has 17 entries; accepted: at most 16"
        );
    }
}
