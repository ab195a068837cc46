//! Sensors and knobs that don't do what they should, and GPUs for which nothing can be done: begun
//! and ended once each, as an event and as a line of the log with what helps.

use crate::device::Knob;
use crate::guard::evidence;
use crate::guard::tick::Tick;
use crate::policy::{KnobReport, KnobState, Sensor, SensorReport, Unguarded};

use super::event::{What, trouble};
use super::watch::{Phase, Watch};

impl Watch {
    pub(super) fn faulty(&mut self, tick: &Tick, events: &mut Vec<What>) {
        self.unguarded(tick, events);
        // What is gone can't be looked at: its sensors and knobs are as they were.
        if !tick.up {
            return;
        }
        for (sensor, report) in tick.decision.sensors.iter() {
            self.sensor(tick, sensor, report, events);
        }
        for (knob, &report) in tick.decision.knobs.iter() {
            self.knob(tick, knob, report, events);
        }
    }

    fn unguarded(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let why = tick.decision.unguarded;
        let detail = why.map(|why| why.name().into());
        let turn = self.trouble(tick.reading.at, (trouble::UNGUARDED, ""), detail, events);
        let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
        match (turn, why) {
            (Phase::Began, Some(why)) => {
                let (reason, remedy) = (why.name(), Unguarded::explained(why));
                tracing::error!(gpu, %uuid, reason, remedy, "unguarded: nothing can be done for this GPU");
            }
            (Phase::Ended, _) => tracing::info!(gpu, %uuid, "guarded again"),
            _ => {}
        }
    }

    fn sensor(
        &mut self,
        tick: &Tick,
        sensor: Sensor,
        report: &SensorReport,
        events: &mut Vec<What>,
    ) {
        let (name, state) = (sensor.name(), report.state.name());
        let detail = evidence::is_faulty(report).then(|| format!("{name}: {state}").into());
        let key = (trouble::SENSOR, name);
        let turn = self.trouble(tick.reading.at, key, detail, events);
        let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
        match turn {
            Phase::Same => {}
            Phase::Began => {
                let why = evidence::of_sensor(report).unwrap_or_default();
                let remedy = evidence::remedy_of_sensor(sensor, report);
                tracing::warn!(gpu, %uuid, sensor = name, state, remedy, "the {name} sensor {why}");
            }
            Phase::Ended => {
                tracing::info!(gpu, %uuid, sensor = name, state, "the {name} sensor is no longer at fault");
            }
        }
    }

    fn knob(&mut self, tick: &Tick, knob: Knob, report: KnobReport, events: &mut Vec<What>) {
        // About to be tried again, after minutes or on a card opened anew: that ends nothing yet.
        if report.state == KnobState::Unproven {
            return;
        }
        let (name, state) = (knob.name(), report.state.name());
        let detail = evidence::is_out(&report).then(|| format!("{name}: {state}").into());
        let key = (trouble::KNOB, name);
        let turn = self.trouble(tick.reading.at, key, detail, events);
        let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
        match turn {
            Phase::Same => {}
            Phase::Began => {
                let why = evidence::of_knob(&report).unwrap_or_default();
                let remedy = evidence::remedy_of_knob(knob, &report);
                tracing::warn!(gpu, %uuid, knob = name, state, remedy, "{name} {why}: the plan goes on without it");
            }
            Phase::Ended => {
                tracing::info!(gpu, %uuid, knob = name, state, "{name} is part of the plan again");
            }
        }
    }
}
