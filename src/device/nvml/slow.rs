//! The slow part of a reading. No throttle follows from it: a value that can't be read is left out.

use nvml_wrapper::enum_wrappers::device::{Clock, EccCounter, MemoryError, PerformanceState};
use nvml_wrapper::enums::device::{FanControlPolicy, SampleValue};
use nvml_wrapper::struct_wrappers::device::Utilization;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN as HW_POWER_BRAKE_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN as HW_THERM_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP as SW_POWER_CAP,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN as SW_THERM_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST as SYNC_BOOST,
};

use crate::device::{Fan, FanPolicy, MOST_FANS, Slow, SlowdownReason};
use crate::units::{Megahertz, Ratio};

use super::unsupported::{Call, OpenCard};

/// Kinds of ECC counts: corrected volatile and aggregate, uncorrected volatile and aggregate.
pub(crate) const ECC: [(MemoryError, EccCounter); 4] = [
    (MemoryError::Corrected, EccCounter::Volatile),
    (MemoryError::Corrected, EccCounter::Aggregate),
    (MemoryError::Uncorrected, EccCounter::Volatile),
    (MemoryError::Uncorrected, EccCounter::Aggregate),
];

/// Fields that count nanoseconds, in [`SlowdownReason::TIMED`]'s order. They are the wrapper's own
/// constants: it translates the last three to the numbers of drivers from 580.82 on.
pub(crate) const REASON_FIELDS: [u32; SlowdownReason::TIMED.len()] = [
    SW_POWER_CAP,
    SYNC_BOOST,
    SW_THERM_SLOWDOWN,
    HW_THERM_SLOWDOWN,
    HW_POWER_BRAKE_SLOWDOWN,
];

pub(crate) fn read(card: &mut OpenCard, fans: u32, utilization: Option<&Utilization>) -> Slow {
    let memory = card
        .ask(Call::MemoryInfo, |raw| raw.device().memory_info())
        .ok();
    let [
        corrected_volatile,
        corrected,
        uncorrected_volatile,
        uncorrected,
    ] = ecc_errors(card);
    Slow {
        graphics_clock: clock(card, Call::GraphicsClock, Clock::Graphics),
        memory_clock: clock(card, Call::MemoryClock, Clock::Memory),
        video_clock: clock(card, Call::VideoClock, Clock::Video),
        performance_state: performance_state(card),
        persistence_mode: card
            .ask(Call::PersistenceMode, |raw| {
                raw.device().is_in_persistent_mode()
            })
            .ok(),
        memory_utilization: utilization.map(|rates| Ratio::from_percent(rates.memory)),
        memory_total_bytes: memory.as_ref().map(|memory| memory.total),
        memory_used_bytes: memory.as_ref().map(|memory| memory.used),
        energy_millijoules: card
            .ask(Call::Energy, |raw| raw.device().total_energy_consumption())
            .ok(),
        fans: (0..fans)
            .take(MOST_FANS)
            .map(|fan| read_fan(card, fan))
            .collect(),
        ecc_corrected: [corrected_volatile, corrected],
        ecc_uncorrected: [uncorrected_volatile, uncorrected],
        slowdown_nanoseconds: slowdown_nanoseconds(card),
        power_profiles: None,
    }
}

fn clock(card: &mut OpenCard, call: Call, domain: Clock) -> Option<Megahertz> {
    let clock = card.ask(call, |raw| raw.device().clock_info(domain));
    clock.ok().map(Megahertz::new)
}

fn performance_state(card: &mut OpenCard) -> Option<u32> {
    let state = card.ask(Call::PerformanceState, |raw| {
        raw.device().performance_state()
    });
    match state {
        Ok(PerformanceState::Unknown) | Err(_) => None,
        Ok(state) => Some(state.as_c()),
    }
}

fn read_fan(card: &mut OpenCard, fan: u32) -> Fan {
    let speed = card.ask(Call::Fan(fan), |raw| raw.device().fan_speed(fan));
    let rpm = card.ask(Call::FanRpm(fan), |raw| raw.device().fan_speed_rpm(fan));
    let target = card.ask(Call::FanTarget(fan), |raw| raw.fan_target(fan));
    let policy = card.ask(Call::FanPolicy(fan), |raw| {
        raw.device().fan_control_policy(fan)
    });
    Fan {
        speed: speed.ok().map(Ratio::from_percent),
        rpm: rpm.ok(),
        target: target.ok().map(Ratio::from_percent),
        policy: policy.ok().map(|policy| match policy {
            FanControlPolicy::TemperatureContinousSw => FanPolicy::Automatic,
            FanControlPolicy::Manual => FanPolicy::Manual,
        }),
    }
}

fn ecc_errors(card: &mut OpenCard) -> [Option<u64>; ECC.len()] {
    let mut counts = [None; ECC.len()];
    for (place, (kind, counter)) in ECC.into_iter().enumerate() {
        counts[place] = card
            .ask(Call::Ecc(place), |raw| {
                raw.device().total_ecc_errors(kind, counter)
            })
            .ok();
    }
    counts
}

/// Reads all times in one call. The answers are matched by their position: the returned id is the
/// driver's, not the requested one.
fn slowdown_nanoseconds(card: &mut OpenCard) -> [Option<u64>; REASON_FIELDS.len()] {
    let mut times = [None; REASON_FIELDS.len()];
    let wanted: Vec<usize> = (0..REASON_FIELDS.len())
        .filter(|&place| !card.lacks(Call::ReasonTime(place)))
        .collect();
    if wanted.is_empty() {
        return times;
    }
    let ids: Vec<FieldId> = wanted
        .iter()
        .map(|&place| FieldId(REASON_FIELDS[place]))
        .collect();
    let Ok(samples) = card.ask(Call::FieldValues, |raw| raw.device().field_values_for(&ids)) else {
        return times;
    };
    for (place, sample) in wanted.into_iter().zip(samples) {
        let value = sample.and_then(|sample| sample.value);
        times[place] = card
            .note(Call::ReasonTime(place), value)
            .ok()
            .and_then(|value| nanoseconds(&value));
    }
    times
}

/// Only a 64-bit count is accepted: four seconds of throttling would overflow 32 bits.
fn nanoseconds(value: &SampleValue) -> Option<u64> {
    match *value {
        SampleValue::U64(nanoseconds) => Some(nanoseconds),
        SampleValue::I64(nanoseconds) => u64::try_from(nanoseconds).ok(),
        SampleValue::U32(_) | SampleValue::F64(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_in_the_order_of_the_reasons_they_count() {
        // Canonical (driver before 580.82) numbers of nvml.h.
        assert_eq!(REASON_FIELDS, [74, 76, 251, 252, 253]);
        let names = SlowdownReason::TIMED.map(SlowdownReason::name);
        assert_eq!(
            names,
            [
                "sw_power_cap",
                "sync_boost",
                "sw_thermal_slowdown",
                "hw_thermal_slowdown",
                "hw_power_brake_slowdown"
            ]
        );
    }

    #[test]
    fn a_negative_or_narrow_count_is_none() {
        assert_eq!(nanoseconds(&SampleValue::U64(5)), Some(5));
        assert_eq!(nanoseconds(&SampleValue::I64(-5)), None);
        assert_eq!(nanoseconds(&SampleValue::U32(5)), None);
    }
}
