//! The result of a judgement: how hot a card is, and how well that is known.

use crate::units::Watts;

use super::extra_sensor;
use super::extra_sensor::ExtraSensor;
use super::sensor::{BySensor, Doubt, Sensor, SensorReport};
use super::trips::Heat;

/// What the guard knows of the temperature on a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// Neither the card nor an extra sensor has ever offered a temperature.
    Never,
    Clear(Heat),
    /// A single read failed, which is normal: change nothing.
    Blink,
    /// A necessary sensor can't be read or isn't trusted. The readings of the others may only add
    /// protection.
    Blind(Option<Heat>),
}

/// How hot a card is, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    pub view: View,
    /// Why not all sensors are trusted.
    pub doubt: Option<Doubt>,
    /// The doubted sensor, if it is a single one.
    pub doubted: Option<Sensor>,
    pub sensors: BySensor<SensorReport>,
    /// A sensor that counts may be frozen, whatever else is doubted.
    pub unsure: bool,
    /// The draw, now or a moment ago.
    pub draw: Option<Watts>,
}

impl Judgement {
    /// All necessary sensors can be read, and the card is cool enough to give everything back.
    pub fn is_cool(&self) -> bool {
        let sure = !matches!(self.doubt, Some(Doubt::Contradicted | Doubt::Frozen));
        let sure = sure && !self.unsure;
        matches!(self.view, View::Clear(heat) if heat.is_safe()) && sure
    }

    /// A sensor that still counts may be frozen: nothing may be raised on it.
    pub fn forbids_raises(&self) -> bool {
        let unsure = self.unsure || self.doubt == Some(Doubt::Frozen);
        matches!(self.view, View::Clear(_)) && unsure
    }
}

impl View {
    /// The worst of the card's own sensors and the extra ones.
    pub(super) fn joined(self, extra_sensors: &[ExtraSensor]) -> Self {
        match self {
            Self::Clear(heat) => {
                Self::Clear(extra_sensor::worst(Some(heat), extra_sensors).unwrap_or(heat))
            }
            Self::Blind(heat) => Self::Blind(extra_sensor::worst(heat, extra_sensors)),
            Self::Never | Self::Blink => self,
        }
    }
}
