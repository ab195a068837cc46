//! All that can be wrong with one card.

use super::answers::Answers;
use super::sensor::Sensor;
use super::setter::Setter;
use super::told::Told;

/// A fault of a card as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Off the bus.
    Lost,
    /// Temperature reads fail.
    NoTemperature,
    /// The core sensor repeats its last temperature for ever.
    FrozenTemperature,
    NoPermission,
}

/// Answers kept for a card.
pub const CARD_ANSWERS: usize = 24;

/// All that can be wrong with one card, in addition to a fault of the whole card. Everything
/// composes with everything.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CardFaults {
    pub answers: Answers<CARD_ANSWERS>,
    /// Numbers are milliwatts.
    pub power_limit: Setter,
    /// Numbers of both locks are megahertz, and those of both ends.
    pub gpu_clock: Setter,
    pub memory_clock: Setter,
    /// °C, and watts of the draw.
    pub core: Sensor,
    pub memory: Sensor,
    pub margin: Sensor,
    pub draw: Sensor,
    pub told: Told,
    pub events: StuckEvents,
}

impl CardFaults {
    pub const NONE: Self = Self {
        answers: Answers::NONE,
        power_limit: Setter::NONE,
        gpu_clock: Setter::NONE,
        memory_clock: Setter::NONE,
        core: Sensor::NONE,
        memory: Sensor::NONE,
        margin: Sensor::NONE,
        draw: Sensor::NONE,
        told: Told::NOTHING,
        events: StuckEvents::NONE,
    };

    /// The sensors, in the order of a card's senses.
    pub const fn sensors(&self) -> [&Sensor; 4] {
        [&self.core, &self.memory, &self.margin, &self.draw]
    }
}

impl Default for CardFaults {
    fn default() -> Self {
        Self::NONE
    }
}

/// Bits of the clock event reasons that say what isn't so. The counters of the reasons don't lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct StuckEvents {
    pub on: u64,
    pub off: u64,
}

impl StuckEvents {
    pub const NONE: Self = Self { on: 0, off: 0 };

    pub const fn told(self, truth: u64) -> u64 {
        (truth | self.on) & !self.off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_bit_is_reported_whatever_the_truth() {
        let stuck = StuckEvents { on: 0x40, off: 0x4 };
        assert_eq!([stuck.told(0x5), stuck.told(0x40)], [0x41, 0x40]);
    }
}
