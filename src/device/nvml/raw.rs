//! The NVML calls that nvml-wrapper 0.13 doesn't wrap or wraps with a loss, and handles that a
//! thread can keep. It is the only file of the crate with `unsafe`.
//!
//! A function the library lacks is an error here as in the wrapper: each is looked up when the
//! library is loaded and kept as a `Result`.
#![expect(unsafe_code, reason = "C calls; each says why it is sound")]

use std::mem;
use std::os::raw::{c_uint, c_ulonglong};
use std::sync::Arc;

use nvml_wrapper::error::{NvmlError, nvml_sym, nvml_try};
use nvml_wrapper::{Device, Nvml};
use nvml_wrapper_sys::bindings as c;

use crate::units::Celsius;

/// NVML's handle of a device: an opaque pointer into the library's own table. It is valid from the
/// call that returned it until the library is shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(c::nvmlDevice_t);

// SAFETY: the pointer is never followed on our side, only passed back to NVML, which is
// thread-safe and lets any thread use any handle (nvml.h; nvml-wrapper declares the same of
// `Device`).
unsafe impl Send for Handle {}

/// A device that keeps the library loaded. `Device<'nvml>` can't, because it borrows.
#[derive(Debug)]
pub(crate) struct Card {
    nvml: Arc<Nvml>,
    handle: Handle,
}

impl Card {
    pub(crate) fn by_uuid(nvml: &Arc<Nvml>, uuid: &str) -> Result<Self, NvmlError> {
        Ok(Self::keep(nvml, &nvml.device_by_uuid(uuid)?))
    }

    pub(crate) fn by_index(nvml: &Arc<Nvml>, index: u32) -> Result<Self, NvmlError> {
        Ok(Self::keep(nvml, &nvml.device_by_index(index)?))
    }

    fn keep(nvml: &Arc<Nvml>, device: &Device<'_>) -> Self {
        // SAFETY: the handle is only stored; `nvml`, which `device` came from, outlives it.
        let handle = Handle(unsafe { device.handle() });
        Self {
            nvml: Arc::clone(nvml),
            handle,
        }
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// The wrapper's view of this card, for one use.
    pub(crate) fn device(&self) -> Device<'_> {
        // SAFETY: the handle came from this very `Nvml`, which `self` keeps from shutting down.
        unsafe { Device::new(self.handle.0, &self.nvml) }
    }

    /// The version of the driver.
    pub(crate) fn driver_version(&self) -> Result<String, NvmlError> {
        self.nvml.sys_driver_version()
    }

