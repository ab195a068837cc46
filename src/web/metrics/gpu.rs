//! What the cards' sensors say. Gone while a card doesn't answer; absent where it has no such sensor.

use std::fmt;

use crate::device::{Facts, Reading};
use crate::policy::Probe;
use crate::units::{Celsius, Megahertz, Ratio, Watts};
use crate::web::snapshot::GpuView;

use super::events;
use super::families::flag;
use super::labels::Labels;
use super::per_gpu::{PerGpu, Split};

pub(super) fn encode(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.info(
        "thermal_guard_gpu_info",
        "Who the GPU is, as NVML names it",
        info,
    )?;
    temperatures(gpus)?;
    power(gpus)?;
    clocks(gpus)?;
    load(gpus)?;
    events::encode(gpus)
}

fn info(gpu: &GpuView) -> Labels<'_> {
    let who = &gpu.identity;
    let mut labels: Labels<'_> = vec![
        ("name", who.name.as_str().into()),
        ("pci_bus_id", who.pci_bus_id.as_str().into()),
    ];
    let optional = [
        ("serial", &who.serial),
        ("vbios_version", &who.vbios_version),
        ("driver_version", &who.driver_version),
        ("architecture", &who.architecture),
        ("brand", &who.brand),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            labels.push((name, value.as_str().into()));
        }
    }
    labels
}

