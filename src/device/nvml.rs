//! GPUs through NVML, `libnvidia-ml.so.1`, as NVIDIA's driver installs it.
//!
//! ```text
//! driver   loads and shares the library, lists and opens GPUs
//! facts    what an open card says of itself: identity, thresholds, clocks
//! power    and the range of its limit, which may change
//! ledger   both asked until they are told
//! gpu      what it says every tick, and what it can be told
//! slow     the readings that cost milliseconds
//! events   Xid errors, for a thread of their own
//! probe    which calls this card never offered: left alone after repeated refusals
//! codes    what each return code means to the guard
//! names    and to people
//! ```
//!
//! Every GPU and event source holds the library open; when the last of them is dropped, NVML is
//! shut down and unloaded, so that a GPU can be reset and a driver replaced under a running guard.
//! All calls block and take no deadline: each GPU has a thread of its own for that reason.

mod codes;
mod driver;
mod events;
mod facts;
mod gpu;
mod ledger;
mod names;
mod power;
mod probe;
mod slow;

pub(super) use codes::{missing, refusal, unusable};
pub use driver::NvmlDriver;
pub(super) use gpu::believed;
pub use names::NvmlCode;
