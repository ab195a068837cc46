//! Workload power profiles. No card has any unless it was told so.

use nvml_wrapper_sys::bindings::{nvmlMask255_t, nvmlWorkloadPowerProfileCurrentProfiles_t};
use thermal_guard::sim::faults::{Call, bits};

use super::ffi::{answer, check_version};
use crate::code::Code;
use crate::fault::Feature;
use crate::session::{Access, Handle, with_card};

/// A told number holds the three masks, 16 bits each.
const BITS: u32 = 16;

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(
    device: Handle,
    inout: Option<&mut nvmlWorkloadPowerProfileCurrentProfiles_t>,
) -> u32 {
    answer(|| {
        let inout = inout.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlWorkloadPowerProfileCurrentProfiles_t>(inout.version, 1)?;
        let asked = Access::Read(Feature::Always).by(Call::PowerProfiles);
        let masks = with_card(device, asked, |seen| {
            seen.told_or(|number| number, |_| Err(Code::NotSupported))
        })?;
        inout.perfProfilesMask = mask(masks);
        inout.requestedProfilesMask = mask(masks >> BITS);
        inout.enforcedProfilesMask = mask(masks >> (2 * BITS));
        Ok(())
    })
}

fn mask(number: i64) -> nvmlMask255_t {
    let mut mask = [0; 8];
    mask[0] = bits(number) & 0xffff;
    nvmlMask255_t { mask }
}
