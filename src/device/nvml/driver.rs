//! Loads the library, shares it among the open GPUs, and unloads it after the last of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use tracing::{info, warn};

use crate::device::{CriticalErrors, Driver, DriverError, Gpu, Identity, Uuid};

use super::codes::{Failure, Fault, classify, code, driver_error};
use super::facts;
use super::gpu::NvmlGpu;
use super::library::{Libraries, Origin};
use super::raw::Card;
use super::xid::XidEvents;

/// NVIDIA's driver, through its library.
///
/// It keeps nothing open itself: only open GPUs and event sets do.
#[derive(Debug)]
pub struct NvmlDriver {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    libraries: Libraries,
    instance: Weak<Nvml>,
    /// Where the library was found that was last in use.
    origin: Option<Origin>,
    /// GPUs that aren't in the inventory, by index, as the log last reported them.
    left_out: BTreeMap<u32, LeftOut>,
}

/// Why a GPU that the driver counts isn't in the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LeftOut {
    Failed(Failure),
    /// Another GPU has the same UUID, so the two can't be distinguished.
    Twin {
        uuid: Uuid,
        pci_bus_id: String,
        first: String,
    },
}

impl NvmlDriver {
    /// `library`: the path of the NVML library; `None`: it is searched. This loads nothing yet: a
    /// node may get its driver later.
    pub fn new(library: Option<PathBuf>) -> Self {
        Self {
            state: Mutex::new(State {
                libraries: Libraries::new(library),
                instance: Weak::new(),
                origin: None,
                left_out: BTreeMap::new(),
            }),
        }
    }

    /// The instance in use, or a new one if there is none or its driver is gone.
    ///
    /// NVML counts initialisations and may do nothing on all but the first. So after a driver was
    /// unloaded and loaded again, it can be used only when every handle of the old one is dropped.
    /// Until then, opening fails with [`DriverError::DriverNotLoaded`].
    ///
    /// The state stays locked during the call. If one thread hangs here, the others wait instead of
    /// calling into a hung driver.
    fn nvml(&self) -> Result<Arc<Nvml>, DriverError> {
        let mut state = self.state();
        if let Some(nvml) = state.instance.upgrade().filter(|nvml| is_usable(nvml)) {
            return Ok(nvml);
        }
        let (nvml, origin) = state.libraries.load()?;
        if state.origin.as_ref() != Some(&origin) {
            info!(library = %origin, "NVML library loaded");
            state.origin = Some(origin);
        }
        let nvml = Arc::new(nvml);
        state.instance = Arc::downgrade(&nvml);
        Ok(nvml)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic can't leave this state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs which GPUs are left out, when that changes.
    fn report(&self, left_out: BTreeMap<u32, LeftOut>) {
        let mut state = self.state();
        for (index, why) in &left_out {
            if state.left_out.get(index) != Some(why) {
                why.report(*index);
            }
        }
        state.left_out = left_out;
    }
}

impl LeftOut {
    fn report(&self, index: u32) {
        match self {
            Self::Failed(Failure { call, number, .. }) => {
                let code = code(*number);
                let (meaning, remedy) =
                    (code.meaning().unwrap_or("no more is known"), code.remedy());
                warn!(gpu = index, call, error = %code, meaning, remedy, "GPU left out of the inventory: it isn't guarded");
            }
            Self::Twin {
                uuid,
                pci_bus_id,
                first,
            } => {
                warn!(gpu = index, %uuid, pci_bus_id, first, "GPU left out of the inventory: it has the UUID of the one at `first`, and isn't guarded");
            }
        }
    }
}

impl Driver for NvmlDriver {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        let nvml = self.nvml()?;
        let mut identities: Vec<Arc<Identity>> = Vec::new();
        let mut left_out = BTreeMap::new();
        for index in 0..count(&nvml)? {
            let identity = match listed(&nvml, index) {
                Ok(identity) => identity,
                // Without the driver, no other GPU will answer either.
                Err(failure) if failure.is_of_driver() => return Err(failure.into()),
                Err(failure) => {
                    left_out.insert(index, LeftOut::Failed(failure));
                    continue;
                }
            };
            match identities.iter().find(|it| it.uuid == identity.uuid) {
                None => identities.push(Arc::new(identity)),
                Some(first) => {
                    let twin = LeftOut::Twin {
                        uuid: identity.uuid,
                        pci_bus_id: identity.pci_bus_id,
                        first: first.pci_bus_id.clone(),
                    };
                    left_out.insert(index, twin);
                }
            }
        }
        self.report(left_out);
        Ok(identities)
    }

