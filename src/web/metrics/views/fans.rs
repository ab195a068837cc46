//! The fans of the cards, and which of them are suspect. A card without fans of its own has no such
//! metric.

use std::borrow::Cow;
use std::fmt;

use crate::device::{Fan, FanPolicy};
use crate::guard::Tick;
use crate::units::Ratio;
use crate::web::snapshot::GpuView;

use super::families::{flag, one_hot};
use super::per_gpu::{Label, PerGpu};

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_fan_speed_ratio",
        "Intended fan speed as a share of the maximum; it may exceed 1 (nvmlDeviceGetFanSpeed_v2).",
        |gpu| each(gpu, |_, _, fan| fan.speed.map(Ratio::value)),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_fan_target_speed_ratio",
        "Fan speed that the card's firmware or a program aims at, as a share of the maximum (nvmlDeviceGetTargetFanSpeed).",
        |gpu| each(gpu, |_, _, fan| fan.target.map(Ratio::value)),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_fan_speed_rpm",
        "Measured fan speed in revolutions per minute (nvmlDeviceGetFanSpeedRPM).",
        |gpu| each(gpu, |_, _, fan| fan.rpm.map(u64::from)),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_fan_policy",
        "1 for who sets the fan's speed: automatic (the card's firmware) or manual (a program) (nvmlDeviceGetFanControlPolicy_v2).",
        policies,
    )
}

pub(crate) fn suspects(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_fan_suspect",
        "1 while a fan doesn't do what the card needs: it stays slow, or off, on a hot card, or doesn't turn although it is told to.",
        |gpu| each(gpu, suspect),
    )
}

/// A sample for each fan that has the value.
fn each<N>(
    gpu: &GpuView,
    value: impl Fn(&Tick, usize, &Fan) -> Option<N>,
) -> impl Iterator<Item = ([(&'static str, usize); 1], N)> {
    let fans = gpu.seen().into_iter();
    let fans = fans.flat_map(|tick| {
        let fans = tick.reading.slow.fans.iter().enumerate();
        fans.map(move |(fan, it)| (tick, fan, it))
    });
    fans.filter_map(move |(tick, fan, it)| Some(([("fan", fan)], value(tick, fan, it)?)))
}

/// A fan that tells nothing can't be judged.
fn suspect(tick: &Tick, place: usize, fan: &Fan) -> Option<u64> {
    fan.speed?;
    Some(flag(tick.decision.fans.of(place).is_some()))
}

fn policies(gpu: &GpuView) -> impl Iterator<Item = ([Label<'_>; 2], u64)> {
    let known = each(gpu, |_, _, fan| fan.policy);
    known.flat_map(|([(label, fan)], is)| {
        let fan: Cow<'_, str> = fan.to_string().into();
        let policies = one_hot("policy", FanPolicy::ALL, FanPolicy::name, is);
        policies
            .map(|([(key, policy)], value)| ([(label, fan.clone()), (key, policy.into())], value))
    })
}
