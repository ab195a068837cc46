//! What is known of each sensor and knob of a GPU, for the document.

use crate::guard::{Tick, evidence};
use crate::policy::{KnobState, Probe, SensorState};
use crate::units::Celsius;
use crate::web::metrics::FAN;

use super::document::{Knob, Sensor};

/// The configured ones, then the card's own. `up`: what they say still holds.
pub(super) fn sensors(tick: &Tick, up: bool) -> Vec<Sensor> {
    let beside = tick.probes.iter().map(|probe| of_file(probe, up));
    let own = tick.decision.sensors.iter();
    let own = own.map(|(sensor, report)| Sensor {
        name: sensor.name().to_owned(),
        state: report.state.name().to_owned(),
        why: evidence::of_sensor(report),
        ..Sensor::default()
    });
    beside.chain(own).collect()
}

fn of_file(probe: &Probe, up: bool) -> Sensor {
    let state = evidence::of_file(probe);
    let unread = state == SensorState::Failing;
    Sensor {
        name: probe.name.to_string(),
        state: state.name().to_owned(),
        why: unread.then(|| "can't be read: the log says why".to_owned()),
        celsius: probe.now.filter(|_| up).map(Celsius::degrees),
        alert_celsius: Some(probe.trips.alert.degrees()),
        critical_celsius: Some(probe.trips.critical.degrees()),
    }
}

pub(super) fn knobs(tick: &Tick) -> Vec<Knob> {
    let knobs = tick.decision.knobs.iter().map(|(knob, report)| Knob {
        name: knob.name().to_owned(),
        state: report.state.name().to_owned(),
        why: evidence::of_knob(report).map(str::to_owned),
    });
    let fan = Knob {
        name: FAN.to_owned(),
        state: KnobState::Absent.name().to_owned(),
        why: None,
    };
    knobs.chain([fan]).collect()
}
