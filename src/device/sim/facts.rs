//! Who a card is, and its constants: read when it is opened, call by call, as over NVML.

use crate::device::faults::{Bound, Call, bits, degrees};
use crate::device::nvml::{refusal, unusable};
use crate::device::profile::Profile;
use crate::device::{
    ClockEvents, DriverError, Facts, Identity, PowerConstraints, Thresholds, TlimitOffsets, Uuid,
};
use crate::units::{Celsius, Megahertz, Watts};

use super::Card;

pub(super) fn identity(profile: &Profile, index: u32) -> Identity {
    Identity {
        uuid: Uuid::new(&format!("GPU-51300000-0000-4000-8000-{index:012}")),
        index,
        name: profile.name.to_owned(),
        pci_bus_id: format!("00000000:{:02X}:00.0", 0x10 + index * 0x10),
        serial: None,
        vbios_version: Some("simulated".to_owned()),
        driver_version: Some("simulated".to_owned()),
        architecture: Some(profile.architecture.to_owned()),
        brand: None,
        mig_uuids: Vec::new(),
    }
}

impl Card {
    /// A value that the card may not have. Fails with the card, and where it can't be told whether
    /// the card has it.
    fn supported(
        &mut self,
        name: &'static str,
        call: Call,
        truth: Option<i64>,
    ) -> Result<Option<i64>, DriverError> {
        match self.constant(call, truth) {
            Ok(number) => Ok(Some(number)),
            Err(code) if refusal(code).is_refusal() => Ok(None),
            Err(code) => Err(unusable(name, code)),
        }
    }

    /// A value that the guard can do without. Fails with the card only.
    fn optional(&mut self, call: Call, truth: Option<i64>) -> Result<Option<i64>, DriverError> {
        match self.supported("", call, truth) {
            Err(DriverError::Call { .. }) => Ok(None),
            answer => answer,
        }
    }

    /// What the card tells of itself now.
    pub(super) fn facts(&mut self) -> Result<Facts, DriverError> {
        let memory_clocks = self.memory_clocks()?;
        let gpu_clocks = if memory_clocks.is_empty() {
            None
        } else {
            self.gpu_clocks()?
        };
        let has_max = self.faults.told.has_max_clock();
        let max = |clock: Megahertz| has_max.then(|| clock.megahertz().into());
        let gpu_max = max(self.profile.gpu_clock_max);
        let memory_max = self.profile.memory_clocks.first().copied().and_then(max);
        let clock = |number: Option<i64>| number.map(|number| Megahertz::new(bits(number)));
        Ok(Facts {
            power: self.power()?,
            thresholds: self.thresholds()?,
            tlimit: self.tlimit()?,
            gpu_clock_min: gpu_clocks.map(|(min, _)| min),
            gpu_clock_max: match gpu_clocks {
                Some((_, max)) => Some(max),
                None => clock(self.optional(Call::MaxClock, gpu_max)?),
            },
            memory_clock_max: clock(self.optional(Call::MaxClock, memory_max)?),
            video_clock_max: None,
            memory_clocks,
            supported_events: self
                .optional(Call::SupportedEventReasons, Some(0x1ff))?
                .map(|mask| ClockEvents::from_bits(mask.cast_unsigned()))
                .unwrap_or_default(),
        })
    }

    /// How many fans there are; see the backend of NVML for the bound.
    pub(super) fn fans(&mut self) -> Result<u32, DriverError> {
        let fans = self.optional(Call::NumFans, Some(self.profile.fans.into()))?;
        Ok(fans.map_or(0, bits).min(16))
    }

    fn power(&mut self) -> Result<Option<PowerConstraints>, DriverError> {
        const RANGE: &str = "nvmlDeviceGetPowerManagementLimitConstraints";
        const DEFAULT: &str = "nvmlDeviceGetPowerManagementDefaultLimit";
        let (min, max) = self.faults.told.range(self.profile);
        let range = i64::from(max) << 32 | i64::from(min);
        let range = self.supported(RANGE, Call::PowerLimitConstraints, Some(range))?;
        let range = range.map(|range| (bits(range), bits(range >> 32)));
        // Cards without power management answer zeros.
        let Some((min, max)) = range.filter(|(min, max)| 0 < *max && min <= max) else {
            return Ok(None);
        };
        let default = self.faults.told.default_limit(self.profile);
        let default = self.supported(DEFAULT, Call::PowerDefaultLimit, Some(default.into()))?;
        let default = default.map(bits).filter(|&limit| limit > 0);
        Ok(Some(PowerConstraints {
            default: Watts::from_milliwatts(default.unwrap_or(max)),
            min: Watts::from_milliwatts(min),
            max: Watts::from_milliwatts(max),
        }))
    }

    fn thresholds(&mut self) -> Result<Thresholds, DriverError> {
        let mut threshold = |bound| {
            let truth = self.faults.told.threshold(self.profile, bound);
            let number = self.optional(Call::TemperatureThreshold(bound), truth)?;
            // No card slows down at 0 °C: that is a driver without a number.
            let number = number.map(degrees).filter(|&degrees| degrees > 0.0);
            Ok::<_, DriverError>(number.map(Celsius::new))
        };
        Ok(Thresholds {
            shutdown: threshold(Bound::Shutdown)?,
            slowdown: threshold(Bound::Slowdown)?,
            gpu_max: threshold(Bound::GpuMax)?,
            mem_max: threshold(Bound::MemMax)?,
            acoustic_current: threshold(Bound::Acoustic)?,
            ..Thresholds::default()
        })
    }

    fn tlimit(&mut self) -> Result<TlimitOffsets, DriverError> {
        let mut offset = |bound| {
            let truth = self.faults.told.offset(self.profile, bound);
            let number = self.optional(Call::TlimitOffset(bound), truth)?;
            Ok::<_, DriverError>(number.map(degrees).map(Celsius::new))
        };
        Ok(TlimitOffsets {
            shutdown: offset(Bound::Shutdown)?,
            slowdown: offset(Bound::Slowdown)?,
            mem_max: offset(Bound::MemMax)?,
            gpu_max: offset(Bound::GpuMax)?,
        })
    }

    /// Highest first. An answer of one's own is a list of that clock.
    fn memory_clocks(&mut self) -> Result<Vec<Megahertz>, DriverError> {
        let clocks = self.profile.memory_clocks;
        let has_lists = self.faults.told.has_clock_lists();
        // A number that no list is: the truth is longer than one.
        let truth = has_lists.then_some(-1);
        let said = self.optional(Call::SupportedMemoryClocks, truth)?;
        Ok(match said {
            None | Some(0) => Vec::new(),
            Some(-1) => clocks.to_vec(),
            Some(clock) => vec![Megahertz::new(bits(clock))],
        })
    }

    fn gpu_clocks(&mut self) -> Result<Option<(Megahertz, Megahertz)>, DriverError> {
        let truth = (self.profile.gpu_clock_min, self.profile.gpu_clock_max);
        let has_lists = self.faults.told.has_clock_lists();
        let said = self.optional(Call::SupportedGraphicsClocks, has_lists.then_some(-1))?;
        Ok(match said {
            None | Some(0) => None,
            Some(-1) => Some(truth),
            Some(clock) => Some((Megahertz::new(bits(clock)), Megahertz::new(bits(clock)))),
        })
    }
}
