//! Physical quantities and points in time. The only place that converts between a driver's integers,
//! the policy's arithmetic and Prometheus's base units.

mod frequency;
#[cfg(test)]
pub(crate) mod number;
mod power;
mod ratio;
mod temperature;
mod time;

pub use frequency::Megahertz;
pub use power::Watts;
pub use ratio::{PerSecond, Ratio};
pub use temperature::{Celsius, CelsiusDelta, CelsiusPerSecond};
pub use time::Moment;
