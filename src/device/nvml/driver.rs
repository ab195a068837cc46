//! Loads the library, shares it among those who hold GPUs, and lets it go after the last of them.

use std::collections::BTreeMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;
use tracing::warn;

use crate::device::nvml_raw::Card;
use crate::device::{Driver, DriverError, EventSource, Gpu, Identity, NvmlCode, Uuid};

use super::codes::{Failure, Fault, classify, driver_error};
use super::events::XidEvents;
use super::facts;
use super::gpu::NvmlGpu;

/// NVIDIA's driver, through its library.
///
/// Holds nothing open itself: only open GPUs and event sources do.
#[derive(Debug)]
pub struct NvmlDriver {
    /// `None`: [`SONAME`], found by the system's loader.
    library: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    instance: Weak<Nvml>,
    /// The library lacks what nvml-wrapper can't do without. Not loaded a second time: it can't be
    /// unloaded again.
    is_incomplete: bool,
    /// GPUs that aren't in the inventory, by index, as last said in the log.
    left_out: BTreeMap<u32, LeftOut>,
}

/// Why a GPU that the driver counts isn't in the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LeftOut {
    Failed(Failure),
    /// Another one has the same UUID, by which this one can't be told from it.
    Twin {
        uuid: Uuid,
        pci_bus_id: String,
        first: String,
    },
}

/// The library's name as drivers install it; nvml-wrapper's default on Linux.
const SONAME: &str = "libnvidia-ml.so.1";

/// What to do about a library that can't be loaded.
const REMEDY: &str = "install the NVIDIA driver on this node (in a container: run it with the \
                      NVIDIA container runtime), or name the library with --nvml.library";

impl NvmlDriver {
    /// `library` is the path of the NVML library, for where the system's loader doesn't find it.
    /// Nothing is loaded yet: a node may get its driver later.
    pub fn new(library: Option<PathBuf>) -> Self {
        Self {
            library,
            state: Mutex::default(),
        }
    }

    /// The instance in use, or a new one if there is none or its driver is gone from under it.
    ///
    /// NVML counts initialisations and may do nothing on all but the first. So a driver that went
    /// and came back can be used again only when everyone has dropped what they held of the old
    /// one; until then, opening fails with [`DriverError::DriverNotLoaded`].
    ///
    /// Locked throughout: while one thread hangs in here, others wait rather than call into a
    /// driver that hangs.
    fn nvml(&self) -> Result<Arc<Nvml>, DriverError> {
        let mut state = self.state();
        if let Some(nvml) = state.instance.upgrade().filter(|nvml| is_usable(nvml)) {
            return Ok(nvml);
        }
        let library = self.library.as_deref();
        if state.is_incomplete {
            return Err(incomplete(library));
        }
        let nvml = initialise(library)?;
        let lib = nvml.lib();
        if lib.nvmlShutdown.is_err() || lib.nvmlEventSetFree.is_err() {
            // Dropping what such a library can't free, nvml-wrapper panics. Left loaded instead.
            mem::forget(nvml);
            state.is_incomplete = true;
            return Err(incomplete(library));
        }
        let nvml = Arc::new(nvml);
        state.instance = Arc::downgrade(&nvml);
        Ok(nvml)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can be left half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says of GPUs that are left out that they are, when that changes.
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
            Self::Failed(Failure { call, code, .. }) => {
                let code = NvmlCode(*code);
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

    fn count(&self) -> Result<usize, DriverError> {
        let count = count(&*self.nvml()?)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let nvml = self.nvml()?;
        let card = Card::by_uuid(&nvml, uuid.as_str()).map_err(|error| match error {
            NvmlError::NotFound | NvmlError::InvalidArg => DriverError::NoSuchGpu(uuid.clone()),
            other => driver_error("nvmlDeviceGetHandleByUUID", other),
        })?;
        let index = index(&nvml, &card, uuid)?;
        Ok(Box::new(NvmlGpu::open(card, index)?))
    }

    fn events(&self) -> Result<Option<Box<dyn EventSource>>, DriverError> {
        let nvml = self.nvml()?;
        let events = XidEvents::register(&nvml, count(&nvml)?)?;
        Ok(events.map(|events| Box::new(events) as Box<dyn EventSource>))
    }
}

fn listed(nvml: &Arc<Nvml>, index: u32) -> Result<Identity, Failure> {
    let card = Card::by_index(nvml, index)
        .map_err(|error| Failure::new("nvmlDeviceGetHandleByIndex_v2", error))?;
    facts::identity(&card, index)
}

/// The card's own word, or where it is found among all.
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

/// Asks the instance something cheap. One lost GPU doesn't make it unusable; a lost driver does.
fn is_usable(nvml: &Nvml) -> bool {
    match nvml.device_count() {
        Ok(_) => true,
        Err(error) => !matches!(classify(error), Fault::Lost(_)),
    }
}

fn initialise(library: Option<&Path>) -> Result<Nvml, DriverError> {
    let mut builder = Nvml::builder();
    if let Some(path) = library {
        builder.lib_path(path.as_os_str());
    }
    builder.init().map_err(|error| init_error(library, error))
}

fn init_error(library: Option<&Path>, error: NvmlError) -> DriverError {
    match error {
        // Names the file itself.
        NvmlError::LibloadingError(error) => {
            DriverError::LibraryMissing(format!("{error}; {REMEDY}"))
        }
        NvmlError::LibraryNotFound => {
            DriverError::LibraryMissing(format!("{}: {error}; {REMEDY}", name(library)))
        }
        NvmlError::FailedToLoadSymbol(_) => incomplete(library),
        other => driver_error("nvmlInit_v2", other),
    }
}

/// The error for a library that isn't NVML, or not all of it.
fn incomplete(library: Option<&Path>) -> DriverError {
    let name = name(library);
    DriverError::LibraryMissing(format!(
        "{name} is not a complete NVML library; check --nvml.library"
    ))
}

fn name(library: Option<&Path>) -> String {
    library.map_or_else(|| SONAME.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_a_remedy() {
        let driver = NvmlDriver::new(Some(PathBuf::from("/nonexistent/libnvidia-ml.so.1")));
        let Err(DriverError::LibraryMissing(text)) = driver.inventory() else {
            panic!("no such file")
        };
        assert!(text.contains("/nonexistent/libnvidia-ml.so.1"), "{text}");
        assert!(text.contains("--nvml.library"), "{text}");
    }

    #[test]
    fn a_library_that_is_not_nvml_is_refused() {
        // Every Linux process has this one; it has no nvmlInit_v2.
        let driver = NvmlDriver::new(Some(PathBuf::from("libc.so.6")));
        let Err(DriverError::LibraryMissing(text)) = driver.inventory() else {
            panic!("libc is not NVML")
        };
        assert!(text.contains("libc.so.6 is not a complete NVML"), "{text}");
    }
}
