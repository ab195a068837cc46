//! What is known of each sensor and of each knob: in every state there is, whether it is in that one.

use std::borrow::Cow;
use std::fmt;

use crate::guard::Tick;
use crate::guard::evidence::of_file;
use crate::policy::{KnobState, Sensor, SensorState};
use crate::web::snapshot::GpuView;

use super::families::one_hot;
use super::per_gpu::{Pairs, PerGpu};

/// There is no such knob yet, and who looks for it is told so.
pub(in crate::web) const FAN: &str = "fan";

pub(super) fn encode(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge_pairs(
        "thermal_guard_sensor_state",
        "1 for the state of a sensor, the card's own or a configured one: working, failing (can't be read), doubted (isn't believed), absent (never offered)",
        ["sensor", "state"],
        ticked(sensors),
    )?;
    gpus.gauge_pairs(
        "thermal_guard_knob_state",
        "1 for the state of what slows the card down: working, unproven (not tried), refused, ineffective (nothing follows), absent (the card has none, or it is switched off)",
        ["knob", "state"],
        ticked(knobs),
    )
}

fn ticked(pairs: impl Fn(&Tick) -> Pairs) -> impl Fn(&GpuView) -> Pairs {
    move |gpu| gpu.tick.as_deref().map(&pairs).unwrap_or_default()
}

fn sensors(tick: &Tick) -> Pairs {
    let states = SensorState::ALL.map(SensorState::name);
    let own = tick.decision.sensors.iter();
    let own = own.map(|(sensor, report)| (sensor.name().into(), report.state));
    // One that is called as the card's own would be the same series.
    let beside = tick.probes.iter();
    let beside = beside.filter(|probe| Sensor::named(&probe.name).is_none());
    let beside = beside.map(|probe| (Cow::from(probe.name.to_string()), of_file(probe)));
    own.chain(beside)
        .flat_map(|(name, state)| hot(name, states, state.name()))
        .collect()
}

fn knobs(tick: &Tick) -> Pairs {
    let states = KnobState::ALL.map(KnobState::name);
    let knobs = tick.decision.knobs.iter();
    let knobs = knobs.map(|(knob, report)| (knob.name(), report.state));
    knobs
        .chain([(FAN, KnobState::Absent)])
        .flat_map(|(name, state)| hot(name.into(), states, state.name()))
        .collect()
}

/// A sample for each state there is.
fn hot<const N: usize>(
    name: Cow<'static, str>,
    all: [&'static str; N],
    is: &str,
) -> impl Iterator<Item = ([Cow<'static, str>; 2], f64)> + use<N> {
    let hot = one_hot(all, is).into_iter();
    hot.map(move |(state, value)| ([name.clone(), state.into()], value))
}
