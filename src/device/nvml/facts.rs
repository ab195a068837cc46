//! What an open card tells of itself: who it is, and its constants.
//!
//! What it refuses is absent. What merely failed is left out for now: a guard that keeps an eye on a
//! card it knows little of beats one that won't open it. Each look at all of the card asks again.

use std::sync::Arc;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Brand, Clock, TemperatureThreshold};
use nvml_wrapper::enums::device::DeviceArchitecture;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT as GPU_MAX_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT as MEM_MAX_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT as SHUTDOWN_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT as SLOWDOWN_TLIMIT,
};

use crate::device::nvml_raw::Card;
use crate::device::{ClockEvents, Facts, Identity, Thresholds, TlimitOffsets, Uuid};
use crate::units::{Celsius, Megahertz};

use super::codes::Failure;
use super::ledger::Ledger;
use super::power::Power;

/// A card's constants, as far as they are known.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) identity: Arc<Identity>,
    pub(super) facts: Arc<Facts>,
    /// How many the driver controls: none on passively cooled cards.
    pub(super) fans: u32,
    power: Power,
    ledger: Ledger,
}

/// More than any card has; a larger number is not to be believed, nor memory taken for so many.
const MOST_FANS: u32 = 16;

impl Constants {
    /// Fails with the card or the driver, and where it doesn't say its UUID.
    pub(super) fn of(card: &Card, index: u32) -> Result<Self, Failure> {
        let identity = unnamed(card, index)?;
        let ledger = Ledger::of(index, identity.uuid.clone());
        let mut constants = Self {
            identity: Arc::new(identity),
            facts: Arc::default(),
            fans: 0,
            power: Power::default(),
            ledger,
        };
        constants.ask(card)?;
        Ok(constants)
    }

    /// Asks for what isn't known yet, and what may have changed. Facts that are other ones now are
    /// in a new `Arc`.
    pub(super) fn ask(&mut self, card: &Card) -> Result<(), Failure> {
        let mut identity = (*self.identity).clone();
        let mut facts = (*self.facts).clone();
        let asked = self.fill(card, &mut identity, &mut facts);
        // Also of a card that was lost halfway: what was told isn't asked for again.
        if identity != *self.identity {
            self.identity = Arc::new(identity);
        }
        if facts != *self.facts {
            self.facts = Arc::new(facts);
        }
        asked
    }

    fn fill(
        &mut self,
        card: &Card,
        identity: &mut Identity,
        facts: &mut Facts,
    ) -> Result<(), Failure> {
        let ledger = &mut self.ledger;
        // First: without it nothing protects the card.
        let power = self.power.ask(card, ledger);
        facts.power = self.power.constraints();
        power?;
        thresholds(card, &mut facts.thresholds, ledger)?;
        tlimit(card, &mut facts.tlimit, ledger)?;
        clocks(card, facts, ledger)?;
        supported_events(card, &mut facts.supported_events, ledger)?;
        let fans = || card.device().num_fans();
        if let Some(fans) = ledger.ask(("nvmlDeviceGetNumFans", 0), fans)? {
            self.fans = fans.min(MOST_FANS);
        }
        name(card, identity, ledger)
    }
}

/// Who the card at `index` is, as far as it says so at once.
pub(super) fn identity(card: &Card, index: u32) -> Result<Identity, Failure> {
    let mut identity = unnamed(card, index)?;
    name(card, &mut identity, &mut Ledger::default())?;
    Ok(identity)
}

fn unnamed(card: &Card, index: u32) -> Result<Identity, Failure> {
    let uuid = card.device().uuid();
    let uuid = uuid.map_err(|error| Failure::new("nvmlDeviceGetUUID", error))?;
    Ok(Identity {
        uuid: Uuid::new(&uuid),
        index,
        name: "NVIDIA GPU".to_owned(),
        pci_bus_id: String::new(),
        serial: None,
        vbios_version: None,
        driver_version: None,
        architecture: None,
        brand: None,
        mig_uuids: Vec::new(),
    })
}

fn name(card: &Card, identity: &mut Identity, ledger: &mut Ledger) -> Result<(), Failure> {
    let device = card.device();
    if let Some(pci) = ledger.ask(("nvmlDeviceGetPciInfo_v3", 0), || device.pci_info())? {
        identity.pci_bus_id = pci.bus_id;
    }
    if let Some(name) = ledger.ask(("nvmlDeviceGetName", 0), || device.name())? {
        identity.name = name;
    }
    if let Some(serial) = ledger.ask(("nvmlDeviceGetSerial", 0), || device.serial())? {
        identity.serial = text(serial);
    }
    let vbios = || device.vbios_version();
    if let Some(version) = ledger.ask(("nvmlDeviceGetVbiosVersion", 0), vbios)? {
        identity.vbios_version = text(version);
    }
    let driver = || card.driver_version();
    if let Some(version) = ledger.ask(("nvmlSystemGetDriverVersion", 0), driver)? {
        identity.driver_version = text(version);
    }
    let architecture = || device.architecture();
    if let Some(architecture) = ledger.ask(("nvmlDeviceGetArchitecture", 0), architecture)? {
        let known = architecture != DeviceArchitecture::Unknown;
        identity.architecture = known.then(|| architecture.to_string());
    }
    if let Some(brand) = ledger.ask(("nvmlDeviceGetBrand", 0), || device.brand())? {
        identity.brand = brand_name(brand).map(str::to_owned);
    }
    if let Some(uuids) = ledger.ask(("nvmlDeviceGetMigMode", 0), || mig_uuids(&device))? {
        identity.mig_uuids = uuids;
    }
    Ok(())
}

