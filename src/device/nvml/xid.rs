//! Xid errors of all GPUs of the node.

use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::event::EventTypes;
use nvml_wrapper::error::NvmlError;

use crate::device::{CriticalError, CriticalErrors, DriverError, Uuid};

use super::codes::{Fault, classify, driver_error};
use super::raw::{Card, EventSet, Handle};

/// A queue for the critical errors of every GPU that can report them.
#[derive(Debug)]
pub(crate) struct XidEvents {
    set: EventSet,
    /// The UUIDs of the registered cards. A card that fell off the bus may no longer give its UUID,
    /// and falling off the bus is an Xid.
    uuids: Vec<(Handle, Uuid)>,
}

impl XidEvents {
    /// `None`: no GPU can report errors, or there is no GPU.
    pub(crate) fn register(nvml: &Arc<Nvml>, count: u32) -> Result<Option<Self>, DriverError> {
        let lib = nvml.lib();
        if lib.nvmlEventSetWait_v2.is_err() || lib.nvmlEventSetFree.is_err() {
            return Ok(None);
        }
        let set = match EventSet::create(nvml) {
            Ok(set) => set,
            Err(error) => return none_if_unsupported("nvmlEventSetCreate", error),
        };
        let mut events = Self {
            set,
            uuids: Vec::new(),
        };
        let mut failure = None;
        for index in 0..count {
            if let Err(error) = events.add(nvml, index) {
                failure = Some(error);
            }
        }
        match failure {
            Some(error) if events.uuids.is_empty() => {
                none_if_unsupported("nvmlDeviceRegisterEvents", error)
            }
            _ => Ok(Some(events).filter(|events| !events.uuids.is_empty())),
        }
    }

    fn add(&mut self, nvml: &Arc<Nvml>, index: u32) -> Result<(), NvmlError> {
        let card = Card::by_index(nvml, index)?;
        let uuid = Uuid::new(&card.device().uuid()?);
        self.set
            .register(&card, EventTypes::CRITICAL_XID_ERROR.bits())?;
        self.uuids.push((card.handle(), uuid));
        Ok(())
    }

    fn uuid_of(&self, handle: Handle) -> Result<Uuid, NvmlError> {
        let known = self.uuids.iter().find(|(card, _)| *card == handle);
        match known {
            Some((_, uuid)) => Ok(uuid.clone()),
            None => Ok(Uuid::new(&self.set.uuid_of(handle)?)),
        }
    }
}

fn none_if_unsupported<T>(call: &'static str, error: NvmlError) -> Result<Option<T>, DriverError> {
    match classify(error) {
        Fault::Unsupported => Ok(None),
        fault => Err(fault.of(call)),
    }
}

impl CriticalErrors for XidEvents {
    fn wait(&mut self, timeout: Duration) -> Result<Option<CriticalError>, DriverError> {
        const CALL: &str = "nvmlEventSetWait_v2";
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let event = match self.set.wait(timeout_ms) {
            Ok(event) => event,
            Err(NvmlError::Timeout) => return Ok(None),
            Err(error) => return Err(driver_error(CALL, error)),
        };
        if event.types & EventTypes::CRITICAL_XID_ERROR.bits() == 0 {
            return Ok(None);
        }
        let uuid = self
            .uuid_of(event.device)
            .map_err(|error| driver_error(CALL, error))?;
        Ok(Some(CriticalError {
            uuid,
            code: event.data,
        }))
    }
}
