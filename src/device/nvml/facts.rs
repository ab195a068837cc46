//! What an open card says once.
//!
//! What the card refuses is absent. What merely failed is too, with a warning: a guard that keeps an
//! eye on a card it knows little of beats one that won't open it. Two failures are the open's: the
//! card is gone, or the range of its power limit can't be told, without which nothing protects it.

use nvml_wrapper::enum_wrappers::device::{Brand, Clock, TemperatureThreshold};
use nvml_wrapper::enums::device::DeviceArchitecture;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT as GPU_MAX_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT as MEM_MAX_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT as SHUTDOWN_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT as SLOWDOWN_TLIMIT,
};
use tracing::warn;

use crate::device::nvml_raw::Card;
use crate::device::{
    ClockEvents, DriverError, Facts, Identity, PowerConstraints, Thresholds, TlimitOffsets, Uuid,
};
use crate::units::{Celsius, Megahertz, Watts};

use super::codes::{Fault, classify, driver_error};

pub(super) fn identity(
    card: &Card,
    index: u32,
    driver_version: Option<&str>,
) -> Result<Identity, DriverError> {
    let device = card.device();
    let uuid = device
        .uuid()
        .map_err(|error| driver_error("nvmlDeviceGetUUID", error))?;
    let name = constant("nvmlDeviceGetName", device.name())?;
    let pci = constant("nvmlDeviceGetPciInfo_v3", device.pci_info())?;
    let architecture = constant("nvmlDeviceGetArchitecture", device.architecture())?;
    Ok(Identity {
        uuid: Uuid::new(&uuid),
        index,
        name: name.unwrap_or_else(|| "NVIDIA GPU".to_owned()),
        pci_bus_id: pci.map(|pci| pci.bus_id).unwrap_or_default(),
        serial: text("nvmlDeviceGetSerial", device.serial())?,
        vbios_version: text("nvmlDeviceGetVbiosVersion", device.vbios_version())?,
        driver_version: driver_version.map(str::to_owned),
        architecture: architecture
            .filter(|architecture| *architecture != DeviceArchitecture::Unknown)
            .map(|architecture| architecture.to_string()),
        brand: constant("nvmlDeviceGetBrand", device.brand())?
            .and_then(brand_name)
            .map(str::to_owned),
        mig_uuids: mig_uuids(card),
    })
}

pub(super) fn facts(card: &Card) -> Result<Facts, DriverError> {
    let device = card.device();
    let memory_clocks = memory_clocks(card)?;
    let gpu_clocks = match memory_clocks.first() {
        Some(highest) => constant(
            "nvmlDeviceGetSupportedGraphicsClocks",
            card.graphics_clocks(highest.megahertz()),
        )?
        .unwrap_or_default(),
        None => Vec::new(),
    };
    let max_clock = |domain| {
        let clock = constant("nvmlDeviceGetMaxClockInfo", device.max_clock_info(domain))?;
        Ok(clock.map(Megahertz::new))
    };
    Ok(Facts {
        power: power(card)?,
        thresholds: thresholds(card)?,
        tlimit: tlimit(card)?,
        gpu_clock_min: gpu_clocks.iter().min().copied().map(Megahertz::new),
        gpu_clock_max: match gpu_clocks.iter().max().copied().map(Megahertz::new) {
            None => max_clock(Clock::Graphics)?,
            highest => highest,
        },
        memory_clock_max: max_clock(Clock::Memory)?,
        video_clock_max: max_clock(Clock::Video)?,
        memory_clocks,
        supported_events: supported_events(card)?,
    })
}

/// More than any card has; a larger number is not to be believed, nor memory taken for so many.
const MOST_FANS: u32 = 16;

/// How many fans the driver controls: none on passively cooled cards.
pub(super) fn fans(card: &Card) -> Result<u32, DriverError> {
    let fans = constant("nvmlDeviceGetNumFans", card.device().num_fans())?;
    Ok(fans.unwrap_or_default().min(MOST_FANS))
}

