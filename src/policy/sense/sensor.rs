//! The card's own sensors, and what is known of each.

use std::ops::{Index, IndexMut};

use crate::device::Missing;

/// A sensor that steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensor {
    Core,
    Memory,
    /// Degrees to the card's maximum operating temperature, over all its internal sensors.
    Margin,
    /// The draw.
    Power,
}

impl Sensor {
    pub const ALL: [Self; 4] = [Self::Core, Self::Memory, Self::Margin, Self::Power];

    /// Those that tell how hot the card is.
    pub const THERMAL: [Self; 3] = [Self::Core, Self::Memory, Self::Margin];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Memory => "memory",
            Self::Margin => "margin",
            Self::Power => "power",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sensor| sensor.name() == name)
    }
}

/// One value for each sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BySensor<T>([T; Sensor::ALL.len()]);

impl<T> BySensor<T> {
    pub fn of(value: impl FnMut(Sensor) -> T) -> Self {
        Self(Sensor::ALL.map(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Sensor, &T)> {
        Sensor::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<Sensor> for BySensor<T> {
    type Output = T;

    fn index(&self, sensor: Sensor) -> &T {
        &self.0[sensor as usize]
    }
}

impl<T> IndexMut<Sensor> for BySensor<T> {
    fn index_mut(&mut self, sensor: Sensor) -> &mut T {
        &mut self.0[sensor as usize]
    }
}

/// What is known of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SensorState {
    Working,
    /// It can't be read, though the card had it or should have it.
    Failing,
    /// It can be read, and isn't believed.
    Doubted,
    /// The card has never offered it.
    #[default]
    Absent,
}

impl SensorState {
    pub const ALL: [Self; 4] = [Self::Working, Self::Failing, Self::Doubted, Self::Absent];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Failing => "failing",
            Self::Doubted => "doubted",
            Self::Absent => "absent",
        }
    }
}

/// A sensor's state, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SensorReport {
    pub state: SensorState,
    /// Of a failing one: what its last read came to.
    pub missing: Option<Missing>,
    /// Of a doubted one.
    pub doubt: Option<Doubt>,
}

/// Why a reading isn't taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is none.
    Missing,
    /// It doesn't follow the power.
    Frozen,
    /// It fell faster than metal cools.
    Fallen,
    /// The card slows itself down for heat.
    Contradicted,
    /// The guard before this one doubted it, and it hasn't proven itself since.
    Inherited,
    /// The card's own are fine, but a sensor beside them can't be read.
    Probe,
}

impl Doubt {
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Frozen,
        Self::Fallen,
        Self::Contradicted,
        Self::Inherited,
        Self::Probe,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Frozen => "frozen",
            Self::Fallen => "fallen",
            Self::Contradicted => "contradicted",
            Self::Inherited => "inherited",
            Self::Probe => "probe",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.name() == name)
    }
}
