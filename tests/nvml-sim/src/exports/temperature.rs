//! Temperatures, margin, thresholds, fans.

use nvml_wrapper_sys::bindings::{nvmlMarginTemperature_t, nvmlTemperature_t};
use thermal_guard::device::profile::Profile;
use thermal_guard::units::Celsius;

use super::ffi::{Out, answer, check_version, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::session::{Access, Handle, Seen, with_card};

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

/// Whole degrees where the type has no sign: what is below zero is zero.
pub fn unsigned(temperature: Celsius) -> u32 {
    u32::try_from(whole(temperature)).unwrap_or(0)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperature(device: Handle, sensor: u32, out: Out<'_, u32>) -> u32 {
    if sensor != GPU_SENSOR {
        return Code::InvalidArgument as u32;
    }
    get(device, Access::Read(Feature::Temperature), out, |seen| {
        Ok(unsigned(seen.card.sensed().core()))
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
        let access = Access::Read(Feature::Temperature);
        inout.temperature = with_card(device, access, |seen| Ok(whole(seen.card.sensed().core())))?;
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
        inout.marginTemperature = with_card(device, Access::Read(Feature::Margin), |seen| {
            if !seen.profile.has_margin {
                return Err(Code::NotSupported);
            }
            Ok(whole(seen.card.sensed().margin(seen.profile)))
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
    get(device, Access::Read(Feature::Thresholds), out, |seen| {
        Ok(unsigned(threshold(seen.profile, kind)?))
    })
}

/// Absolute thresholds by `nvmlTemperatureThresholds_t`.
fn threshold(profile: &Profile, kind: u32) -> Outcome<Celsius> {
    let absolute = |temperature| {
        if profile.has_thresholds {
            Some(temperature)
        } else {
            None
        }
    };
    let target = profile.acoustic_target;
    let found = match kind {
        0 => absolute(profile.shutdown),
        1 => absolute(profile.slowdown),
        2 => profile
            .hbm
            .filter(|hbm| hbm.has_threshold)
            .map(|hbm| hbm.max),
        3 => absolute(profile.max_operating),
        // The range a fan target can be set in, and the target.
        4 => target.map(|_| Celsius::new(65.0)),
        5 => target,
        6 => target.map(|_| profile.max_operating),
        7 => None,
        _ => return Err(Code::InvalidArgument),
    };
    found.ok_or(Code::NotSupported)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetNumFans(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, Access::Read(Feature::Fan), out, |seen| {
        Ok(seen.profile.fans)
    })
}

/// The firmware's curve: 30 % up to 40 °C, all of it at the maximum operating temperature.
fn fan_percent(seen: &Seen<'_>) -> u32 {
    let start = Celsius::new(40.0);
    let share =
        (seen.card.state.core() - start).degrees() / (seen.profile.max_operating - start).degrees();
    unsigned(Celsius::new(30.0 + 70.0 * share.clamp(0.0, 1.0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanSpeed_v2(device: Handle, fan: u32, out: Out<'_, u32>) -> u32 {
    get(device, Access::Read(Feature::Fan), out, |seen| {
        match seen.profile.fans {
            0 => Err(Code::NotSupported),
            fans if fan >= fans => Err(Code::InvalidArgument),
            _ => Ok(fan_percent(seen)),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanSpeed(device: Handle, out: Out<'_, u32>) -> u32 {
    nvmlDeviceGetFanSpeed_v2(device, 0, out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMinMaxFanSpeed(
    device: Handle,
    min: Out<'_, u32>,
    max: Out<'_, u32>,
) -> u32 {
    let end = |out, percent| {
        get(device, Access::Read(Feature::Fan), out, |seen| {
            if seen.profile.fans > 0 {
                Ok(percent)
            } else {
                Err(Code::NotSupported)
            }
        })
    };
    match end(min, 30) {
        0 => end(max, 100),
        code => code,
    }
}
