//! Power: draw, limits, energy.

use nvml_wrapper_sys::bindings::nvmlPowerValue_v2_t;
use thermal_guard::sim::faults::{Call, bits};
use thermal_guard::sim::profile::LimitOffer;

use super::ffi::{Out, answer, check_version, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::operate::{self, Write};
use crate::session::{Access, Handle, Seen, with_card};
use crate::setters;

const LIMIT: Access = Access::Read(Feature::PowerLimit);

/// Of `nvmlPowerScopeType_t`: the board's GPU, and nothing wider.
const SCOPE_GPU: u8 = 0;

/// The card tells of its power limit.
fn offered(seen: &Seen<'_>) -> Outcome {
    match seen.profile.limit {
        LimitOffer::Absent => Err(Code::NotSupported),
        LimitOffer::Settable | LimitOffer::Refused => Ok(()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerUsage(device: Handle, out: Out<'_, u32>) -> u32 {
    let asked = Access::Read(Feature::Power).by(Call::PowerUsage);
    get(device, asked, out, |seen| {
        seen.told_or(bits, |seen| Ok(seen.sensed.draw.milliwatts()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTotalEnergyConsumption(device: Handle, out: Out<'_, u64>) -> u32 {
    let asked = Access::Read(Feature::Energy).by(Call::Energy);
    get(device, asked, out, |seen| {
        seen.told_or(i64::cast_unsigned, |seen| {
            Ok(millis(seen.card.state.energy_joules))
        })
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
    get(device, LIMIT, out, |seen| offered(seen).map(|()| 1))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementLimit(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, LIMIT.by(Call::PowerLimit), out, |seen| {
        seen.told_or(bits, |seen| offered(seen).map(|()| seen.card.limit))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetEnforcedPowerLimit(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, LIMIT.by(Call::EnforcedPowerLimit), out, |seen| {
        seen.told_or(bits, |seen| {
            offered(seen)?;
            Ok(seen.card.enforced_limit().milliwatts())
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementDefaultLimit(
    device: Handle,
    out: Out<'_, u32>,
) -> u32 {
    get(device, LIMIT.by(Call::PowerDefaultLimit), out, |seen| {
        seen.told_or(bits, |seen| {
            offered(seen)?;
            Ok(seen.card.faults.told.default_limit(seen.profile))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerManagementLimitConstraints(
    device: Handle,
    min: Out<'_, u32>,
    max: Out<'_, u32>,
) -> u32 {
    // One call, for two numbers: it is asked once.
    let mut highest = 0;
    let asked = LIMIT.by(Call::PowerLimitConstraints);
    let code = get(device, asked, min, |seen| {
        let ends = |range: i64| (bits(range), bits(range >> 32));
        let (lowest, top) = seen.told_or(ends, |seen| {
            offered(seen)?;
            Ok(seen.card.faults.told.range(seen.profile))
        })?;
        highest = top;
        Ok(lowest)
    });
    match code {
        0 => get(device, LIMIT, max, |_| Ok(highest)),
        code => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPowerManagementLimit(device: Handle, milliwatts: u32) -> u32 {
    answer(|| {
        let asked = Access::Write(Feature::PowerLimit).by(Call::SetPowerLimit);
        with_card(device, asked, |seen| {
            operate::write(seen.card, Write::Limit, |card| {
                setters::request_limit(card, seen.now, milliwatts, seen.told)
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
            code => Err(Code::Told(code)),
        }
    })
}
