//! Power: draw, limits, energy.

use nvml_wrapper_sys::bindings::nvmlPowerValue_v2_t;

use super::ffi::{Out, answer, check_version, get};
use crate::code::Code;
use crate::fault::Feature;
use crate::operate::{self, Write};
use crate::session::{Access, Handle, with_card};

const LIMIT: Access = Access::Read(Feature::PowerLimit);

/// Of `nvmlPowerScopeType_t`: the board's GPU, and nothing wider.
const SCOPE_GPU: u8 = 0;

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerUsage(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, Access::Read(Feature::Power), out, |seen| {
        Ok(seen.flow().draw.milliwatts())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTotalEnergyConsumption(device: Handle, out: Out<'_, u64>) -> u32 {
    get(device, Access::Read(Feature::Energy), out, |seen| {
        Ok(millis(seen.card.state.energy_joules))
    })
}

/// Thousandths of a quantity that is never negative.
pub fn millis(quantity: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates; never negative"
    )]
    let millis = (quantity * 1e3) as u64;
    millis
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementMode(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, LIMIT, out, |_| Ok(1))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementLimit(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, LIMIT, out, |seen| Ok(seen.card.limit))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetEnforcedPowerLimit(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, LIMIT, out, |seen| {
        Ok(seen.card.enforced_limit().milliwatts())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementDefaultLimit(
    device: Handle,
    out: Out<'_, u32>,
) -> u32 {
    get(device, LIMIT, out, |seen| {
        Ok(seen.profile.default_limit.milliwatts())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
    device: Handle,
    min: Out<'_, u32>,
    max: Out<'_, u32>,
) -> u32 {
    match get(device, LIMIT, min, |seen| {
        Ok(seen.profile.min_limit.milliwatts())
    }) {
        0 => get(device, LIMIT, max, |seen| {
            Ok(seen.profile.max_limit.milliwatts())
        }),
        code => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPowerManagementLimit(device: Handle, milliwatts: u32) -> u32 {
    answer(|| {
        with_card(device, Access::Write(Feature::PowerLimit), |seen| {
            operate::write(seen.card, Write::Limit, |card| {
                operate::set_limit(card, milliwatts)
            })
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPowerManagementLimit_v2(
    device: Handle,
    value: Option<&nvmlPowerValue_v2_t>,
) -> u32 {
    answer(|| {
        let value = value.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlPowerValue_v2_t>(value.version, 2)?;
        if value.powerScope != SCOPE_GPU {
            return Err(Code::NotSupported);
        }
        match nvmlDeviceSetPowerManagementLimit(device, value.powerValueMw) {
            0 => Ok(()),
            code if code == Code::NoPermission as u32 => Err(Code::NoPermission),
            code if code == Code::InvalidArgument as u32 => Err(Code::InvalidArgument),
            _ => Err(Code::Unknown),
        }
    })
}
