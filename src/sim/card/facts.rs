//! The constants that a card gives: read when it is opened, call by call, as over NVML.

use crate::device::nvml::{refusal, slowdown_reasons, unusable};
use crate::device::{DriverError, Facts, MarginOffsets, PowerConstraints, Thresholds};
use crate::sim::fans::HIGHEST;
use crate::sim::faults::{Bound, Call, bits, degrees};
use crate::units::{Celsius, Megahertz, Watts};

use crate::sim::profile::LimitOffer;

use super::truth::Card;

/// The step between two supported GPU clocks, in MHz.
const CLOCK_STEP: usize = 15;

impl Card {
    /// A value that the card may not have. Fails if the card is gone, or if it is unknown whether
    /// the card has the value.
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

    /// A value that the guard doesn't need. Fails only if the card is gone.
    fn optional(&mut self, call: Call, truth: Option<i64>) -> Result<Option<i64>, DriverError> {
        match self.supported("", call, truth) {
            Err(DriverError::Call { .. }) => Ok(None),
            answer => answer,
        }
    }

    /// The facts that the card gives now.
    pub(crate) fn facts(&mut self) -> Result<Facts, DriverError> {
        let memory_clocks = self.memory_clocks()?;
        let gpu_clocks = if memory_clocks.is_empty() {
            Vec::new()
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
            margin_offsets: self.margin_offsets()?,
            gpu_clock_min: gpu_clocks.last().copied(),
            gpu_clock_max: match gpu_clocks.first() {
                Some(max) => Some(*max),
                None => clock(self.optional(Call::MaxClock, gpu_max)?),
            },
            gpu_clocks,
            memory_clock_max: clock(self.optional(Call::MaxClock, memory_max)?),
            video_clock_max: None,
            memory_clocks,
            fans: self.fans()? as usize,
            fan_highest: (self.profile.fans > 0).then_some(HIGHEST),
            supported_reasons: self
                .optional(Call::SupportedEventReasons, Some(0x1ff))?
                .map(|mask| slowdown_reasons(mask.cast_unsigned()))
                .unwrap_or_default(),
        })
    }

    /// The number of fans. The NVML driver has the same bound.
    pub(crate) fn fans(&mut self) -> Result<u32, DriverError> {
        let fans = self.optional(Call::NumFans, Some(self.profile.fans.into()))?;
        Ok(fans.map_or(0, bits).min(16))
    }

    fn power(&mut self) -> Result<Option<PowerConstraints>, DriverError> {
        const RANGE: &str = "nvmlDeviceGetPowerManagementLimitConstraints";
        const DEFAULT: &str = "nvmlDeviceGetPowerManagementDefaultLimit";
        let is_told = self.profile.limit != LimitOffer::Absent;
        let (min, max) = self.faults.told.range(self.profile);
        let range = i64::from(max) << 32 | i64::from(min);
        let range = self.supported(RANGE, Call::PowerLimitConstraints, is_told.then_some(range))?;
        let range = range.map(|range| (bits(range), bits(range >> 32)));
        // Cards without power management answer with zeros.
        let Some((min, max)) = range.filter(|(min, max)| 0 < *max && min <= max) else {
            return Ok(None);
        };
        let default = self.faults.told.default_limit(self.profile);
        let default = self.supported(
            DEFAULT,
            Call::PowerDefaultLimit,
            is_told.then_some(default.into()),
        )?;
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
            // No card slows down at 0 °C: 0 means that the driver has no value.
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

    fn margin_offsets(&mut self) -> Result<MarginOffsets, DriverError> {
        let mut offset = |bound| {
            let truth = self.faults.told.offset(self.profile, bound);
            let number = self.optional(Call::TlimitOffset(bound), truth)?;
            Ok::<_, DriverError>(number.map(degrees).map(Celsius::new))
        };
        Ok(MarginOffsets {
            shutdown: offset(Bound::Shutdown)?,
            slowdown: offset(Bound::Slowdown)?,
            mem_max: offset(Bound::MemMax)?,
            gpu_max: offset(Bound::GpuMax)?,
        })
    }

    /// Highest first. A set answer is a list of that one clock.
    fn memory_clocks(&mut self) -> Result<Vec<Megahertz>, DriverError> {
        let clocks = self.profile.memory_clocks;
        let has_lists = self.faults.told.has_clock_lists();
        // -1 stands for the true list, which is longer than one number.
        let truth = has_lists.then_some(-1);
        let said = self.optional(Call::SupportedMemoryClocks, truth)?;
        Ok(match said {
            None | Some(0) => Vec::new(),
            Some(-1) => clocks.to_vec(),
            Some(clock) => vec![Megahertz::new(bits(clock))],
        })
    }

    /// Highest first.
    fn gpu_clocks(&mut self) -> Result<Vec<Megahertz>, DriverError> {
        let (min, max) = (self.profile.gpu_clock_min, self.profile.gpu_clock_max);
        let has_lists = self.faults.told.has_clock_lists();
        let said = self.optional(Call::SupportedGraphicsClocks, has_lists.then_some(-1))?;
        Ok(match said {
            None | Some(0) => Vec::new(),
            Some(-1) => {
                let all = (min.megahertz()..=max.megahertz()).rev();
                all.step_by(CLOCK_STEP).map(Megahertz::new).collect()
            }
            Some(clock) => vec![Megahertz::new(bits(clock))],
        })
    }
}
