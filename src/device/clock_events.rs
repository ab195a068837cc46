//! Clock event reasons: why a card runs below its maximum clock. NVML's bit mask, with names for
//! the bits that mean something and one for those that don't yet.

/// The reasons active at one moment, as NVML's raw mask: the wrapper's type drops new bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClockEvents(u64);

/// Bits and names, in NVML's order (nvml.h, `nvmlClocksEventReason*`).
pub const REASONS: [(u64, &str); 9] = [
    (0x001, "gpu_idle"),
    (0x002, "applications_clocks_setting"),
    (0x004, "sw_power_cap"),
    (0x008, "hw_slowdown"),
    (0x010, "sync_boost"),
    (0x020, "sw_thermal_slowdown"),
    (0x040, "hw_thermal_slowdown"),
    (0x080, "hw_power_brake_slowdown"),
    (0x100, "display_clock_setting"),
];

impl ClockEvents {
    pub const GPU_IDLE: Self = Self(0x001);
    pub const SW_POWER_CAP: Self = Self(0x004);
    pub const HW_SLOWDOWN: Self = Self(0x008);
    pub const SW_THERMAL_SLOWDOWN: Self = Self(0x020);
    pub const HW_THERMAL_SLOWDOWN: Self = Self(0x040);
    pub const HW_POWER_BRAKE: Self = Self(0x080);

    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Bits this build has no name for.
    pub const fn unknown(self) -> u64 {
        self.0 & !0x1ff
    }
}

/// A reason with a cumulative seconds counter in NVML ("HW slowdown" has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountedEvent {
    SwPowerCap,
    SyncBoost,
    SwThermalSlowdown,
    HwThermalSlowdown,
    HwPowerBrake,
}

impl CountedEvent {
    pub const ALL: [Self; 5] = [
        Self::SwPowerCap,
        Self::SyncBoost,
        Self::SwThermalSlowdown,
        Self::HwThermalSlowdown,
        Self::HwPowerBrake,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SwPowerCap => "sw_power_cap",
            Self::SyncBoost => "sync_boost",
            Self::SwThermalSlowdown => "sw_thermal_slowdown",
            Self::HwThermalSlowdown => "hw_thermal_slowdown",
            Self::HwPowerBrake => "hw_power_brake_slowdown",
        }
    }
}
