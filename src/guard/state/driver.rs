//! What the supervisor last learned of the driver, and who holds it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::device::DriverError;

/// What the supervisor last learned of the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverStatus {
    pub up: bool,
    /// The inventory was read at least once.
    pub ready: bool,
    pub error: Option<DriverError>,
    pub initializations: u64,
    /// GPUs that should be under guard: what the driver counts or, if that is more, what the
    /// configuration lists.
    pub expected: usize,
}

/// Counts those other than workers who may hold the driver.
#[derive(Clone, Debug)]
pub(super) struct Holdings(Arc<watch::Sender<usize>>);

/// Held while the driver may be in use; see [`super::Shared::hold_driver`].
pub struct Holding(Holdings);

impl Default for Holdings {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Holdings {
    pub(super) fn begin(&self) -> Holding {
        self.0.send_modify(|held| *held += 1);
        Holding(self.clone())
    }

    pub(super) fn any(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Resolves once there is none.
    pub(super) async fn end(&self) {
        let mut holdings = self.0.subscribe();
        // Never an error: `self` is the sender.
        let _ = holdings.wait_for(|held| *held == 0).await;
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.0.send_modify(|held| *held -= 1);
    }
}
