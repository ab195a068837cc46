//! Finds the GPUs, gives each a worker thread, waits for Xid events, and ends everything in order.

mod guard;
mod plan;
mod scan;
mod spawn;
mod xids;

pub use guard::Guard;
pub use plan::Plan;
