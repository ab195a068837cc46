//! What a GPU can be told, as a table: one row for each knob.

use std::ops::{Index, IndexMut};

/// A setting of the card that slows it down and can be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    PowerLimit,
    /// The SM clock lock.
    GpuClock,
    MemoryClock,
}

impl Knob {
    pub const ALL: [Self; 3] = [Self::PowerLimit, Self::GpuClock, Self::MemoryClock];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerLimit => "power_limit",
            Self::GpuClock => "gpu_clock",
            Self::MemoryClock => "memory_clock",
        }
    }
}

/// One value for each knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ByKnob<T>([T; Knob::ALL.len()]);

impl<T> ByKnob<T> {
    pub fn of(value: impl FnMut(Knob) -> T) -> Self {
        Self(Knob::ALL.map(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (Knob, &T)> {
        Knob::ALL.into_iter().zip(&self.0)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Knob, &mut T)> {
        Knob::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> Index<Knob> for ByKnob<T> {
    type Output = T;

    fn index(&self, knob: Knob) -> &T {
        &self.0[knob as usize]
    }
}

impl<T> IndexMut<Knob> for ByKnob<T> {
    fn index_mut(&mut self, knob: Knob) -> &mut T {
        &mut self.0[knob as usize]
    }
}