    /// The core sensor through the call that replaces `nvmlDeviceGetTemperature` in NVML 13.
    pub(crate) fn temperature(&self) -> Result<i32, NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlDeviceGetTemperatureV.as_ref())?;
        let mut answer = c::nvmlTemperature_t {
            version: version::<c::nvmlTemperature_t>(),
            sensorType: c::nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU,
            temperature: 0,
        };
        // SAFETY: valid handle; `answer` is the struct its version says, and lives through the call.
        nvml_try(unsafe { call(self.handle.0, &raw mut answer) })?;
        Ok(answer.temperature)
    }

    /// Degrees to the nearest slowdown threshold over all sensors. Ada and Hopper on, driver 570 on.
    pub(crate) fn margin(&self) -> Result<i32, NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlDeviceGetMarginTemperature.as_ref())?;
        let mut answer = c::nvmlMarginTemperature_t {
            version: version::<c::nvmlMarginTemperature_t>(),
            marginTemperature: 0,
        };
        // SAFETY: as in `temperature`.
        nvml_try(unsafe { call(self.handle.0, &raw mut answer) })?;
        Ok(answer.marginTemperature)
    }

    /// The speed that a fan aims at, in percent. Maxwell and later, with fans of their own.
    pub(crate) fn fan_target(&self, fan: u32) -> Result<u32, NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlDeviceGetTargetFanSpeed.as_ref())?;
        let mut percent: c_uint = 0;
        // SAFETY: valid handle; `percent` lives through the call.
        nvml_try(unsafe { call(self.handle.0, fan, &raw mut percent) })?;
        Ok(percent)
    }

    /// Active clock event reasons, all 64 bits: the wrapper drops those it has no name for.
    pub(crate) fn event_reasons(&self) -> Result<u64, NvmlError> {
        let lib = self.nvml.lib();
        self.mask(nvml_sym(
            lib.nvmlDeviceGetCurrentClocksEventReasons.as_ref(),
        )?)
    }

    /// The same by its name before CUDA 12.
    pub(crate) fn throttle_reasons(&self) -> Result<u64, NvmlError> {
        let lib = self.nvml.lib();
        self.mask(nvml_sym(
            lib.nvmlDeviceGetCurrentClocksThrottleReasons.as_ref(),
        )?)
    }

    /// Clock event reasons this card can report.
    pub(crate) fn supported_event_reasons(&self) -> Result<u64, NvmlError> {
        let lib = self.nvml.lib();
        self.mask(nvml_sym(
            lib.nvmlDeviceGetSupportedClocksEventReasons.as_ref(),
        )?)
    }

    /// The same by its name before CUDA 12.
    pub(crate) fn supported_throttle_reasons(&self) -> Result<u64, NvmlError> {
        let lib = self.nvml.lib();
        self.mask(nvml_sym(
            lib.nvmlDeviceGetSupportedClocksThrottleReasons.as_ref(),
        )?)
    }

    /// Masks of the workload power profiles that the card has, that programs asked for, and that are in
    /// force. Blackwell data-centre cards.
    pub(crate) fn power_profiles(&self) -> Result<[[u32; 8]; 3], NvmlError> {
        let lib = self.nvml.lib();
        let call = nvml_sym(
            lib.nvmlDeviceWorkloadPowerProfileGetCurrentProfiles
                .as_ref(),
        )?;
        let none = c::nvmlMask255_t { mask: [0; 8] };
        let mut answer = c::nvmlWorkloadPowerProfileCurrentProfiles_t {
            version: version::<c::nvmlWorkloadPowerProfileCurrentProfiles_t>(),
            perfProfilesMask: none,
            requestedProfilesMask: none,
            enforcedProfilesMask: none,
        };
        // SAFETY: as in `temperature`.
        nvml_try(unsafe { call(self.handle.0, &raw mut answer) })?;
        Ok([
            answer.perfProfilesMask.mask,
            answer.requestedProfilesMask.mask,
            answer.enforcedProfilesMask.mask,
        ])
    }

    fn mask(&self, call: &MaskCall) -> Result<u64, NvmlError> {
        let mut mask: c_ulonglong = 0;
        // SAFETY: valid handle; `mask` lives through the call.
        nvml_try(unsafe { call(self.handle.0, &raw mut mask) })?;
        Ok(mask)
    }

    /// Graphics clocks to choose from at a memory clock. Where there are more than 128 of them (an
    /// RTX 6000 Ada has 194), the wrapper takes NVML's "too small" for a success and returns a
    /// buffer that NVML may not have filled in.
    pub(crate) fn graphics_clocks(&self, memory_clock: u32) -> Result<Vec<u32>, NvmlError> {
        let call = nvml_sym(
            self.nvml
                .lib()
                .nvmlDeviceGetSupportedGraphicsClocks
                .as_ref(),
        )?;
        let mut clocks: Vec<c_uint> = vec![0; 512];
        loop {
            let mut count = c_uint::try_from(clocks.len()).unwrap_or(c_uint::MAX);
            // SAFETY: valid handle; NVML writes at most `count` elements, which `clocks` has.
            let code = unsafe {
                call(
                    self.handle.0,
                    memory_clock,
                    &raw mut count,
                    clocks.as_mut_ptr(),
                )
            };
            let needed = usize::try_from(count).unwrap_or(usize::MAX);
            let too_small = code == c::nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE;
            if too_small && clocks.len() < needed && needed <= MOST_CLOCKS {
                clocks.resize(needed, 0);
                continue;
            }
            nvml_try(code)?;
            clocks.truncate(needed);
            return Ok(clocks);
        }
    }

    /// Field values that are temperatures, in the order asked for. Not through the wrapper: it
    /// refuses `SIGNED_INT`, the type T.Limit offsets come in. Not for ids 251 to 273, whose
    /// numbers depend on the driver and which only the wrapper translates.
    pub(crate) fn temperature_fields<const N: usize>(
        &self,
        ids: [u32; N],
    ) -> Result<[Result<Celsius, NvmlError>; N], NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlDeviceGetFieldValues.as_ref())?;
        let mut fields = ids.map(|id| c::nvmlFieldValue_t {
            fieldId: id,
            // A field that NVML doesn't fill in must not look like a success.
            nvmlReturn: c::nvmlReturn_enum_NVML_ERROR_UNKNOWN,
            // SAFETY: plain integers and a union of numbers, for which zeros are valid.
            ..unsafe { mem::zeroed() }
        });
        let count = i32::try_from(N).map_err(|_| NvmlError::InvalidArg)?;
        // SAFETY: valid handle; `fields` has `count` elements and lives through the call.
        nvml_try(unsafe { call(self.handle.0, count, fields.as_mut_ptr()) })?;
        Ok(fields.map(|field| {
            nvml_try(field.nvmlReturn)?;
            degrees(field.valueType, field.value)
        }))
    }
}

