//! The sensors in files: each exists, reports a temperature, and isn't hot.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::SensorConfig;
use crate::units::Celsius;

use crate::cli::check::finding::Finding;

const CHECK: &str = "sensor";

/// A file may hang: the control loop continues without it, and so does this check.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn of(sensor: &SensorConfig) -> Finding {
    let (report, answer) = mpsc::channel();
    let file = sensor.file.clone();
    thread::spawn(move || {
        // An error: the receiver has stopped waiting.
        let _ = report.send(file.read().map_err(|error| error.to_string()));
    });
    let name = &sensor.name;
    let path = sensor.file.path.display();
    match answer.recv_timeout(PATIENCE) {
        Ok(Ok(celsius)) => says(sensor, celsius),
        Ok(Err(error)) => Finding::fail(
            CHECK,
            format!("{name}: {path}: {error}"),
            "correct it in sensors, or leave it out; the guard works without it",
        ),
        Err(_) => Finding::fail(
            CHECK,
            format!("{name}: {path} doesn't answer"),
            "check what it is on (a network mount, a bus); the guard works without it",
        ),
    }
}

fn says(sensor: &SensorConfig, celsius: Celsius) -> Finding {
    let (name, trips) = (&sensor.name, sensor.trips);
    let (alert, critical) = (trips.alert, trips.critical);
    let detail = format!("{name}: {celsius}; alert {alert}, critical {critical}");
    let hot = (celsius >= alert).then(|| {
        let warning = "it is that hot now, and its GPUs will be throttled at once".to_owned();
        (
            warning,
            "look after the air, or correct unit, field or trips",
        )
    });
    Finding::ok(CHECK, detail).warned(hot)
}