/// A value the card may not have. Fails with the card, and where it can't be told whether the card
/// has it.
fn supported<T>(
    call: &'static str,
    answer: Result<T, NvmlError>,
) -> Result<Option<T>, DriverError> {
    let error = match answer {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    match classify(error) {
        Fault::Unsupported | Fault::NoPermission | Fault::InvalidArgument => Ok(None),
        fault @ (Fault::Lost(_) | Fault::Transient(_)) => Err(fault.of(call)),
    }
}

/// A value the guard can do without. Fails with the card only.
fn constant<T>(call: &'static str, answer: Result<T, NvmlError>) -> Result<Option<T>, DriverError> {
    match supported(call, answer) {
        Err(DriverError::Call { call, code }) => {
            warn!(call, code, "left out until the GPU is opened anew");
            Ok(None)
        }
        answer => answer,
    }
}

/// A text that isn't one of the driver's ways to say "none".
fn text(
    call: &'static str,
    answer: Result<String, NvmlError>,
) -> Result<Option<String>, DriverError> {
    let text = constant(call, answer)?;
    Ok(text.filter(|text| !matches!(text.as_str(), "" | "N/A" | "[N/A]")))
}

fn power(card: &Card) -> Result<Option<PowerConstraints>, DriverError> {
    let device = card.device();
    let range = supported(
        "nvmlDeviceGetPowerManagementLimitConstraints",
        device.power_management_limit_constraints(),
    )?;
    // Cards without power management answer zeros.
    let Some(range) =
        range.filter(|range| 0 < range.max_limit && range.min_limit <= range.max_limit)
    else {
        return Ok(None);
    };
    let default = supported(
        "nvmlDeviceGetPowerManagementDefaultLimit",
        device.power_management_limit_default(),
    )?;
    Ok(Some(PowerConstraints {
        default: Watts::from_milliwatts(
            default
                .filter(|&limit| limit > 0)
                .unwrap_or(range.max_limit),
        ),
        min: Watts::from_milliwatts(range.min_limit),
        max: Watts::from_milliwatts(range.max_limit),
    }))
}

fn thresholds(card: &Card) -> Result<Thresholds, DriverError> {
    let device = card.device();
    let threshold = |kind| {
        let degrees = constant(
            "nvmlDeviceGetTemperatureThreshold",
            device.temperature_threshold(kind),
        )?;
        // No card slows down at 0 °C: that is a driver without a number.
        Ok(degrees
            .map(u32::cast_signed)
            .filter(|&degrees| degrees > 0)
            .map(|degrees| Celsius::new(f64::from(degrees))))
    };
    Ok(Thresholds {
        shutdown: threshold(TemperatureThreshold::Shutdown)?,
        slowdown: threshold(TemperatureThreshold::Slowdown)?,
        gpu_max: threshold(TemperatureThreshold::GpuMax)?,
        mem_max: threshold(TemperatureThreshold::MemoryMax)?,
        acoustic_min: threshold(TemperatureThreshold::AcousticMin)?,
        acoustic_current: threshold(TemperatureThreshold::AcousticCurr)?,
        acoustic_max: threshold(TemperatureThreshold::AcousticMax)?,
    })
}

fn tlimit(card: &Card) -> Result<TlimitOffsets, DriverError> {
    const CALL: &str = "nvmlDeviceGetFieldValues";
    let fields = card.temperature_fields([
        SHUTDOWN_TLIMIT,
        SLOWDOWN_TLIMIT,
        MEM_MAX_TLIMIT,
        GPU_MAX_TLIMIT,
    ]);
    let Some([shutdown, slowdown, mem_max, gpu_max]) = constant(CALL, fields)? else {
        return Ok(TlimitOffsets::default());
    };
    Ok(TlimitOffsets {
        shutdown: constant(CALL, shutdown)?,
        slowdown: constant(CALL, slowdown)?,
        mem_max: constant(CALL, mem_max)?,
        gpu_max: constant(CALL, gpu_max)?,
    })
}

fn memory_clocks(card: &Card) -> Result<Vec<Megahertz>, DriverError> {
    let clocks = constant(
        "nvmlDeviceGetSupportedMemoryClocks",
        card.device().supported_memory_clocks(),
    )?;
    let mut clocks: Vec<Megahertz> = clocks
        .unwrap_or_default()
        .into_iter()
        .map(Megahertz::new)
        .collect();
    clocks.sort_unstable_by(|a, b| b.cmp(a));
    clocks.dedup();
    Ok(clocks)
}

fn supported_events(card: &Card) -> Result<ClockEvents, DriverError> {
    let mask = constant(
        "nvmlDeviceGetSupportedClocksEventReasons",
        card.supported_event_reasons(),
    )?;
    let mask = match mask {
        None => constant(
            "nvmlDeviceGetSupportedClocksThrottleReasons",
            card.supported_throttle_reasons(),
        )?,
        newer => newer,
    };
    Ok(mask.map(ClockEvents::from_bits).unwrap_or_default())
}

/// Instances the card is split into. Numbers may have gaps; what can't be listed is left out.
fn mig_uuids(card: &Card) -> Vec<String> {
    let device = card.device();
    if !device
        .mig_mode()
        .is_ok_and(|mode| mode.current == MIG_ENABLED)
    {
        return Vec::new();
    }
    (0..device.mig_device_count().unwrap_or(0).min(MOST_INSTANCES))
        .filter_map(|index| device.mig_device_by_index(index).ok()?.uuid().ok())
        .collect()
}

/// A card has at most seven; a number that nobody means must not become as many calls.
const MOST_INSTANCES: u32 = 64;

/// `NVML_DEVICE_MIG_ENABLE`.
const MIG_ENABLED: u32 = 1;

/// NVIDIA's way of writing it.
fn brand_name(brand: Brand) -> Option<&'static str> {
    Some(match brand {
        Brand::Unknown => return None,
        Brand::Quadro => "Quadro",
        Brand::Tesla => "Tesla",
        Brand::NVS => "NVS",
        Brand::GRID => "GRID",
        Brand::GeForce => "GeForce",
        Brand::Titan => "Titan",
        Brand::VApps => "NVIDIA Virtual Applications",
        Brand::VPC => "NVIDIA Virtual PC",
        Brand::VCS => "NVIDIA Virtual Compute Server",
        Brand::VWS => "NVIDIA RTX Virtual Workstation",
        Brand::CloudGaming | Brand::VGaming => "NVIDIA Cloud Gaming",
        Brand::QuadroRTX => "Quadro RTX",
        Brand::NvidiaRTX => "NVIDIA RTX",
        Brand::Nvidia => "NVIDIA",
        Brand::GeForceRTX => "GeForce RTX",
        Brand::TitanRTX => "Titan RTX",
    })
}
