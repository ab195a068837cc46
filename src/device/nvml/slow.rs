//! The slow half of a reading. Nothing here steers anything: what can't be read is left out.

use nvml_wrapper::enum_wrappers::device::{Clock, EccCounter, MemoryError, PerformanceState};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::struct_wrappers::device::Utilization;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN as HW_POWER_BRAKE_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN as HW_THERM_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP as SW_POWER_CAP,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN as SW_THERM_SLOWDOWN,
    NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST as SYNC_BOOST,
};

use crate::device::Slow;
use crate::device::clock_events::CountedEvent;
use crate::units::{Megahertz, Ratio};

use super::probe::{Call, Probe};

/// Kinds of ECC counts: corrected volatile and aggregate, uncorrected volatile and aggregate.
pub(super) const ECC: [(MemoryError, EccCounter); 4] = [
    (MemoryError::Corrected, EccCounter::Volatile),
    (MemoryError::Corrected, EccCounter::Aggregate),
    (MemoryError::Uncorrected, EccCounter::Volatile),
    (MemoryError::Uncorrected, EccCounter::Aggregate),
];

/// Fields that count nanoseconds, in [`CountedEvent::ALL`]'s order. The wrapper's own constants:
/// it translates the last three to the numbers that drivers from 580.82 on use.
pub(super) const EVENT_FIELDS: [u32; CountedEvent::ALL.len()] = [
    SW_POWER_CAP,
    SYNC_BOOST,
    SW_THERM_SLOWDOWN,
    HW_THERM_SLOWDOWN,
    HW_POWER_BRAKE_SLOWDOWN,
];

pub(super) fn read(probe: &mut Probe, fans: u32, utilization: Option<&Utilization>) -> Slow {
    let memory = probe
        .ask(Call::MemoryInfo, |card| card.device().memory_info())
        .ok();
    let [
        corrected_volatile,
        corrected,
        uncorrected_volatile,
        uncorrected,
    ] = ecc_errors(probe);
    Slow {
        graphics_clock: clock(probe, Call::GraphicsClock, Clock::Graphics),
        memory_clock: clock(probe, Call::MemoryClock, Clock::Memory),
        video_clock: clock(probe, Call::VideoClock, Clock::Video),
        performance_state: performance_state(probe),
        persistence_mode: probe
            .ask(Call::PersistenceMode, |card| {
                card.device().is_in_persistent_mode()
            })
            .ok(),
        memory_utilization: utilization.map(|rates| Ratio::from_percent(rates.memory)),
        memory_total_bytes: memory.as_ref().map(|memory| memory.total),
        memory_used_bytes: memory.as_ref().map(|memory| memory.used),
        energy_millijoules: probe
            .ask(Call::Energy, |card| {
                card.device().total_energy_consumption()
            })
            .ok(),
        fan_speeds: (0..fans).map(|fan| fan_speed(probe, fan)).collect(),
        ecc_corrected: [corrected_volatile, corrected],
        ecc_uncorrected: [uncorrected_volatile, uncorrected],
        event_nanoseconds: event_nanoseconds(probe),
    }
}

fn clock(probe: &mut Probe, call: Call, domain: Clock) -> Option<Megahertz> {
    let clock = probe.ask(call, |card| card.device().clock_info(domain));
    clock.ok().map(Megahertz::new)
}

fn performance_state(probe: &mut Probe) -> Option<u32> {
    let state = probe.ask(Call::PerformanceState, |card| {
        card.device().performance_state()
    });
    match state {
        Ok(PerformanceState::Unknown) | Err(_) => None,
        Ok(state) => Some(state.as_c()),
    }
}

/// The speed the fan is told, as a share of its maximum; a share above 1 is possible.
fn fan_speed(probe: &mut Probe, fan: u32) -> Option<Ratio> {
    let percent = probe.ask(Call::Fan(fan), |card| card.device().fan_speed(fan));
    percent.ok().map(Ratio::from_percent)
}

fn ecc_errors(probe: &mut Probe) -> [Option<u64>; ECC.len()] {
    let mut counts = [None; ECC.len()];
    for (place, (kind, counter)) in ECC.into_iter().enumerate() {
        counts[place] = probe
            .ask(Call::Ecc(place), |card| {
                card.device().total_ecc_errors(kind, counter)
            })
            .ok();
    }
    counts
}

/// All event times in one call. Answers are told apart by their place: the id that comes back is
/// the driver's, not the one asked for.
fn event_nanoseconds(probe: &mut Probe) -> [Option<u64>; EVENT_FIELDS.len()] {
    let mut times = [None; EVENT_FIELDS.len()];
    let wanted: Vec<usize> = (0..EVENT_FIELDS.len())
        .filter(|&place| !probe.lacks(Call::EventTime(place)))
        .collect();
    if wanted.is_empty() {
        return times;
    }
    let ids: Vec<FieldId> = wanted
        .iter()
        .map(|&place| FieldId(EVENT_FIELDS[place]))
        .collect();
    let Ok(samples) = probe.ask(Call::FieldValues, |card| {
        card.device().field_values_for(&ids)
    }) else {
        return times;
    };
    for (place, sample) in wanted.into_iter().zip(samples) {
        let value = sample.and_then(|sample| sample.value);
        times[place] = probe
            .note(Call::EventTime(place), value)
            .ok()
            .and_then(|value| nanoseconds(&value));
    }
    times
}

/// Only a 64-bit count is believed: in 32 bits, four seconds of throttling would overflow.
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
    fn counters_stand_in_the_order_of_the_events_they_count() {
        // Canonical (driver before 580.82) numbers of nvml.h.
        assert_eq!(EVENT_FIELDS, [74, 76, 251, 252, 253]);
        let names = CountedEvent::ALL.map(CountedEvent::name);
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
