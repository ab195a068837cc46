//! The card's own sensors, and the state of each.

use std::ops::{Index, IndexMut};

use crate::device::Missing;

/// A sensor that decisions use.
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

    /// The sensors that tell how hot the card is.
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

/// The state of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SensorState {
    Working,
    /// It can't be read, although the card has it.
    Failing,
    /// It can be read, but isn't trusted.
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
    /// For a failing sensor: the result of its last read.
    pub missing: Option<Missing>,
    /// For a doubted sensor: the reason.
    pub doubt: Option<Doubt>,
}

/// Why a reading isn't trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is no reading.
    Missing,
    /// It doesn't follow the power.
    Frozen,
    /// It fell faster than metal cools.
    Fallen,
    /// The card slows itself down for heat.
    Contradicted,
    /// The previous guard doubted it, and it hasn't proven itself since.
    Inherited,
    /// The card's own sensors are fine, but an extra one can't be read.
    ExtraSensor,
}

impl Doubt {
    pub const ALL: [Self; 6] = [
        Self::Missing,
        Self::Frozen,
        Self::Fallen,
        Self::Contradicted,
        Self::Inherited,
        Self::ExtraSensor,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Frozen => "frozen",
            Self::Fallen => "fallen",
            Self::Contradicted => "contradicted",
            Self::Inherited => "inherited",
            Self::ExtraSensor => "probe",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubts_have_the_contracts_names() {
        let names = Doubt::ALL.map(Doubt::name);
        let own = ["missing", "frozen", "fallen", "contradicted", "inherited"];
        assert_eq!((&names[..5], names[5]), (&own[..], "probe"));
    }
}
