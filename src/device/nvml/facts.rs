//! The facts of an open card: its identity and its constants.
//!
//! A fact that the card refuses is absent. A fact whose read failed is left out for now: it is
//! better to guard a card with few facts than not to open it. Each full read asks for the missing
//! ones again.

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

use crate::device::{Facts, Identity, MOST_FANS, MarginOffsets, SlowdownReasons, Thresholds, Uuid};
use crate::units::{Celsius, Megahertz};

use super::codes::Failure;
use super::ledger::Ledger;
use super::power::Power;
use super::raw::Card;
use super::reasons::slowdown_reasons;

/// A card's constants, as far as they are known.
#[derive(Debug)]
pub(crate) struct Constants {
    pub(crate) identity: Arc<Identity>,
    pub(crate) facts: Arc<Facts>,
    /// The number of fans that the driver controls: none on passively cooled cards.
    pub(crate) fans: u32,
    power: Power,
    ledger: Ledger,
}

impl Constants {
    /// Fails if the card or the driver is gone, or if the card doesn't give its UUID.
    pub(crate) fn of(card: &Card, index: u32) -> Result<Self, Failure> {
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

    /// Asks for the facts that aren't known yet or may have changed. Changed facts are in a new
    /// `Arc`.
    pub(crate) fn ask(&mut self, card: &Card) -> Result<(), Failure> {
        let mut identity = (*self.identity).clone();
        let mut facts = (*self.facts).clone();
        let asked = self.fill(card, &mut identity, &mut facts);
        // Also if the card was lost halfway: known facts aren't asked for again.
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
        // The power limit's range comes first: without it, nothing protects the card.
        let power = self.power.ask(card, ledger);
        facts.power = self.power.constraints();
        power?;
        thresholds(card, &mut facts.thresholds, ledger)?;
        tlimit(card, &mut facts.margin_offsets, ledger)?;
        clocks(card, facts, ledger)?;
        supported_reasons(card, &mut facts.supported_reasons, ledger)?;
        let fans = || card.device().num_fans();
        if let Some(fans) = ledger.ask(("nvmlDeviceGetNumFans", 0), fans)? {
            self.fans = fans;
            facts.fans = usize::try_from(fans).map_or(MOST_FANS, |fans| fans.min(MOST_FANS));
        }
        if self.fans > 0 {
            let range = || card.device().min_max_fan_speed();
            let range = ledger.ask(("nvmlDeviceGetMinMaxFanSpeed", 0), range)?;
            let told = range.map(|(_, highest)| highest);
            facts.fan_highest = told
                .filter(|it| (1..=100).contains(it))
                .or(facts.fan_highest);
        }
        name(card, identity, ledger)
    }
}

/// The identity of the card at `index`, as far as it answers at once.
pub(crate) fn identity(card: &Card, index: u32) -> Result<Identity, Failure> {
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
        instance_uuids: Vec::new(),
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
        identity.instance_uuids = uuids;
    }
    Ok(())
}

/// The text, unless it is one of the driver's forms of "none".
fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !matches!(text.as_str(), "" | "N/A" | "[N/A]"))
}

fn thresholds(card: &Card, known: &mut Thresholds, ledger: &mut Ledger) -> Result<(), Failure> {
    let device = card.device();
    let mut ask = |place: &mut Option<Celsius>, kind: TemperatureThreshold| {
        let key = ("nvmlDeviceGetTemperatureThreshold", kind.as_c());
        let degrees = ledger.ask(key, || device.temperature_threshold(kind))?;
        // No card slows down at 0 °C: 0 means that the driver has no value.
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
    ask(&mut known.acoustic_max, TemperatureThreshold::AcousticMax)?;
    target(&device, &mut known.acoustic_current, ledger)
}

/// The target that the firmware holds by itself. Programs set it and drivers drop it, so it is asked
/// for again. A changed value counts only if the card gives it twice.
fn target(
    device: &Device<'_>,
    known: &mut Option<Celsius>,
    ledger: &mut Ledger,
) -> Result<(), Failure> {
    const KIND: TemperatureThreshold = TemperatureThreshold::AcousticCurr;
    let key = ("nvmlDeviceGetTemperatureThreshold", KIND.as_c());
    let mut ask = || {
        let degrees = ledger.ask_again(key, || device.temperature_threshold(KIND))?;
        let degrees = degrees.map(u32::cast_signed).filter(|it| *it > 0);
        Ok::<_, Failure>(degrees.map(|it| Celsius::new(f64::from(it))))
    };
    let Some(said) = ask()? else {
        return Ok(());
    };
    let is_other = known.is_some_and(|known| known != said);
    if !is_other || ask()? == Some(said) {
        *known = Some(said);
    }
    Ok(())
}

/// Reads all offsets in one call. Each may fail on its own.
fn tlimit(card: &Card, known: &mut MarginOffsets, ledger: &mut Ledger) -> Result<(), Failure> {
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
            let mut clocks: Vec<Megahertz> = clocks.into_iter().map(Megahertz::new).collect();
            clocks.sort_unstable_by(|a, b| b.cmp(a));
            clocks.dedup();
            known.gpu_clock_min = clocks.last().copied();
            known.gpu_clock_max = clocks.first().copied();
            known.gpu_clocks = clocks;
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

/// By the newer function, or by the one from before CUDA 12.
fn supported_reasons(
    card: &Card,
    known: &mut SlowdownReasons,
    ledger: &mut Ledger,
) -> Result<(), Failure> {
    const NEWER: (&str, u32) = ("nvmlDeviceGetSupportedClocksEventReasons", 0);
    const OLDER: (&str, u32) = ("nvmlDeviceGetSupportedClocksThrottleReasons", 0);
    let mut mask = ledger.ask(NEWER, || card.supported_event_reasons())?;
    if !ledger.is_told(NEWER) {
        mask = ledger.ask(OLDER, || card.supported_throttle_reasons())?;
    }
    if let Some(mask) = mask {
        *known = slowdown_reasons(mask);
    }
    Ok(())
}

/// The MIG instances of the card. Their numbers may have gaps; an instance that can't be listed is
/// left out.
fn mig_uuids(device: &Device<'_>) -> Result<Vec<String>, NvmlError> {
    if device.mig_mode()?.current != MIG_ENABLED {
        return Ok(Vec::new());
    }
    let count = device.mig_device_count()?.min(MOST_INSTANCES);
    let uuids = (0..count).filter_map(|index| device.mig_device_by_index(index).ok()?.uuid().ok());
    Ok(uuids.collect())
}

/// A card has at most seven. A wrong number must not cause as many calls.
const MOST_INSTANCES: u32 = 64;

/// `NVML_DEVICE_MIG_ENABLE`.
const MIG_ENABLED: u32 = 1;

/// The brand's name as NVIDIA writes it.
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
