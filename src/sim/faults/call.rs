//! The calls whose answers can be set, each with a name and a number.

/// A call of NVML. `Temperature` is the core's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Temperature,
    TemperatureV,
    MemoryTemperature,
    Margin,
    PowerUsage,
    /// The getter of the requested limit.
    PowerLimit,
    EnforcedPowerLimit,
    PowerLimitConstraints,
    PowerDefaultLimit,
    SmClock,
    MemoryClock,
    GraphicsClock,
    VideoClock,
    EventReasons,
    /// The same by its older name, for cards that don't support the newer one.
    ThrottleReasons,
    SupportedEventReasons,
    Utilization,
    Energy,
    NumFans,
    /// This and the next three for every fan.
    FanSpeed,
    FanRpm,
    FanTarget,
    FanPolicy,
    TemperatureThreshold(Bound),
    TlimitOffset(Bound),
    SupportedMemoryClocks,
    SupportedGraphicsClocks,
    /// For every kind of clock.
    MaxClock,
    PerformanceState,
    PersistenceMode,
    MemoryInfo,
    Name,
    Uuid,
    PciInfo,
    Index,
    SetPowerLimit,
    LockGpuClock,
    ResetGpuClock,
    LockMemoryClock,
    ResetMemoryClock,
    SetFanSpeed,
    SetDefaultFanSpeed,
    SetFanPolicy,
    SetPersistenceMode,
    /// Masks of 16 bits: supported, requested, enforced, from the lowest on.
    PowerProfiles,
    /// From here on, the calls are about the machine, not a card.
    Init,
    Count,
    DriverVersion,
    HandleByUuid,
    HandleByIndex(u32),
}

/// Where a card does something about its heat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    Shutdown,
    Slowdown,
    GpuMax,
    MemMax,
    /// The fan's target: a threshold only.
    Acoustic,
}

/// [`Call::HandleByIndex`] 0; the others follow.
const BY_INDEX: u32 = 0x1000;

/// A call's number is its place in here, counted from 1: 0 is no call.
const PLAIN: [(&str, Call); 57] = [
    ("temperature", Call::Temperature),
    ("temperature-v", Call::TemperatureV),
    ("memory-temperature", Call::MemoryTemperature),
    ("margin", Call::Margin),
    ("power-usage", Call::PowerUsage),
    ("power-limit", Call::PowerLimit),
    ("enforced-power-limit", Call::EnforcedPowerLimit),
    ("power-limit-constraints", Call::PowerLimitConstraints),
    ("power-default-limit", Call::PowerDefaultLimit),
    ("sm-clock", Call::SmClock),
    ("memory-clock", Call::MemoryClock),
    ("graphics-clock", Call::GraphicsClock),
    ("video-clock", Call::VideoClock),
    ("event-reasons", Call::EventReasons),
    ("throttle-reasons", Call::ThrottleReasons),
    ("supported-event-reasons", Call::SupportedEventReasons),
    ("utilization", Call::Utilization),
    ("energy", Call::Energy),
    ("num-fans", Call::NumFans),
    ("fan-speed", Call::FanSpeed),
    ("fan-rpm", Call::FanRpm),
    ("fan-target", Call::FanTarget),
    ("fan-policy", Call::FanPolicy),
    (
        "threshold:shutdown",
        Call::TemperatureThreshold(Bound::Shutdown),
    ),
    (
        "threshold:slowdown",
        Call::TemperatureThreshold(Bound::Slowdown),
    ),
    (
        "threshold:gpu-max",
        Call::TemperatureThreshold(Bound::GpuMax),
    ),
    (
        "threshold:mem-max",
        Call::TemperatureThreshold(Bound::MemMax),
    ),
    (
        "threshold:acoustic",
        Call::TemperatureThreshold(Bound::Acoustic),
    ),
    ("tlimit:shutdown", Call::TlimitOffset(Bound::Shutdown)),
    ("tlimit:slowdown", Call::TlimitOffset(Bound::Slowdown)),
    ("tlimit:gpu-max", Call::TlimitOffset(Bound::GpuMax)),
    ("tlimit:mem-max", Call::TlimitOffset(Bound::MemMax)),
    ("supported-memory-clocks", Call::SupportedMemoryClocks),
    ("supported-graphics-clocks", Call::SupportedGraphicsClocks),
    ("max-clock", Call::MaxClock),
    ("performance-state", Call::PerformanceState),
    ("persistence-mode", Call::PersistenceMode),
    ("memory-info", Call::MemoryInfo),
    ("name", Call::Name),
    ("uuid", Call::Uuid),
    ("pci-info", Call::PciInfo),
    ("index", Call::Index),
    ("set-power-limit", Call::SetPowerLimit),
    ("lock-gpu-clock", Call::LockGpuClock),
    ("reset-gpu-clock", Call::ResetGpuClock),
    ("lock-memory-clock", Call::LockMemoryClock),
    ("reset-memory-clock", Call::ResetMemoryClock),
    ("set-fan-speed", Call::SetFanSpeed),
    ("set-default-fan-speed", Call::SetDefaultFanSpeed),
    ("set-fan-policy", Call::SetFanPolicy),
    ("set-persistence-mode", Call::SetPersistenceMode),
    ("power-profiles", Call::PowerProfiles),
    ("init", Call::Init),
    ("count", Call::Count),
    ("driver-version", Call::DriverVersion),
    ("handle-by-uuid", Call::HandleByUuid),
    ("handle-by-index:0", Call::HandleByIndex(0)),
];

