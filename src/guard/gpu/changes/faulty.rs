//! Faulty sensors and knobs, suspect fans, and unguarded GPUs. Each fault is told twice, when it begins and when it
//! ends: as an event, and as a line of the log with the remedy.

use crate::device::Knob;
use crate::events::{Trouble, What};
use crate::guard::evidence;
use crate::guard::tick::Tick;
use crate::policy::cooling::Than;
use crate::policy::{FanFault, KnobReport, KnobState, Sensor, SensorReport, Unguarded};

use super::fault::{Detail, Fault, Phase};
use super::watch::Watch;

impl Watch {
    pub(crate) fn faulty(&mut self, tick: &Tick, events: &mut Vec<What>) {
        self.unguarded(tick, events);
        // A card that is gone says nothing new about its sensors and knobs.
        if !tick.up {
            return;
        }
        for (sensor, report) in tick.decision.sensors.iter() {
            self.sensor(tick, sensor, report, events);
        }
        for (knob, &report) in tick.decision.knobs.iter() {
            self.knob(tick, knob, report, events);
        }
        for (fan, fault) in tick.decision.fans.iter() {
            self.fan(tick, fan, fault, events);
        }
        for than in Than::ALL {
            self.cooling(tick, than, events);
        }
    }

    fn unguarded(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let why = tick.decision.unguarded;
        let detail = why.map(Detail::Unguarded);
        let fault = Fault::Gpu(Trouble::Unguarded);
        let turn = self.trouble(tick.reading.at, fault, detail, events);
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
        let detail = Detail::Sensor(sensor, report.state);
        let detail = evidence::is_faulty(report).then_some(detail);
        let turn = self.trouble(tick.reading.at, Fault::Sensor(sensor), detail, events);
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
        // It is about to be tried again. That doesn't end the fault yet.
        if report.state == KnobState::Unproven {
            return;
        }
        let (name, state) = (knob.name(), report.state.name());
        let detail = Detail::Knob(knob, report.state);
        let detail = evidence::is_out(&report).then_some(detail);
        let turn = self.trouble(tick.reading.at, Fault::Knob(knob), detail, events);
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

    fn cooling(&mut self, tick: &Tick, than: Than, events: &mut Vec<What>) {
        let health = &tick.cooling;
        // While it is unknown, nothing ends.
        let Some(worse) = health.is_worse(than) else {
            return;
        };
        let detail = worse.then_some(Detail::Cooling(than));
        let turn = self.trouble(tick.reading.at, Fault::Cooling(than), detail, events);
        let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
        let ratio = match than {
            Than::Before => health.ratio,
            Than::Neighbours => health.beside_neighbours,
        };
        let (than, percent) = (
            than.name(),
            ratio.map_or(0.0, |it| (it.value() - 1.0) * 100.0),
        );
        match turn {
            Phase::Began => {
                tracing::warn!(gpu, %uuid, than, percent, "the card cools {percent:.0} % worse than it did: look for dust, a fan that stands, a blocked inlet, and at its thermal paste");
            }
            Phase::Ended => tracing::info!(gpu, %uuid, than, "the card cools as well as it did"),
            Phase::Same => {}
        }
    }

    fn fan(&mut self, tick: &Tick, fan: usize, fault: Option<FanFault>, events: &mut Vec<What>) {
        let detail = fault.map(|fault| Detail::Fan(fan, fault));
        let turn = self.trouble(tick.reading.at, Fault::Fan(fan), detail, events);
        let (gpu, uuid) = (tick.identity.index, &tick.identity.uuid);
        match (turn, fault) {
            (Phase::Began, Some(fault)) => {
                let (why, remedy) = (evidence::of_fan(fault), evidence::REMEDY_OF_FAN);
                let fault = fault.name();
                tracing::warn!(gpu, %uuid, fan, fault, remedy, "fan {fan} {why}");
            }
            (Phase::Ended, _) => tracing::info!(gpu, %uuid, fan, "fan {fan} is no longer suspect"),
            _ => {}
        }
    }
}
