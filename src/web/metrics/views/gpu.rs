//! The readings of the cards. A reading is gone while its card doesn't answer, and absent where the
//! card has no such sensor.

use std::borrow::Cow;
use std::fmt;

use crate::device::{PowerConstraints, PowerProfiles, ProfileSet, factory};
use crate::policy::ExtraSensor;
use crate::units::{Celsius, Megahertz, Ratio, Watts};
use crate::web::snapshot::GpuView;

use super::families::flag;
use super::per_gpu::{Label, PerGpu};
use super::samples::{fact, present, read, reading};

pub(crate) fn encode(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.info(
        "thermal_guard_gpu_info",
        "The GPU's identity, as NVML names it.",
        info,
    )?;
    temperatures(gpus)?;
    thresholds(gpus)?;
    power(gpus)?;
    limits(gpus)?;
    clocks(gpus)?;
    power_profiles(gpus)?;
    load(gpus)
}

fn info(gpu: &GpuView) -> Vec<Label<'_>> {
    let identity = &gpu.identity;
    let name = [
        ("name", identity.name.as_str().into()),
        ("pci_bus_id", identity.pci_bus_id.as_str().into()),
    ];
    let optional = [
        ("serial", &identity.serial),
        ("vbios_version", &identity.vbios_version),
        ("driver_version", &identity.driver_version),
        ("architecture", &identity.architecture),
        ("brand", &identity.brand),
    ];
    let optional = optional.into_iter();
    let known = optional.filter_map(|(label, value)| Some((label, value.as_deref()?.into())));
    name.into_iter().chain(known).collect()
}

fn temperatures(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_temperature_celsius",
        "Core temperature in degrees Celsius (nvmlDeviceGetTemperature).",
        read(|reading| reading.core.ok().map(Celsius::degrees)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_temperature_celsius",
        "Memory temperature in degrees Celsius (NVML field 82).",
        read(|reading| reading.memory.ok().map(Celsius::degrees)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_temperature_margin_celsius",
        "Degrees Celsius to the maximum operating temperature, the smallest of all internal sensors; negative past it (nvmlDeviceGetMarginTemperature).",
        read(|reading| reading.margin.ok().map(Celsius::degrees)),
    )?;
    gpus.gauges(
        "thermal_guard_sensor_celsius",
        "Temperature in degrees Celsius of an extra sensor (`sensors` of the configuration).",
        |gpu| extra(gpu, |sensor| sensor.now.map(Celsius::degrees)),
    )?;
    gpus.gauges(
        "thermal_guard_sensor_up",
        "1 while an extra sensor (`sensors` of the configuration) can be read.",
        |gpu| extra(gpu, |sensor| Some(flag(sensor.now.is_some()))),
    )
}

/// A sample for each extra sensor that has one.
fn extra<N>(
    gpu: &GpuView,
    value: impl Fn(&ExtraSensor) -> Option<N>,
) -> impl Iterator<Item = ([Label<'_>; 1], N)> {
    let sensors = gpu.seen().into_iter().flat_map(|tick| &tick.probes);
    sensors.filter_map(move |sensor| {
        let name = Cow::from(&*sensor.name);
        Some(([("sensor", name)], value(sensor)?))
    })
}

fn thresholds(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_temperature_threshold_celsius",
        "Core temperature in degrees Celsius at which the card acts (nvmlDeviceGetTemperatureThreshold).",
        |gpu| {
            fact(gpu, |facts| {
                let at = &facts.thresholds;
                let values = [
                    ("shutdown", at.shutdown),
                    ("slowdown", at.slowdown),
                    ("gpu_max", at.gpu_max),
                    ("mem_max", at.mem_max),
                    ("acoustic_min", at.acoustic_min),
                    ("acoustic_current", at.acoustic_current),
                    ("acoustic_max", at.acoustic_max),
                ];
                present("threshold", values, Celsius::degrees)
            })
        },
    )?;
    gpus.gauges(
        "thermal_guard_gpu_temperature_tlimit_offset_celsius",
        "Margin in degrees Celsius at which the card acts (NVML fields 193 to 196).",
        |gpu| {
            fact(gpu, |facts| {
                let at = &facts.margin_offsets;
                let values = [
                    ("shutdown", at.shutdown),
                    ("slowdown", at.slowdown),
                    ("mem_max", at.mem_max),
                    ("gpu_max", at.gpu_max),
                ];
                present("threshold", values, Celsius::degrees)
            })
        },
    )
}

fn power(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_power_draw_watts",
        "Power draw in watts, on most cards the average of a second (nvmlDeviceGetPowerUsage).",
        read(|reading| reading.draw.ok().map(Watts::as_f64)),
    )?;
    gpus.counter(
        "thermal_guard_gpu_energy_joules_total",
        "Energy used since the driver was loaded, in joules (nvmlDeviceGetTotalEnergyConsumption).",
        read(|reading| Some(reading.slow.energy_millijoules? as f64 / 1e3)),
    )
}

