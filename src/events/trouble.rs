//! Faults that begin and end, and how much each matters.

use crate::config::Weight;

/// A fault that begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Not even the coldest rung holds the GPU under its set point.
    Infeasible,
    /// Somebody else keeps raising the limit.
    Contested,
    /// Leases are not obeyed: they have held the GPU for `max_hold`.
    Overheld,
    /// A sensor isn't believed; the detail says why.
    SensorDoubt,
    /// Nothing can be done for the GPU; the detail says why.
    Unguarded,
    /// One of the card's own sensors can't be read or isn't believed: `core: failing`.
    SensorFault,
    /// A knob is out of the plan: `power_limit: refused`.
    KnobFault,
    /// A fan doesn't do what the card needs: `fan 0: stuck`.
    FanSuspect,
    /// It cools worse than it did; the detail says compared with what.
    CoolingWorse,
    /// A write to the GPU fails; the detail says which, and how.
    ActionFailing,
    /// The claim can't be put on disk.
    JournalFailing,
    /// The GPU doesn't answer.
    GpuLost,
    /// A call into the driver doesn't come back.
    GpuHung,
    /// No NVIDIA driver.
    DriverGone,
}

impl Trouble {
    pub const ALL: [Self; 14] = [
        Self::Infeasible,
        Self::Contested,
        Self::Overheld,
        Self::SensorDoubt,
        Self::Unguarded,
        Self::SensorFault,
        Self::KnobFault,
        Self::FanSuspect,
        Self::CoolingWorse,
        Self::ActionFailing,
        Self::JournalFailing,
        Self::GpuLost,
        Self::GpuHung,
        Self::DriverGone,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Infeasible => "infeasible",
            Self::Contested => "contested",
            Self::Overheld => "overheld",
            Self::SensorDoubt => "sensor_doubt",
            Self::Unguarded => "unguarded",
            Self::SensorFault => "sensor_fault",
            Self::KnobFault => "knob_fault",
            Self::FanSuspect => "fan_suspect",
            Self::CoolingWorse => "cooling_worse",
            Self::ActionFailing => "action_failing",
            Self::JournalFailing => "journal_failing",
            Self::GpuLost => "gpu_lost",
            Self::GpuHung => "gpu_hung",
            Self::DriverGone => "driver_gone",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Infeasible => "not even the coldest rung holds it",
            Self::Contested => "somebody else keeps raising the limit",
            Self::Overheld => {
                "leases, of alerts or manual ones, have held it too long and are not obeyed"
            }
            Self::SensorDoubt => "a sensor isn't believed",
            Self::Unguarded => "unguarded, nothing can be done for it",
            Self::SensorFault => "a sensor fails or isn't believed",
            Self::KnobFault => "a knob is out of the plan",
            Self::FanSuspect => "a fan doesn't do what the card needs",
            Self::CoolingWorse => "it cools worse than it did",
            Self::ActionFailing => "writing to it fails",
            Self::JournalFailing => "the journal can't be written",
            Self::GpuLost => "the GPU doesn't answer",
            Self::GpuHung => "it hangs inside the driver",
            Self::DriverGone => "no NVIDIA driver",
        }
    }

    pub const fn weight(self) -> Weight {
        match self {
            Self::Overheld
            | Self::SensorDoubt
            | Self::SensorFault
            | Self::KnobFault
            | Self::FanSuspect
            | Self::CoolingWorse => Weight::Warn,
            _ => Weight::Error,
        }
    }
}
