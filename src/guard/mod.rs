//! The imperative shell around the policy: one control loop per GPU, a supervisor that finds the
//! GPUs, and the state they share with the web.

pub mod actuate;
pub mod clock;
pub mod inherit;
pub mod journal;
pub mod lock;
pub mod shared;
pub mod supervisor;
pub mod tally;
pub mod tick;
pub mod worker;

pub use clock::Clock;
pub use shared::{Shared, Station};
pub use supervisor::{Guard, Plan};
pub use tick::{Permission, Tick};
