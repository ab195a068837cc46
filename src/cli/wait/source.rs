//! What a source tells: how hot each wanted GPU is.

use crate::units::Celsius;

/// How hot one GPU is.
#[derive(Clone, Debug)]
pub(super) struct GpuHeat {
    /// Empty: a GPU that the driver counts and can't name.
    pub(super) uuid: String,
    pub(super) index: Option<u32>,
    pub(super) core: Option<Celsius>,
    /// Degrees left to the bound, or why they aren't known.
    pub(super) left: Result<Celsius, String>,
}

impl GpuHeat {
    /// GPUs that should be there and have no name.
    pub(super) const fn unnamed(why: String) -> Self {
        Self {
            uuid: String::new(),
            index: None,
            core: None,
            left: Err(why),
        }
    }
}

/// Tells the temperatures of the wanted GPUs.
pub(super) trait Source: Send {
    /// May block as long as a driver does.
    fn look(&mut self) -> anyhow::Result<Vec<GpuHeat>>;

    /// What it is, for people.
    fn asked(&self) -> String;
}
