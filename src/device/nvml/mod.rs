//! GPUs through NVML, `libnvidia-ml.so.1`, as NVIDIA's driver installs it.
//!
//! ```text
//! library  which library: the named one, the loader's, or one in a known place
//! driver   shares it, lists and opens GPUs
//! facts    what an open card says of itself: identity, thresholds, clocks
//! power    the range of its limit, which may change, and its workload profiles
//! ledger   both asked until they are told
//! gpu      what it says every tick, and what it can be told
//! slow     the readings that cost milliseconds
//! xid      Xid errors, for a thread of their own
//! unsupported  which calls this card never offered: left alone after repeated refusals
//! reasons  its bit mask of clock event reasons, in our words
//! codes    what each return code means to the guard, and to people
//! ```
//!
//! Every open GPU and every event set keeps the library loaded. When the last of them is dropped,
//! NVML is shut down and unloaded, so that an administrator can reset a GPU or replace the driver
//! under a running guard. All calls block and take no deadline. That is why each GPU has a thread
//! of its own.

mod codes;
mod driver;
mod facts;
mod gpu;
mod ledger;
mod library;
mod power;
mod raw;
mod reasons;
mod slow;
mod unsupported;
mod xid;

pub use codes::code;
pub(crate) use codes::{missing, refusal, unusable};
pub use driver::{NvmlDriver, no_such_gpu};
pub(crate) use gpu::believed;
pub(crate) use power::profile_name;
pub use reasons::{reasons_mask, slowdown_reasons};

/// Whether a text is `GPU-` and something. A MIG instance is no GPU: it has no temperature and no
/// power limit of its own.
pub(crate) fn is_gpu_uuid(text: &str) -> bool {
    let (prefix, rest) = text.split_at_checked(4).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    prefix.eq_ignore_ascii_case("GPU-") && (1..=64).contains(&rest.len()) && rest.chars().all(plain)
}
