//! A card's resistances, from the changes of its draw: draws smoothed over fixed lags, a window's
//! equations, and their solution.

mod fit;
mod lags;
mod solve;
mod window;

pub(super) use fit::Fit;
pub(super) use lags::{LAGS, Lags, Step};
pub(super) use window::{Air, TARGETS, Window};
