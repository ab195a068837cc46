//! One place where an application is told its mode. A task makes the app follow the latest order,
//! however long that takes, and keeps it following. There is one task per place, across reloads: an
//! order may change the app's name, its words and its token, never the place.

mod attempt;
mod handle;
mod health;
mod known;
mod progress;
mod task;

pub(crate) use handle::{Forerunner, Handle, Order};
pub(crate) use task::{Begin, channel};
