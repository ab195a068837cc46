//! The power side of a card: its draw, clock and limit.

use crate::units::{Megahertz, Ratio, Watts};

/// A limit holds a card back if its draw reaches at least this share of it.
pub const BINDS: Ratio = Ratio::new(0.95);

/// The power side of the card, as read on this tick.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    /// The draw. If it can't be read, the highest that the limit allows.
    pub draw: Option<Watts>,
    /// The draw, only if it is read.
    pub measured: Option<Watts>,
    /// The driver says that the power limit holds the clock back. It knows of gaps too short to be read.
    pub capped: bool,
    pub clock: Option<Megahertz>,
    /// The highest limit that the guard may set.
    pub original: Watts,
    /// The limit on the card. `None`: it is unknown, or nothing is written.
    pub limit: Option<Watts>,
    /// The upper end of the guard's SM clock lock on the card.
    pub ceiling: Option<Megahertz>,
}
