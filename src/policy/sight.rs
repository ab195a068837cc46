//! Whether the guard can see: a GPU that stops telling its temperature is assumed to get hot.

use super::zone::Heat;

/// Ticks without a reading before the guard calls itself blind. One failed read is noise.
const BLIND_AFTER: u32 = 3;

/// Good readings in a row before it trusts its eyes again.
const SIGHTED_AFTER: u32 = 10;

/// What the guard sees on this tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// The card never offered a temperature: it is exported, not actuated.
    Never,
    Clear(Heat),
    /// A read failed, which happens: hold still.
    Blink,
    /// No trustworthy reading.
    Blind,
}

/// The run of good and bad readings.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    ever: bool,
    missed: u32,
    good: u32,
    blind: bool,
}

impl Sight {
    /// A guard before this one has seen: from now on, nothing is blindness.
    pub fn inherit(&mut self) {
        self.ever = true;
    }

    /// `woken`: out of turn. Such a look is believed, but adds to no run: however often leases wake
    /// the guard, a run takes its time.
    pub fn look(&mut self, heat: Option<Heat>, woken: bool) -> View {
        let counts = u32::from(!woken);
        match heat {
            Some(heat) => self.see(heat, counts),
            None if !self.ever => View::Never,
            None => self.miss(counts),
        }
    }

    fn see(&mut self, heat: Heat, counts: u32) -> View {
        self.ever = true;
        self.missed = 0;
        self.good = self.good.saturating_add(counts);
        if self.blind && self.good < SIGHTED_AFTER {
            return View::Blind;
        }
        self.blind = false;
        View::Clear(heat)
    }

    fn miss(&mut self, counts: u32) -> View {
        self.good = 0;
        self.missed = self.missed.saturating_add(counts);
        self.blind |= self.missed >= BLIND_AFTER;
        if self.blind { View::Blind } else { View::Blink }
    }
}

#[cfg(test)]
mod tests;