    fn library(&self) -> Option<String> {
        let state = self.state();
        state.origin.as_ref().map(ToString::to_string)
    }

    fn count(&self) -> Result<usize, DriverError> {
        let count = count(&*self.nvml()?)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let nvml = self.nvml()?;
        let card = Card::by_uuid(&nvml, uuid.as_str()).map_err(|error| match error {
            NvmlError::NotFound | NvmlError::InvalidArg => no_such_gpu(uuid),
            other => driver_error("nvmlDeviceGetHandleByUUID", other),
        })?;
        let index = index(&nvml, &card, uuid)?;
        Ok(Box::new(NvmlGpu::open(card, index)?))
    }

    fn critical_errors(&self) -> Result<Option<Box<dyn CriticalErrors>>, DriverError> {
        let nvml = self.nvml()?;
        let events = XidEvents::register(&nvml, count(&nvml)?)?;
        Ok(events.map(|events| Box::new(events) as Box<dyn CriticalErrors>))
    }
}

fn listed(nvml: &Arc<Nvml>, index: u32) -> Result<Identity, Failure> {
    let card = Card::by_index(nvml, index)
        .map_err(|error| Failure::new("nvmlDeviceGetHandleByIndex_v2", error))?;
    facts::identity(&card, index)
}

/// The index that the card reports, or else its position among all cards.
fn index(nvml: &Arc<Nvml>, card: &Card, uuid: &Uuid) -> Result<u32, DriverError> {
    let error = match card.device().index() {
        Ok(index) => return Ok(index),
        Err(error) => driver_error("nvmlDeviceGetIndex", error),
    };
    let is_it = |index: &u32| {
        let there = Card::by_index(nvml, *index).and_then(|card| card.device().uuid());
        there.is_ok_and(|there| there == uuid.as_str())
    };
    match error {
        DriverError::Call { .. } => (0..count(nvml)?).find(is_it).ok_or(error),
        gone => Err(gone),
    }
}

fn count(nvml: &Nvml) -> Result<u32, DriverError> {
    nvml.device_count()
        .map_err(|error| driver_error("nvmlDeviceGetCount_v2", error))
}

/// Makes a cheap call. A lost GPU doesn't make the instance unusable; a lost driver does.
fn is_usable(nvml: &Nvml) -> bool {
    match nvml.device_count() {
        Ok(_) => true,
        Err(error) => !matches!(classify(error), Fault::Lost(_)),
    }
}

/// Also for the simulated driver.
pub fn no_such_gpu(uuid: &Uuid) -> DriverError {
    DriverError::NoSuchGpu {
        uuid: uuid.clone(),
        code: code(6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_a_remedy() {
        let driver = NvmlDriver::new(Some(PathBuf::from("/nonexistent/libnvidia-ml.so.1")));
        let Err(DriverError::LibraryMissing { problem: text, .. }) = driver.inventory() else {
            panic!("no such file")
        };
        assert!(text.contains("/nonexistent/libnvidia-ml.so.1"), "{text}");
        assert!(text.contains("--nvml.library"), "{text}");
    }

    #[test]
    fn a_library_that_is_not_nvml_is_refused() {
        // Every Linux process has this one; it has no nvmlInit_v2.
        let driver = NvmlDriver::new(Some(PathBuf::from("libc.so.6")));
        let Err(DriverError::LibraryMissing { problem: text, .. }) = driver.inventory() else {
            panic!("libc is not NVML")
        };
        assert!(text.contains("libc.so.6 is not a complete NVML"), "{text}");
    }
}
