//! What real bad cards do, as plain data and pure functions: any call answers anything, setters
//! quantise, ignore or forget, sensors lag, stick or jump, and cards tell nonsense of themselves.
//!
//! Both simulators stand on it: the cards in process ([`super::sim`]) and the simulated
//! `libnvidia-ml.so.1`, which keeps these very structs in the file its processes map. So all of them
//! are numbers at fixed places, for which any bits are a value; there is no `bool` and no `Option`.
//! Nothing here knows what time it is or what is true of a card: both are arguments.

mod answers;
mod call;
mod sensor;
mod setter;
mod told;

pub use answers::{Answer, Answers, Entry, Said};
pub use call::{Bound, Call};
pub use sensor::{Sense, Sensor, noise};
pub use setter::{Pending, Setter};
pub use told::{Given, Told};

/// Answers kept for a card, and for the machine.
pub const CARD_ANSWERS: usize = 24;
pub const MACHINE_ANSWERS: usize = 16;

/// NVML's codes that a faulty setter gives by itself.
pub const INVALID_ARGUMENT: u32 = 2;
pub const NOT_SUPPORTED: u32 = 3;

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

/// The low 32 bits of a number: what fits into NVML's `unsigned int`, whatever was meant.
pub fn bits(number: i64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or_default()
}

/// A temperature as NVML's layer reads it out of an `unsigned int`: 4294967295 is −1.
pub fn degrees(number: i64) -> f64 {
    f64::from(bits(number).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Celsius;

    #[test]
    fn a_raw_number_is_read_as_the_driver_layer_does() {
        assert_eq!([bits(-1), bits(1 << 33), bits(92)], [u32::MAX, 0, 92]);
        let read = [4_294_967_295, -20].map(degrees).map(Celsius::new);
        assert_eq!(read, [-1.0, -20.0].map(Celsius::new));
    }

    #[test]
    fn a_stuck_bit_is_told_whatever_is_true() {
        let stuck = StuckEvents { on: 0x40, off: 0x4 };
        assert_eq!([stuck.told(0x5), stuck.told(0x40)], [0x41, 0x40]);
    }
}