type MaskCall = unsafe extern "C" fn(c::nvmlDevice_t, *mut c_ulonglong) -> c::nvmlReturn_t;

/// More supported clocks than any card lists. A larger number is wrong.
const MOST_CLOCKS: usize = 1 << 16;

/// `NVML_STRUCT_VERSION(…, 1)` of nvml.h: the size, and the version in the top byte.
const fn version<T>() -> c_uint {
    #[expect(clippy::cast_possible_truncation, reason = "structs of a few ints")]
    let size = size_of::<T>() as c_uint;
    size | 1 << 24
}

/// The temperature in a field value. `UNSIGNED_INT` is re-read as signed: which of the two a driver
/// sends T.Limit offsets as isn't documented.
fn degrees(kind: c::nvmlValueType_t, value: c::nvmlValue_t) -> Result<Celsius, NvmlError> {
    // SAFETY: every member is a number, for which any bits are valid, and `value` comes fully
    // initialised: zeroed by us, then partly overwritten by NVML.
    let degrees = unsafe {
        match kind {
            c::nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE => value.dVal,
            c::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT
            | c::nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT => f64::from(value.siVal),
            c::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG
            | c::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG
            | c::nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG => value.sllVal as f64,
            c::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT => f64::from(value.usVal),
            unknown => return Err(NvmlError::UnexpectedVariant(unknown)),
        }
    };
    if degrees.is_finite() {
        Ok(Celsius::new(degrees))
    } else {
        Err(NvmlError::NoData)
    }
}

/// NVML's queue of events. Not the wrapper's: that one borrows the library, and is freed whole when
/// a single GPU refuses to be registered.
#[derive(Debug)]
pub(crate) struct EventSet {
    nvml: Arc<Nvml>,
    set: c::nvmlEventSet_t,
}

// SAFETY: NVML lets one thread at a time use an event set, whichever it is; `wait` and `register`
// take `&mut self`.
unsafe impl Send for EventSet {}

/// One event off the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawEvent {
    pub(crate) device: Handle,
    pub(crate) types: u64,
    pub(crate) data: u64,
}

