//! Temperatures, margin, thresholds.

use nvml_wrapper_sys::bindings::{nvmlMarginTemperature_t, nvmlTemperature_t};
use thermal_guard::sim::faults::{Bound, Call, bits};
use thermal_guard::units::Celsius;

use super::ffi::{Out, answer, check_version, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::session::{Access, Asked, Handle, Seen, with_card};

/// `NVML_TEMPERATURE_GPU`, the only sensor there is.
const GPU_SENSOR: u32 = 0;

/// Whole degrees, as the driver says them.
pub fn whole(temperature: Celsius) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates; a temperature fits"
    )]
    let degrees = temperature.degrees().round() as i32;
    degrees
}

/// A number that a call was told to answer, where the type has a sign.
fn signed(number: i64) -> i32 {
    bits(number).cast_signed()
}

/// Whole degrees where the type has no sign: what is below zero is zero.
pub fn unsigned(temperature: Celsius) -> u32 {
    u32::try_from(whole(temperature)).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperature(device: Handle, sensor: u32, out: Out<'_, u32>) -> u32 {
    if sensor != GPU_SENSOR {
        return Code::InvalidArgument.number();
    }
    let asked = Access::Read(Feature::Temperature).by(Call::Temperature);
    get(device, asked, out, |seen| {
        seen.told_or(bits, |seen| Ok(unsigned(seen.sensed.core)))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperatureV(
    device: Handle,
    inout: Option<&mut nvmlTemperature_t>,
) -> u32 {
    answer(|| {
        let inout = inout.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlTemperature_t>(inout.version, 1)?;
        if inout.sensorType != GPU_SENSOR {
            return Err(Code::InvalidArgument);
        }
        let asked = Access::Read(Feature::Temperature).by(Call::TemperatureV);
        inout.temperature = with_card(device, asked, |seen| {
            seen.told_or(signed, |seen| Ok(whole(seen.sensed.core)))
        })?;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMarginTemperature(
    device: Handle,
    inout: Option<&mut nvmlMarginTemperature_t>,
) -> u32 {
    answer(|| {
        let inout = inout.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlMarginTemperature_t>(inout.version, 1)?;
        let asked = Access::Read(Feature::Margin).by(Call::Margin);
        inout.marginTemperature = with_card(device, asked, |seen| {
            seen.told_or(signed, |seen| {
                if !seen.card.faults.told.has_margin(seen.profile) {
                    return Err(Code::NotSupported);
                }
                Ok(whole(seen.sensed.margin))
            })
        })?;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperatureThreshold(
    device: Handle,
    kind: u32,
    out: Out<'_, u32>,
) -> u32 {
    let asked = Asked {
        access: Access::Read(Feature::Thresholds),
        call: bound(kind).map(Call::TemperatureThreshold),
    };
    get(device, asked, out, |seen| {
        seen.told_or(bits, |seen| threshold(seen, kind))
    })
}

/// By `nvmlTemperatureThresholds_t`.
fn bound(kind: u32) -> Option<Bound> {
    Some(match kind {
        0 => Bound::Shutdown,
        1 => Bound::Slowdown,
        2 => Bound::MemMax,
        3 => Bound::GpuMax,
        5 => Bound::Acoustic,
        _ => return None,
    })
}

/// Absolute thresholds, raw.
fn threshold(seen: &Seen<'_>, kind: u32) -> Outcome<u32> {
    let told = |bound| seen.card.faults.told.threshold(seen.profile, bound);
    // The range a fan target can be set in.
    let target = told(Bound::Acoustic);
    let found = match kind {
        4 => target.map(|_| 65),
        6 => target.and(told(Bound::GpuMax).or(Some(i64::from(whole(seen.profile.max_operating))))),
        7 => None,
        kind => told(bound(kind).ok_or(Code::InvalidArgument)?),
    };
    found.map(bits).ok_or(Code::NotSupported)
}
