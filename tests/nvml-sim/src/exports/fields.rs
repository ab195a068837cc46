//! Field values: many things by number. What a number means can depend on the driver.

use nvml_wrapper_sys::bindings::{nvmlFieldValue_t, nvmlValue_t};
use thermal_guard::sim::faults::{Bound, Call, bits};

use super::ffi::{Array, answer};
use super::power::millis;
use super::system::driver_branch;
use super::temperature::unsigned;
use crate::clock;
use crate::code::{Code, Outcome, SUCCESS};
use crate::fault::{Fault, Feature};
use crate::session::{Access, Asked, Handle, Seen, with_card};
use crate::wild::{Whim, number, whim};

/// A value of one of the types NVML has (`nvmlValueType_t`).
#[derive(Clone, Copy, Debug)]
enum Value {
    Double(f64),
    Unsigned(u32),
    UnsignedLongLong(u64),
    SignedInt(i32),
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFieldValues(
    device: Handle,
    count: i32,
    values: Array<nvmlFieldValue_t>,
) -> u32 {
    answer(|| {
        let count = usize::try_from(count).map_err(|_| Code::InvalidArgument)?;
        if count == 0 {
            return Err(Code::InvalidArgument);
        }
        let values = values.elements(count)?;
        for field in values {
            let id = field.fieldId;
            let asked = Asked {
                access: Access::Read(feature(id)),
                call: call(id),
            };
            let outcome = with_card(device, asked, |seen| {
                seen.told_or(|number| told(id, number), |seen| value(seen, id))
            });
            field.timestamp = i64::try_from(clock::since_1970().as_micros()).unwrap_or(i64::MAX);
            field.latencyUsec = 1;
            match outcome {
                Ok(_) if is_wild(device) => wildly(field),
                Ok(value) => store(field, value),
                // The card as a whole is gone, or the library is.
                Err(
                    code @ (Code::GpuIsLost
                    | Code::Uninitialized
                    | Code::DriverNotLoaded
                    | Code::InvalidArgument),
                ) => {
                    return Err(code);
                }
                Err(code) => field.nvmlReturn = code.number(),
            }
        }
        Ok(())
    })
}

fn is_wild(device: Handle) -> bool {
    let wild = with_card(device, Access::Cached, |seen| {
        Ok(seen.card.has(Fault::AnyAnswer))
    });
    wild == Ok(true)
}

/// Any type, also such as there aren't, any value, and now and then any code.
fn wildly(field: &mut nvmlFieldValue_t) {
    field.nvmlReturn = match whim() {
        Whim::Code(code) => code,
        Whim::True | Whim::Bytes(_) => SUCCESS,
    };
    field.valueType = u32::try_from(number() % 9).unwrap_or(0);
    field.value = nvmlValue_t { ullVal: number() };
}

/// Narrow values are written as wide ones, which on a little-endian machine is the same and
/// leaves no byte of the union undecided.
fn store(field: &mut nvmlFieldValue_t, value: Value) {
    field.nvmlReturn = SUCCESS;
    (field.valueType, field.value) = match value {
        Value::Double(double) => (0, nvmlValue_t { dVal: double }),
        Value::Unsigned(int) => (1, nvmlValue_t { ullVal: int.into() }),
        Value::UnsignedLongLong(long) => (3, nvmlValue_t { ullVal: long }),
        Value::SignedInt(int) => (
            5,
            nvmlValue_t {
                ullVal: int.cast_unsigned().into(),
            },
        ),
    };
}

fn feature(id: u32) -> Feature {
    match id {
        82 => Feature::MemoryTemperature,
        83 => Feature::Energy,
        185 => Feature::AveragePower,
        186 => Feature::Power,
        187..=190 | 192 => Feature::PowerLimit,
        193..=196 => Feature::Margin,
        74 | 76 | 251..=253 | 269..=271 => Feature::Events,
        308 => Feature::Temperature,
        _ => Feature::Always,
    }
}

/// The call that says the same, and can be told what to answer.
fn call(id: u32) -> Option<Call> {
    Some(match id {
        82 => Call::MemoryTemperature,
        83 => Call::Energy,
        185 | 186 => Call::PowerUsage,
        187 | 188 => Call::PowerLimitConstraints,
        189 => Call::PowerDefaultLimit,
        190 => Call::EnforcedPowerLimit,
        192 => Call::PowerLimit,
        193 => Call::TlimitOffset(Bound::Shutdown),
        194 => Call::TlimitOffset(Bound::Slowdown),
        195 => Call::TlimitOffset(Bound::MemMax),
        196 => Call::TlimitOffset(Bound::GpuMax),
        _ => return None,
    })
}

/// A number that a field was told to have, in the type it comes in.
fn told(id: u32, number: i64) -> Value {
    match id {
        83 => Value::UnsignedLongLong(number.cast_unsigned()),
        188 => Value::Unsigned(bits(number >> 32)),
        193..=196 => Value::SignedInt(bits(number).cast_signed()),
        _ => Value::Unsigned(bits(number)),
    }
}

fn value(seen: &Seen<'_>, id: u32) -> Outcome<Value> {
    let profile = seen.profile;
    let draw = || Value::Unsigned(seen.sensed.draw.milliwatts());
    let told = &seen.card.faults.told;
    Ok(match id {
        82 => Value::Unsigned(unsigned(seen.sensed.memory.ok_or(Code::NotSupported)?)),
        83 => Value::UnsignedLongLong(millis(seen.card.state.energy_joules)),
        185 if averages_power(seen) => draw(),
        186 => draw(),
        187 => Value::Unsigned(told.range(profile).0),
        188 => Value::Unsigned(told.range(profile).1),
        189 => Value::Unsigned(told.default_limit(profile)),
        190 => Value::Unsigned(seen.card.enforced_limit().milliwatts()),
        192 => Value::Unsigned(seen.card.limit),
        193 => offset(seen, Bound::Shutdown)?,
        194 => offset(seen, Bound::Slowdown)?,
        195 => offset(seen, Bound::MemMax)?,
        196 => offset(seen, Bound::GpuMax)?,
        // Sub-degree temperature came with the 610 branch's header.
        308 if driver_branch(seen.driver_version) >= (610, 0) => {
            Value::Double(seen.sensed.core.degrees())
        }
        id => counter(seen, id)?,
    })
}

/// Power averaged over a second: from Ampere on, but not on GA100.
fn averages_power(seen: &Seen<'_>) -> bool {
    !matches!(seen.profile.key, "a100-40gb" | "a100-80gb" | "v100-32gb")
}

/// A T.Limit threshold: the margin at which the card acts. Signed, which nvml-wrapper 0.13 chokes on.
fn offset(seen: &Seen<'_>, bound: Bound) -> Outcome<Value> {
    let margin = seen.card.faults.told.offset(seen.profile, bound);
    let margin = margin.ok_or(Code::NotSupported)?;
    Ok(Value::SignedInt(bits(margin).cast_signed()))
}

/// Nanoseconds of clock event reasons, in the order of `SlowdownReason::TIMED`.
/// Three of the ids moved with driver 580.82, and their old numbers mean something else since.
fn counter(seen: &Seen<'_>, id: u32) -> Outcome<Value> {
    let moved = driver_branch(seen.driver_version) >= (580, 82);
    let which = match id {
        74 => 0,
        76 => 1,
        251 if !moved => 2,
        252 if !moved => 3,
        253 if !moved => 4,
        269 if moved => 2,
        270 if moved => 3,
        271 if moved => 4,
        _ => return Err(Code::NotSupported),
    };
    Ok(Value::UnsignedLongLong(millis(
        seen.card.state.slowdown_seconds[which] * 1e6,
    )))
}
