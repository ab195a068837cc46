//! How much power to take from a hot GPU. There are two regulators, the [`governor`] and the
//! [`ladder`], behind one [`regulator`]. The governor turns a [`dial`]: the power [`limit`], or the
//! ceiling of the SM [`clock`]. The [`observer`] predicts the temperature; the [`rungs`] are fixed sets
//! of targets; [`drive`] is the power side of the card.

pub mod clock;
pub mod dial;
pub mod drive;
pub mod governor;
pub mod ladder;
pub mod limit;
pub mod observer;
pub mod regulator;
pub mod rungs;
mod seen;
mod steps;
