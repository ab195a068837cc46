//! Which NVML library is loaded: where it may lie (`places`), whom it must belong to (`owner`), and
//! the search itself (`search`).

mod mapped;
mod origin;
mod owner;
mod places;
mod search;

pub(crate) use origin::Origin;
pub(crate) use search::Libraries;
