//! The state of each sensor and of each knob: a sample for every state, 1 for the one that holds.

use std::borrow::Cow;
use std::fmt;

use crate::guard::Tick;
use crate::guard::evidence::of_file;
use crate::policy::{KnobState, Sensor, SensorState};

use super::families::one_hot;
use super::per_gpu::{Label, PerGpu};
use super::samples::each;

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_sensor_state",
        "1 for the state of a sensor of the card or of an extra one: working, failing (can't be read), doubted (not believed), absent (never offered).",
        each(sensors),
    )?;
    gpus.gauges(
        "thermal_guard_knob_state",
        "1 for the state of a means to slow the card down: working, unproven (not tried yet), refused, ineffective (has no effect), absent (the card has none, or it is switched off).",
        each(knobs),
    )
}

type State<'a> = ([Label<'a>; 2], u64);

fn sensors(tick: &Tick) -> impl Iterator<Item = State<'_>> {
    let own = tick.decision.sensors.iter();
    let own = own.map(|(sensor, report)| (sensor.name().into(), report.state));
    // An extra sensor with the name of one of the card's would be the same series.
    let extra = tick.probes.iter();
    let extra = extra.filter(|sensor| Sensor::named(&sensor.name).is_none());
    let extra = extra.map(|sensor| (Cow::from(&*sensor.name), of_file(sensor)));
    own.chain(extra).flat_map(|(name, is)| {
        let states = one_hot("state", SensorState::ALL, SensorState::name, is);
        of("sensor", &name, states)
    })
}

fn knobs(tick: &Tick) -> impl Iterator<Item = State<'_>> {
    let knobs = tick.decision.knobs.iter();
    let knobs = knobs.map(|(knob, report)| (knob.name(), report.state));
    knobs.flat_map(|(name, is)| {
        let states = one_hot("state", KnobState::ALL, KnobState::name, is);
        of("knob", &name.into(), states)
    })
}

fn of<'a, const N: usize>(
    label: &'static str,
    name: &Cow<'a, str>,
    states: [([(&'static str, &'static str); 1], u64); N],
) -> [State<'a>; N] {
    states.map(|([(key, state)], value)| ([(label, name.clone()), (key, state.into())], value))
}