impl Call {
    /// `temperature`, `threshold:slowdown`, `handle-by-index:2`
    pub fn named(name: &str) -> Option<Self> {
        if let Some(index) = name.strip_prefix("handle-by-index:") {
            return index.parse().ok().map(Self::HandleByIndex);
        }
        let known = PLAIN.iter().find(|(known, _)| *known == name);
        known.map(|&(_, call)| call)
    }

    pub fn name(self) -> String {
        if let Self::HandleByIndex(index) = self {
            return format!("handle-by-index:{index}");
        }
        let known = PLAIN.iter().find(|(_, call)| *call == self);
        known.map_or_else(String::new, |&(name, _)| name.to_owned())
    }

    pub fn names() -> Vec<&'static str> {
        PLAIN.iter().map(|&(name, _)| name).collect()
    }

    pub fn number(self) -> u32 {
        if let Self::HandleByIndex(index) = self {
            return BY_INDEX.saturating_add(index);
        }
        let place = PLAIN.iter().position(|&(_, call)| call == self);
        place
            .and_then(|place| u32::try_from(place + 1).ok())
            .unwrap_or(0)
    }

    /// The inverse of [`Self::number`].
    pub fn numbered(number: u32) -> Option<Self> {
        if let Some(index) = number.checked_sub(BY_INDEX) {
            return Some(Self::HandleByIndex(index));
        }
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        PLAIN.get(place).map(|&(_, call)| call)
    }

    /// About the machine as a whole.
    pub const fn is_machine_wide(self) -> bool {
        matches!(
            self,
            Self::Init
                | Self::Count
                | Self::DriverVersion
                | Self::HandleByUuid
                | Self::HandleByIndex(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_found_by_its_name_and_by_its_number() {
        for (place, (name, call)) in (1..).zip(PLAIN) {
            assert_eq!(Call::named(name), Some(call));
            assert_eq!(call.name(), name);
            assert_eq!(Call::numbered(call.number()), Some(call));
            let is_plain = !matches!(call, Call::HandleByIndex(_));
            assert_eq!(call.number() == place, is_plain, "{name}");
        }
        let third = Call::HandleByIndex(3);
        assert_eq!(Call::named(&third.name()), Some(third));
        assert_eq!(Call::numbered(third.number()), Some(third));
        assert_eq!((Call::named("temprature"), Call::numbered(0)), (None, None));
    }
}