fn limits(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_power_limit_watts",
        "Requested power limit in watts (nvmlDeviceGetPowerManagementLimit).",
        read(|reading| reading.limit.ok().map(Watts::as_f64)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_enforced_watts",
        "Power limit in force in watts, including out-of-band limits (nvmlDeviceGetEnforcedPowerLimit).",
        read(|reading| reading.enforced_limit.ok().map(Watts::as_f64)),
    )?;
    let range = |pick: fn(&PowerConstraints) -> Watts| {
        move |gpu: &GpuView| Some(pick(gpu.seen()?.facts.power.as_ref()?).as_f64())
    };
    gpus.gauge(
        "thermal_guard_gpu_power_limit_default_watts",
        "Default power limit in watts (nvmlDeviceGetPowerManagementDefaultLimit).",
        range(|power| power.default),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_min_watts",
        "Lowest power limit that the card accepts, in watts (nvmlDeviceGetPowerManagementLimitConstraints).",
        range(|power| power.min),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_power_limit_max_watts",
        "Highest power limit that the card accepts, in watts (nvmlDeviceGetPowerManagementLimitConstraints).",
        range(|power| power.max),
    )
}

fn clocks(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_clock_hertz",
        "Clock frequency in hertz (nvmlDeviceGetClockInfo).",
        |gpu| {
            reading(gpu, |reading| {
                let values = [
                    ("graphics", reading.slow.graphics_clock),
                    ("sm", reading.gpu_clock.ok()),
                    ("memory", reading.slow.memory_clock),
                    ("video", reading.slow.video_clock),
                ];
                present("domain", values, Megahertz::hertz)
            })
        },
    )?;
    gpus.gauges(
        "thermal_guard_gpu_clock_max_hertz",
        "Highest clock frequency in hertz (nvmlDeviceGetSupportedGraphicsClocks, nvmlDeviceGetMaxClockInfo).",
        |gpu| {
            fact(gpu, |facts| {
                let values = [
                    ("graphics", facts.gpu_clock_max),
                    ("memory", facts.memory_clock_max),
                    ("video", facts.video_clock_max),
                ];
                present("domain", values, Megahertz::hertz)
            })
        },
    )?;
    gpus.gauge(
        "thermal_guard_gpu_performance_state",
        "P-state, from 0 (fastest) to 15 (nvmlDeviceGetPerformanceState).",
        read(|reading| reading.slow.performance_state.map(u64::from)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_persistence_mode",
        "1 if the driver keeps the card's state, including its power limit, while no program uses the card (nvmlDeviceGetPersistenceMode).",
        read(|reading| reading.slow.persistence_mode.map(flag)),
    )
}

fn power_profiles(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauges(
        "thermal_guard_gpu_power_profile_requested",
        "1 for a workload power profile that a program asked for, 0 for the others of the card (nvmlDeviceWorkloadPowerProfileGetCurrentProfiles).",
        |gpu| profiles(gpu, |all| all.requested),
    )?;
    gpus.gauges(
        "thermal_guard_gpu_power_profile_enforced",
        "1 for a workload power profile in force, 0 for the others of the card (nvmlDeviceWorkloadPowerProfileGetCurrentProfiles).",
        |gpu| profiles(gpu, |all| all.enforced),
    )
}

/// A sample for each profile that the card has.
fn profiles(
    gpu: &GpuView,
    pick: fn(&PowerProfiles) -> ProfileSet,
) -> impl Iterator<Item = ([Label<'static>; 1], u64)> {
    let all = gpu.seen().and_then(|tick| tick.reading.slow.power_profiles);
    all.into_iter().flat_map(move |all| {
        all.supported.iter().map(move |number| {
            let name = factory::power_profile_name(number).map(Cow::from);
            let name = name.unwrap_or_else(|| number.to_string().into());
            ([("profile", name)], flag(pick(&all).contains(number)))
        })
    })
}

fn load(gpus: &mut PerGpu<'_, '_>) -> fmt::Result {
    gpus.gauge(
        "thermal_guard_gpu_utilization_ratio",
        "Share of time with a kernel running, from 0 to 1 (nvmlDeviceGetUtilizationRates).",
        read(|reading| reading.utilization.ok().map(Ratio::value)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_utilization_ratio",
        "Share of time with memory being read or written, from 0 to 1 (nvmlDeviceGetUtilizationRates).",
        read(|reading| reading.slow.memory_utilization.map(Ratio::value)),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_used_bytes",
        "Memory allocated, in bytes (nvmlDeviceGetMemoryInfo_v2).",
        read(|reading| reading.slow.memory_used_bytes),
    )?;
    gpus.gauge(
        "thermal_guard_gpu_memory_total_bytes",
        "Memory of the card, in bytes (nvmlDeviceGetMemoryInfo_v2).",
        read(|reading| reading.slow.memory_total_bytes),
    )
}
