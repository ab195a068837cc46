//! Why a card runs below its maximum clock.

/// A reason, by the name that metrics and the status document give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowdownReason {
    Idle,
    ApplicationsClocks,
    SoftwarePowerCap,
    HardwareSlowdown,
    SyncBoost,
    SoftwareThermal,
    HardwareThermal,
    HardwarePowerBrake,
    DisplayClock,
}

impl SlowdownReason {
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::ApplicationsClocks,
        Self::SoftwarePowerCap,
        Self::HardwareSlowdown,
        Self::SyncBoost,
        Self::SoftwareThermal,
        Self::HardwareThermal,
        Self::HardwarePowerBrake,
        Self::DisplayClock,
    ];

    /// The reasons whose time drivers count.
    pub const TIMED: [Self; 5] = [
        Self::SoftwarePowerCap,
        Self::SyncBoost,
        Self::SoftwareThermal,
        Self::HardwareThermal,
        Self::HardwarePowerBrake,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "gpu_idle",
            Self::ApplicationsClocks => "applications_clocks_setting",
            Self::SoftwarePowerCap => "sw_power_cap",
            Self::HardwareSlowdown => "hw_slowdown",
            Self::SyncBoost => "sync_boost",
            Self::SoftwareThermal => "sw_thermal_slowdown",
            Self::HardwareThermal => "hw_thermal_slowdown",
            Self::HardwarePowerBrake => "hw_power_brake_slowdown",
            Self::DisplayClock => "display_clock_setting",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SlowdownReasons {
    bits: u16,
    /// The driver gave a reason that this build has no name for.
    pub has_unnamed: bool,
}

impl SlowdownReasons {
    pub const NONE: Self = Self {
        bits: 0,
        has_unnamed: false,
    };

    #[must_use]
    pub const fn with(self, reason: SlowdownReason) -> Self {
        Self {
            bits: self.bits | reason.bit(),
            ..self
        }
    }

    pub const fn contains(self, reason: SlowdownReason) -> bool {
        self.bits & reason.bit() != 0
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
            has_unnamed: self.has_unnamed || other.has_unnamed,
        }
    }

    /// The named ones, in the order of [`SlowdownReason::ALL`].
    pub fn iter(self) -> impl Iterator<Item = SlowdownReason> {
        let all = SlowdownReason::ALL.into_iter();
        all.filter(move |reason| self.contains(*reason))
    }

    /// The hardware or the driver slows the card down for heat.
    pub const fn is_thermal(self) -> bool {
        self.contains(SlowdownReason::SoftwareThermal)
            || self.contains(SlowdownReason::HardwareThermal)
    }
}

impl FromIterator<SlowdownReason> for SlowdownReasons {
    fn from_iter<T: IntoIterator<Item = SlowdownReason>>(reasons: T) -> Self {
        reasons.into_iter().fold(Self::NONE, Self::with)
    }
}
