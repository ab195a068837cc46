//! The state of each sensor, knob and fan of a GPU, for the document.

use crate::guard::{Tick, evidence};
use crate::policy::{ExtraSensor, SensorState};
use crate::units::{Celsius, Ratio};

use super::document::{Fan, Knob, Sensor};

/// The extra ones, then the card's own. `up`: their readings are fresh.
pub(crate) fn sensors(tick: &Tick, up: bool) -> Vec<Sensor> {
    let extra = tick.probes.iter().map(|probe| of_file(probe, up));
    let own = tick.decision.sensors.iter();
    let own = own.map(|(sensor, report)| Sensor {
        name: sensor.name().to_owned(),
        state: report.state.into(),
        why: evidence::of_sensor(report),
        ..Sensor::default()
    });
    extra.chain(own).collect()
}

fn of_file(probe: &ExtraSensor, up: bool) -> Sensor {
    let state = evidence::of_file(probe);
    let unread = state == SensorState::Failing;
    Sensor {
        name: probe.name.to_string(),
        state: state.into(),
        why: unread.then(|| "can't be read: the log says why".to_owned()),
        celsius: probe.now.filter(|_| up).map(Celsius::degrees),
        alert_celsius: Some(probe.trips.alert.degrees()),
        critical_celsius: Some(probe.trips.critical.degrees()),
    }
}

pub(crate) fn knobs(tick: &Tick) -> Vec<Knob> {
    let knobs = tick.decision.knobs.iter().map(|(knob, report)| Knob {
        name: knob.name().to_owned(),
        state: report.state.into(),
        why: evidence::of_knob(report).map(str::to_owned),
    });
    knobs.collect()
}

/// Those that the card says anything about.
pub(crate) fn fans(tick: &Tick) -> Vec<Fan> {
    let fans = tick.reading.slow.fans.iter().enumerate();
    let fans = fans.filter(|(_, it)| it.speed.is_some() || it.rpm.is_some());
    fans.map(|(fan, it)| {
        let fault = tick.decision.fans.of(fan);
        Fan {
            index: fan,
            speed_ratio: it.speed.map(Ratio::value),
            rpm: it.rpm,
            suspect: fault.map(|fault| fault.name().to_owned()),
            why: fault.map(|fault| evidence::of_fan(fault).to_owned()),
        }
    })
    .collect()
}