fn temperatures(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_temperature_celsius",
        "Core temperature in degrees Celsius (nvmlDeviceGetTemperature)",
        read(|reading| reading.core.ok().map(Celsius::degrees)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_temperature_celsius",
        "Memory temperature in degrees Celsius (NVML field 82)",
        read(|reading| reading.memory.ok().map(Celsius::degrees)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_temperature_margin_celsius",
        "Degrees Celsius to the maximum operating temperature, over all internal sensors; negative past it (nvmlDeviceGetMarginTemperature)",
        read(|reading| reading.margin.ok().map(Celsius::degrees)),
    )?;
    gpus.gauges(
        "thermal_guard_sensor_celsius",
        "Temperature in degrees Celsius of a sensor beside the card's own (`sensors` of the configuration)",
        "sensor",
        |gpu| probes(gpu, |probe| probe.now.map(Celsius::degrees)),
    )?;
    gpus.gauges(
        "thermal_guard_sensor_up",
        "1 while a sensor beside the card's own can be read",
        "sensor",
        |gpu| probes(gpu, |probe| Some(f64::from(u8::from(probe.now.is_some())))),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_temperature_threshold_celsius",
        "Core temperature in degrees Celsius at which the card acts (nvmlDeviceGetTemperatureThreshold)",
        "threshold",
        |gpu| fact(gpu, thresholds),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_temperature_tlimit_offset_celsius",
        "Margin in degrees Celsius at which the card acts (NVML fields 193 to 196)",
        "threshold",
        |gpu| fact(gpu, tlimits),
    )
}

fn probes(gpu: &GpuView, value: impl Fn(&Probe) -> Option<f64>) -> Split {
    let probes = gpu.seen().into_iter().flat_map(|tick| &tick.probes);
    probes
        .map(|probe| (probe.name.to_string().into(), value(probe)))
        .collect()
}

fn thresholds(facts: &Facts) -> Split {
    let at = &facts.thresholds;
    split([
        ("shutdown", at.shutdown),
        ("slowdown", at.slowdown),
        ("gpu_max", at.gpu_max),
        ("mem_max", at.mem_max),
        ("acoustic_min", at.acoustic_min),
        ("acoustic_current", at.acoustic_current),
        ("acoustic_max", at.acoustic_max),
    ])
}

fn tlimits(facts: &Facts) -> Split {
    let at = &facts.tlimit;
    split([
        ("shutdown", at.shutdown),
        ("slowdown", at.slowdown),
        ("mem_max", at.mem_max),
        ("gpu_max", at.gpu_max),
    ])
}

fn power(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_power_draw_watts",
        "Power draw in watts, averaged over a second on most cards (nvmlDeviceGetPowerUsage)",
        read(|reading| reading.draw.ok().map(Watts::as_f64)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_watts",
        "Requested power limit in watts (nvmlDeviceGetPowerManagementLimit)",
        read(|reading| reading.limit.ok().map(Watts::as_f64)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_enforced_watts",
        "Power limit in force in watts, out-of-band limits included (nvmlDeviceGetEnforcedPowerLimit)",
        read(|reading| reading.enforced_limit.ok().map(Watts::as_f64)),
    )?;
    let range = |pick: fn(&crate::device::PowerConstraints) -> Watts| {
        move |gpu: &GpuView| Some(pick(gpu.seen()?.facts.power.as_ref()?).as_f64())
    };
    gpus.gauge(
        "thermal_guard_gpu_power_limit_default_watts",
        "Default power limit in watts (nvmlDeviceGetPowerManagementDefaultLimit)",
        range(|power| power.default),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_min_watts",
        "Lowest power limit the card takes in watts (nvmlDeviceGetPowerManagementLimitConstraints)",
        range(|power| power.min),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_max_watts",
        "Highest power limit the card takes in watts (nvmlDeviceGetPowerManagementLimitConstraints)",
        range(|power| power.max),
    )?;
    gpus.counter(
        "thermal_guard_gpu_energy_joules_total",
        "Energy used since the driver was loaded in joules (nvmlDeviceGetTotalEnergyConsumption)",
        read(|reading| Some(reading.slow.energy_millijoules? as f64 / 1e3)),
    )
}

fn clocks(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_clock_hertz",
        "Clock frequency in hertz (nvmlDeviceGetClockInfo)",
        "domain",
        |gpu| {
            reading(gpu, |reading| {
                clock_split([
                    ("graphics", reading.slow.graphics_clock),
                    ("sm", reading.gpu_clock.ok()),
                    ("memory", reading.slow.memory_clock),
                    ("video", reading.slow.video_clock),
                ])
            })
        },
    )?;
    gpus.gauges(
        "thermal_guard_gpu_clock_max_hertz",
        "Highest clock frequency in hertz (nvmlDeviceGetSupportedGraphicsClocks, nvmlDeviceGetMaxClockInfo)",
        "domain",
        |gpu| {
            fact(gpu, |facts| {
                clock_split([
                    ("graphics", facts.gpu_clock_max),
                    ("memory", facts.memory_clock_max),
                    ("video", facts.video_clock_max),
                ])
            })
        },
    )?;
    gpus.gauge(
        "thermal_guard_gpu_performance_state",
        "P-state, 0 (fastest) to 15 (nvmlDeviceGetPerformanceState)",
        read(|reading| reading.slow.performance_state.map(f64::from)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_persistence_mode",
        "1 if the driver keeps the card's state, its power limit too, while nobody has it open (nvmlDeviceGetPersistenceMode)",
        read(|reading| reading.slow.persistence_mode.map(flag)),
    )
}

fn load(gpus: &mut PerGpu<'_, '_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_utilization_ratio",
        "Share of time with a kernel running, 0 to 1 (nvmlDeviceGetUtilizationRates)",
        read(|reading| reading.utilization.ok().map(Ratio::value)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_utilization_ratio",
        "Share of time with memory being read or written, 0 to 1 (nvmlDeviceGetUtilizationRates)",
        read(|reading| reading.slow.memory_utilization.map(Ratio::value)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_used_bytes",
        "Memory allocated in bytes (nvmlDeviceGetMemoryInfo_v2)",
        read(|reading| reading.slow.memory_used_bytes.map(|bytes| bytes as f64)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_total_bytes",
        "Memory of the card in bytes (nvmlDeviceGetMemoryInfo_v2)",
        read(|reading| reading.slow.memory_total_bytes.map(|bytes| bytes as f64)),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_fan_speed_ratio",
        "Intended fan speed as a share of the maximum; may exceed 1 (nvmlDeviceGetFanSpeed_v2)",
        "fan",
        |gpu| {
            reading(gpu, |reading| {
                let fans = reading.slow.fan_speeds.iter().enumerate();
                fans.map(|(fan, speed)| (fan.to_string().into(), speed.map(Ratio::value)))
                    .collect()
            })
        },
    )
}

/// A value of the reading, while it holds.
fn read(value: impl Fn(&Reading) -> Option<f64>) -> impl Fn(&GpuView) -> Option<f64> {
    move |gpu| value(&gpu.seen()?.reading)
}

pub(super) fn reading(gpu: &GpuView, values: impl Fn(&Reading) -> Split) -> Split {
    gpu.seen()
        .map(|tick| values(&tick.reading))
        .unwrap_or_default()
}

/// Of a card that is gone, its constants are too: the next driver may say something else.
fn fact(gpu: &GpuView, values: impl Fn(&Facts) -> Split) -> Split {
    gpu.seen()
        .map(|tick| values(&tick.facts))
        .unwrap_or_default()
}

fn split<const N: usize>(values: [(&'static str, Option<Celsius>); N]) -> Split {
    values
        .map(|(name, value)| (name.into(), value.map(Celsius::degrees)))
        .to_vec()
}

fn clock_split<const N: usize>(values: [(&'static str, Option<Megahertz>); N]) -> Split {
    values
        .map(|(name, value)| (name.into(), value.map(Megahertz::hertz)))
        .to_vec()
}
