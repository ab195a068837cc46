//! How well the cards are cooled, and what that costs.

use std::fmt;

use crate::guard::Tick;
use crate::policy::cooling::{Health, Than};
use crate::registry::Words;
use crate::units::{Ratio, Watts};
use crate::web::snapshot::GpuView;

use super::families::flag;
use super::per_gpu::PerGpu;
use super::samples::ticked;

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    resistance(gpus)?;
    gpus.gauge(
        "thermal_guard_gpu_sustainable_power_watts",
        "Estimated power in watts that the card can draw for good at its set point, in the air that it has now; absent until it is known within 10 %.",
        health(|it| it.sustainable.map(Watts::as_f64)),
    )?;
    gpus.counter(
        "thermal_guard_work_lost_seconds_total",
        "Work that throttles of the guard took, in seconds at the full clock; less was lost where the work waits for memory.",
        ticked(|tick| Some(tick.counters.work_lost.as_secs_f64())),
    )?;
    gpus.counter(
        "thermal_guard_unguarded_work_lost_seconds_total",
        "Estimated work that the card's own slowdown would have taken during those throttles without the guard, in seconds at the full clock; with the resistance of a usual card until its own is known.",
        ticked(|tick| Some(tick.counters.unguarded_work_lost.as_secs_f64())),
    )
}

fn resistance(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_thermal_resistance_kelvin_per_watt",
        "Estimated thermal resistance from the core to the air in kelvins per watt, with the fans of the card at full speed; absent until it is known.",
        health(|it| it.resistance),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_thermal_resistance_baseline_kelvin_per_watt",
        "The thermal resistance that this card has had in this slot, in kelvins per watt; absent while it is learned.",
        health(|it| it.baseline),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_thermal_resistance_change_ratio",
        "The thermal resistance over its baseline: 1.2 cools 20 % worse than it did.",
        health(|it| it.ratio.map(Ratio::value)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_thermal_resistance_neighbours_change_ratio",
        "The same over that of the other cards of its model in this node: 1.2 cools 20 % worse beside them than it used to.",
        health(|it| it.beside_neighbours.map(Ratio::value)),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_cooling_worse",
        "1 while the card cools clearly worse than before, or worse beside its neighbours than before; absent until it is known.",
        |gpu| gpu.seen().into_iter().flat_map(worse),
    )
}

fn worse(tick: &Tick) -> impl Iterator<Item = (Words<1>, u64)> {
    let all = Than::ALL.into_iter();
    all.filter_map(|than| {
        let is = tick.cooling.is_worse(than)?;
        Some(([("than", than.name())], flag(is)))
    })
}

/// A value of the estimate, while the card answers.
fn health<N>(value: impl Fn(&Health) -> Option<N>) -> impl Fn(&GpuView) -> Option<N> {
    move |gpu| value(&gpu.seen()?.cooling)
}
