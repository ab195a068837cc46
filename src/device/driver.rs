//! The driver of a node's GPUs.

use std::sync::Arc;
use std::time::Duration;

use super::error::DriverError;
use super::facts::{Identity, Uuid};
use super::gpu::Gpu;

/// The driver of the node's GPUs. The workers share it. Every method may block.
pub trait Driver: Send + Sync {
    /// All GPUs of the node. Initialises the library, again if it was shut down.
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError>;

    /// How many GPUs the driver counts, including those that it can't list.
    fn count(&self) -> Result<usize, DriverError> {
        self.inventory().map(|gpus| gpus.len())
    }

    /// Where the vendor's library in use was found, for people.
    fn library(&self) -> Option<String> {
        None
    }

    /// Opens one GPU and reads its facts. It leaves out a fact that can't be read for now. It fails
    /// only if the card or the driver is gone, or if the driver doesn't know the UUID.
    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError>;

    /// The critical errors of all GPUs, to be waited for on a thread of its own. `None`: not
    /// supported.
    fn critical_errors(&self) -> Result<Option<Box<dyn CriticalErrors>>, DriverError> {
        Ok(None)
    }
}

/// A blocking source of critical errors.
pub trait CriticalErrors: Send {
    /// The next error, or `None` if `timeout` passed without one.
    fn wait(&mut self, timeout: Duration) -> Result<Option<CriticalError>, DriverError>;
}

/// A critical error of one GPU, as the driver reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriticalError {
    pub uuid: Uuid,
    /// The vendor's number: NVIDIA's Xid.
    pub code: u64,
}