/// A text that isn't one of the driver's ways to say "none".
fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !matches!(text.as_str(), "" | "N/A" | "[N/A]"))
}

fn thresholds(card: &Card, known: &mut Thresholds, ledger: &mut Ledger) -> Result<(), Failure> {
    let device = card.device();
    let mut ask = |place: &mut Option<Celsius>, kind: TemperatureThreshold| {
        let key = ("nvmlDeviceGetTemperatureThreshold", kind.as_c());
        let degrees = ledger.ask(key, || device.temperature_threshold(kind))?;
        // No card slows down at 0 °C: that is a driver without a number.
        if let Some(degrees) = degrees.map(u32::cast_signed).filter(|it| *it > 0) {
            *place = Some(Celsius::new(f64::from(degrees)));
        }
        Ok(())
    };
    ask(&mut known.shutdown, TemperatureThreshold::Shutdown)?;
    ask(&mut known.slowdown, TemperatureThreshold::Slowdown)?;
    ask(&mut known.gpu_max, TemperatureThreshold::GpuMax)?;
    ask(&mut known.mem_max, TemperatureThreshold::MemoryMax)?;
    ask(&mut known.acoustic_min, TemperatureThreshold::AcousticMin)?;
    ask(
        &mut known.acoustic_current,
        TemperatureThreshold::AcousticCurr,
    )?;
    ask(&mut known.acoustic_max, TemperatureThreshold::AcousticMax)
}

/// All offsets in one call, of which each may fail by itself.
fn tlimit(card: &Card, known: &mut TlimitOffsets, ledger: &mut Ledger) -> Result<(), Failure> {
    const CALL: &str = "nvmlDeviceGetFieldValues";
    const FIELDS: [u32; 4] = [
        SHUTDOWN_TLIMIT,
        SLOWDOWN_TLIMIT,
        MEM_MAX_TLIMIT,
        GPU_MAX_TLIMIT,
    ];
    if FIELDS.iter().all(|&field| ledger.is_settled((CALL, field))) {
        return Ok(());
    }
    let Some(answers) = ledger.ask_again((CALL, 0), || card.temperature_fields(FIELDS))? else {
        return Ok(());
    };
    let places = [
        &mut known.shutdown,
        &mut known.slowdown,
        &mut known.mem_max,
        &mut known.gpu_max,
    ];
    for ((field, answer), place) in FIELDS.into_iter().zip(answers).zip(places) {
        if let Some(degrees) = ledger.ask((CALL, field), || answer)? {
            *place = Some(degrees);
        }
    }
    Ok(())
}

fn clocks(card: &Card, known: &mut Facts, ledger: &mut Ledger) -> Result<(), Failure> {
    let device = card.device();
    let list = || device.supported_memory_clocks();
    if let Some(clocks) = ledger.ask(("nvmlDeviceGetSupportedMemoryClocks", 0), list)? {
        let mut clocks: Vec<Megahertz> = clocks.into_iter().map(Megahertz::new).collect();
        clocks.sort_unstable_by(|a, b| b.cmp(a));
        clocks.dedup();
        known.memory_clocks = clocks;
    }
    if let Some(highest) = known.memory_clocks.first() {
        let key = ("nvmlDeviceGetSupportedGraphicsClocks", 0);
        let clocks = ledger.ask(key, || card.graphics_clocks(highest.megahertz()))?;
        if let Some(clocks) = clocks.filter(|clocks| !clocks.is_empty()) {
            known.gpu_clock_min = clocks.iter().min().copied().map(Megahertz::new);
            known.gpu_clock_max = clocks.iter().max().copied().map(Megahertz::new);
        }
    }
    let mut max = |place: &mut Option<Megahertz>, domain: Clock| {
        let key = ("nvmlDeviceGetMaxClockInfo", domain.as_c());
        if let Some(clock) = ledger.ask(key, || device.max_clock_info(domain))? {
            *place = Some(Megahertz::new(clock));
        }
        Ok(())
    };
    if known.gpu_clock_max.is_none() {
        max(&mut known.gpu_clock_max, Clock::Graphics)?;
    }
    max(&mut known.memory_clock_max, Clock::Memory)?;
    max(&mut known.video_clock_max, Clock::Video)
}

/// By the newer name, or by the one before CUDA 12.
fn supported_events(
    card: &Card,
    known: &mut ClockEvents,
    ledger: &mut Ledger,
) -> Result<(), Failure> {
    const NEWER: (&str, u32) = ("nvmlDeviceGetSupportedClocksEventReasons", 0);
    const OLDER: (&str, u32) = ("nvmlDeviceGetSupportedClocksThrottleReasons", 0);
    let mut mask = ledger.ask(NEWER, || card.supported_event_reasons())?;
    if !ledger.is_told(NEWER) {
        mask = ledger.ask(OLDER, || card.supported_throttle_reasons())?;
    }
    if let Some(mask) = mask {
        *known = ClockEvents::from_bits(mask);
    }
    Ok(())
}

/// Instances the card is split into. Numbers may have gaps; what can't be listed is left out.
fn mig_uuids(device: &Device<'_>) -> Result<Vec<String>, NvmlError> {
    if device.mig_mode()?.current != MIG_ENABLED {
        return Ok(Vec::new());
    }
    let count = device.mig_device_count()?.min(MOST_INSTANCES);
    let uuids = (0..count).filter_map(|index| device.mig_device_by_index(index).ok()?.uuid().ok());
    Ok(uuids.collect())
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
