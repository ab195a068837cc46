//! How well a card is cooled: its thermal resistance to the air, how that compares with before and
//! with its neighbours, how much power it can draw for good, and what a throttle cost.
//!
//! Nothing here decides anything about the card: a wrong estimate costs no protection.
//!
//! ```text
//!  draw, fans ─► lags ─┐
//!                      ├─► window ─► solve ─► fit ─► history ─► health: resistance, ratio, verdict
//!  temperature, air ───┘                       └──► sustainable watts, receipt
//! ```

mod card;
mod choice;
mod fitting;
mod health;
mod history;
mod picture;
mod receipt;
mod sustainable;

pub use card::{Cooling, median_ratio};
pub use health::{Health, Remembered, Seen};
pub use history::{Kept, Than};
pub use receipt::{Hold, Ledger, Receipt, Turn, Unguarded, Work};
