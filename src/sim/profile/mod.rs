//! The simulated cards: what one is ([`model`], [`thermal`], [`sensing`], [`curve`]) and which there
//! are: [`measured`] ones have a recording behind them, the other [`cards`] have none.

pub mod cards;
pub mod curve;
pub mod measured;
pub mod model;
pub mod sensing;
pub mod thermal;

pub use cards::{
    A100_40GB, A100_80GB, ALL, GB10, H200, KNOWN, L40S, RTX_3090, RTX_4090, RTX_5090_LAPTOP,
    WITHOUT_LIMIT, named,
};
pub use curve::Curve;
pub use measured::{
    GTX_1080_TI, H100, H100_COOL, MEASURED, RTX_2080, RTX_4000_ADA, RTX_6000_ADA, V100_32GB,
};
pub use model::{Hbm, LOWEST_CLOCK, LimitOffer, Profile};
pub use sensing::{PowerReading, Sensing};
pub use thermal::{Airflow, Control, Reach, Thermal};