impl EventSet {
    pub(crate) fn create(nvml: &Arc<Nvml>) -> Result<Self, NvmlError> {
        let call = nvml_sym(nvml.lib().nvmlEventSetCreate.as_ref())?;
        // SAFETY: an opaque pointer, null until NVML fills it in.
        let mut set: c::nvmlEventSet_t = unsafe { mem::zeroed() };
        // SAFETY: `set` lives through the call.
        nvml_try(unsafe { call(&raw mut set) })?;
        Ok(Self {
            nvml: Arc::clone(nvml),
            set,
        })
    }

    /// Adds events of `types` on `card` to the queue.
    pub(crate) fn register(&mut self, card: &Card, types: u64) -> Result<(), NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlDeviceRegisterEvents.as_ref())?;
        // SAFETY: handle and set are valid: both keep their library initialised.
        nvml_try(unsafe { call(card.handle.0, types, self.set) })
    }

    /// The next event; [`NvmlError::Timeout`] if none came.
    pub(crate) fn wait(&mut self, timeout_ms: u32) -> Result<RawEvent, NvmlError> {
        let call = nvml_sym(self.nvml.lib().nvmlEventSetWait_v2.as_ref())?;
        // SAFETY: a pointer and integers, for which zeros are valid.
        let mut event: c::nvmlEventData_t = unsafe { mem::zeroed() };
        // SAFETY: the set is valid until dropped; `event` lives through the call.
        nvml_try(unsafe { call(self.set, &raw mut event, timeout_ms) })?;
        Ok(RawEvent {
            device: Handle(event.device),
            types: event.eventType,
            data: event.eventData,
        })
    }

    /// Asks NVML whose handle an event carries.
    pub(crate) fn uuid_of(&self, handle: Handle) -> Result<String, NvmlError> {
        // SAFETY: the handle came in an event of this very `Nvml`, which `self` keeps initialised.
        unsafe { Device::new(handle.0, &self.nvml) }.uuid()
    }
}

impl Drop for EventSet {
    fn drop(&mut self) {
        if let Ok(free) = &self.nvml.lib().nvmlEventSetFree {
            // SAFETY: created by `create`, freed only here. A failure leaves nothing to do.
            let _ = unsafe { free(self.set) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED_INT: u32 = 5;
    const UNSIGNED_INT: u32 = 1;

    #[test]
    fn a_negative_offset_is_read_as_such_in_both_types_it_may_come_in() {
        let minus_eight = Celsius::new(-8.0);
        let signed = c::nvmlValue_t { siVal: -8 };
        assert_eq!(degrees(SIGNED_INT, signed).ok(), Some(minus_eight));
        let unsigned = c::nvmlValue_t { uiVal: 0xffff_fff8 };
        assert_eq!(degrees(UNSIGNED_INT, unsigned).ok(), Some(minus_eight));
    }

    #[test]
    fn the_other_types_are_read_by_their_own_members() {
        let double = c::nvmlValue_t { dVal: 61.25 };
        assert_eq!(degrees(0, double).ok(), Some(Celsius::new(61.25)));
        let long_long = c::nvmlValue_t { sllVal: -2 };
        assert_eq!(degrees(4, long_long).ok(), Some(Celsius::new(-2.0)));
        let short = c::nvmlValue_t { usVal: 80 };
        assert_eq!(degrees(6, short).ok(), Some(Celsius::new(80.0)));
    }

    #[test]
    fn nonsense_is_no_temperature() {
        let value = c::nvmlValue_t { ullVal: 0 };
        assert!(degrees(7, value).is_err());
        let not_a_number = c::nvmlValue_t { dVal: f64::NAN };
        assert!(degrees(0, not_a_number).is_err());
    }

    #[test]
    fn struct_versions_are_those_of_the_header() {
        assert_eq!(version::<c::nvmlTemperature_t>(), 0x0100_000c);
        assert_eq!(version::<c::nvmlMarginTemperature_t>(), 0x0100_0008);
        let profiles = version::<c::nvmlWorkloadPowerProfileCurrentProfiles_t>();
        assert_eq!(profiles, 0x0100_0064);
    }
}
