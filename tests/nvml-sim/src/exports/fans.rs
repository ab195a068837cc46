//! Fans: their speeds, and who sets them.

use nvml_wrapper_sys::bindings::{
    NVML_FAN_POLICY_MANUAL, NVML_FAN_POLICY_TEMPERATURE_CONTINOUS_SW, nvmlFanSpeedInfo_t,
};
use thermal_guard::sim::fans::{HIGHEST, LOWEST, Rise};
use thermal_guard::sim::faults::{Call, bits};
use thermal_guard::units::Celsius;

use super::ffi::{Out, answer, check_version, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::operate::{self, Write};
use crate::session::{Access, Handle, Seen, with_card};

const FAN: Access = Access::Read(Feature::Fan);

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetNumFans(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, FAN.by(Call::NumFans), out, |seen| {
        seen.told_or(bits, |seen| Ok(seen.profile.fans))
    })
}

/// The place of a fan that the card has.
fn place(seen: &Seen<'_>, fan: u32) -> Outcome<usize> {
    match seen.profile.fans {
        0 => Err(Code::NotSupported),
        fans if fan >= fans => Err(Code::InvalidArgument),
        _ => usize::try_from(fan).map_err(|_| Code::InvalidArgument),
    }
}

/// What the fans go by: the die, whatever the sensors tell, and the firmware's curve.
fn heat(seen: &Seen<'_>) -> (Celsius, Rise) {
    (seen.card.state.core(), Rise::of(seen.profile))
}

fn speed(seen: &Seen<'_>, fan: u32) -> Outcome<u32> {
    let (die, rise) = heat(seen);
    Ok(seen.card.fans.speed(place(seen, fan)?, die, rise))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanSpeed_v2(device: Handle, fan: u32, out: Out<'_, u32>) -> u32 {
    get(device, FAN.by(Call::FanSpeed), out, |seen| {
        seen.told_or(bits, |seen| speed(seen, fan))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanSpeed(device: Handle, out: Out<'_, u32>) -> u32 {
    nvmlDeviceGetFanSpeed_v2(device, 0, out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanSpeedRPM(
    device: Handle,
    inout: Option<&mut nvmlFanSpeedInfo_t>,
) -> u32 {
    answer(|| {
        let inout = inout.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlFanSpeedInfo_t>(inout.version, 1)?;
        let fan = inout.fan;
        inout.speed = with_card(device, FAN.by(Call::FanRpm), |seen| {
            seen.told_or(bits, |seen| {
                let (die, rise) = heat(seen);
                Ok(seen.card.fans.rpm(place(seen, fan)?, die, rise))
            })
        })?;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTargetFanSpeed(device: Handle, fan: u32, out: Out<'_, u32>) -> u32 {
    get(device, FAN.by(Call::FanTarget), out, |seen| {
        seen.told_or(bits, |seen| {
            let (die, rise) = heat(seen);
            Ok(seen.card.fans.target(place(seen, fan)?, die, rise))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFanControlPolicy_v2(
    device: Handle,
    fan: u32,
    out: Out<'_, u32>,
) -> u32 {
    get(device, FAN.by(Call::FanPolicy), out, |seen| {
        seen.told_or(bits, |seen| {
            Ok(match seen.card.fans.manual(place(seen, fan)?) {
                Some(_) => NVML_FAN_POLICY_MANUAL,
                None => NVML_FAN_POLICY_TEMPERATURE_CONTINOUS_SW,
            })
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMinMaxFanSpeed(
    device: Handle,
    min: Out<'_, u32>,
    max: Out<'_, u32>,
) -> u32 {
    let end = |out, percent| get(device, FAN, out, |seen| place(seen, 0).map(|_| percent));
    match end(min, LOWEST) {
        0 => end(max, HIGHEST),
        code => code,
    }
}

/// Sets who sets a fan: a program, to this many percent, or the firmware.
fn set(
    device: Handle,
    call: Call,
    fan: u32,
    percent: impl FnOnce(&Seen<'_>) -> Outcome<Option<u32>>,
) -> u32 {
    answer(|| {
        let asked = Access::Write(Feature::Fan).by(call);
        with_card(device, asked, |seen| {
            let place = place(&seen, fan)?;
            let percent = match seen.told {
                Some(number) => Some(bits(number)),
                None => percent(&seen)?,
            };
            operate::write(seen.card, Write::Other, |card| {
                card.fans.set(place, percent);
                Ok(())
            })
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetFanSpeed_v2(device: Handle, fan: u32, speed: u32) -> u32 {
    set(device, Call::SetFanSpeed, fan, |_| {
        if (LOWEST..=HIGHEST).contains(&speed) {
            Ok(Some(speed))
        } else {
            Err(Code::InvalidArgument)
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetDefaultFanSpeed_v2(device: Handle, fan: u32) -> u32 {
    set(device, Call::SetDefaultFanSpeed, fan, |_| Ok(None))
}

/// A fan that becomes manual stays at the speed that it has.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetFanControlPolicy(device: Handle, fan: u32, policy: u32) -> u32 {
    set(device, Call::SetFanPolicy, fan, |seen| match policy {
        NVML_FAN_POLICY_TEMPERATURE_CONTINOUS_SW => Ok(None),
        NVML_FAN_POLICY_MANUAL => speed(seen, fan).map(Some),
        _ => Err(Code::InvalidArgument),
    })
}
