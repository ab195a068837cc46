//! The imperative shell around the policy: one control loop per GPU, a supervisor that finds the
//! GPUs, the applications' notifier, and the state they share with the web.

pub mod actuate;
pub mod apps;
pub mod clock;
mod domain;
pub mod envfile;
pub mod events;
pub mod evidence;
pub mod feed;
pub mod hang;
pub mod history;
pub mod inherit;
pub mod journal;
pub mod lock;
pub mod memory;
mod post;
pub mod preflight;
pub mod probe;
pub mod pulse;
pub(crate) mod replace;
pub mod roll;
pub(crate) mod secret;
pub mod shared;
pub mod supervisor;
pub mod tally;
pub mod tick;
mod unread;
pub mod virtual_node;
pub mod worker;

#[cfg(test)]
mod tests;

pub use apps::Apps;
pub use clock::Clock;
pub use events::Events;
pub use shared::{Live, Shared, Station};
pub use supervisor::{Guard, Plan};
pub use tick::{Permission, Tick};
