//! Clocks: what they are, what they could be, why they aren't higher, and locks on them.

use thermal_guard::device::nvml::reasons_mask;
use thermal_guard::sim::faults::{Call, bits};

use super::ffi::{Array, Out, answer, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::layout::{Card, Lock};
use crate::operate::{self, Write};
use crate::session::{Access, Asked, Handle, Seen, with_card};
use crate::setters::{self, Domain};

const CLOCKS: Access = Access::Read(Feature::Clocks);

/// Step between two supported graphics clocks, in MHz.
const CLOCK_STEP: usize = 15;

/// Video engines run a little below the SMs.
const fn video(graphics: u32) -> u32 {
    graphics * 9 / 10
}

/// Memory clock: the highest at work, the lowest at rest, within the lock.
fn memory_clock(seen: &Seen<'_>) -> u32 {
    let clocks = seen.profile.memory_clocks;
    let busy = seen.card.load.power > 0.0;
    let free = if busy { clocks.first() } else { clocks.last() };
    let free = free.map_or(0, |clock| clock.megahertz());
    match seen.card.memory_lock {
        Lock::NONE => free,
        Lock { min, max } => free.clamp(min, max),
    }
}

/// SM clock: what the load and the limits leave, never below the lower end of a lock at rest.
fn sm_clock(seen: &Seen<'_>) -> u32 {
    let free = seen.flow().gpu_clock.megahertz();
    let lock = seen.card.sm_lock;
    if lock == Lock::NONE || seen.card.load.power > 0.0 {
        free
    } else {
        free.clamp(lock.min, lock.max)
    }
}

/// By `nvmlClockType_t`.
fn clock(seen: &Seen<'_>, kind: u32) -> Outcome<u32> {
    match kind {
        0 | 1 => Ok(sm_clock(seen)),
        2 if seen.profile.memory_clocks.is_empty() => Err(Code::NotSupported),
        2 => Ok(memory_clock(seen)),
        3 => Ok(video(sm_clock(seen))),
        _ => Err(Code::InvalidArgument),
    }
}

/// By `nvmlClockType_t`.
fn call(kind: u32) -> Option<Call> {
    Some(match kind {
        0 => Call::GraphicsClock,
        1 => Call::SmClock,
        2 => Call::MemoryClock,
        3 => Call::VideoClock,
        _ => return None,
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetClockInfo(device: Handle, kind: u32, out: Out<'_, u32>) -> u32 {
    let asked = Asked {
        access: CLOCKS,
        call: call(kind),
    };
    get(device, asked, out, |seen| {
        seen.told_or(bits, |seen| clock(seen, kind))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetClock(
    device: Handle,
    kind: u32,
    which: u32,
    out: Out<'_, u32>,
) -> u32 {
    // Of nvmlClockId_t, only the current clock.
    get(device, CLOCKS, out, |seen| {
        if which == 0 {
            clock(seen, kind)
        } else {
            Err(Code::NotSupported)
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxClockInfo(device: Handle, kind: u32, out: Out<'_, u32>) -> u32 {
    get(device, CLOCKS.by(Call::MaxClock), out, |seen| {
        seen.told_or(bits, |seen| max_clock(seen, kind))
    })
}

/// By `nvmlClockType_t`.
fn max_clock(seen: &Seen<'_>, kind: u32) -> Outcome<u32> {
    if !seen.card.faults.told.has_max_clock() {
        return Err(Code::NotSupported);
    }
    let highest = seen.profile.gpu_clock_max.megahertz();
    let memory = seen.profile.memory_clocks.first();
    match kind {
        0 | 1 => Ok(highest),
        2 => memory
            .map(|clock| clock.megahertz())
            .ok_or(Code::NotSupported),
        3 => Ok(video(highest)),
        _ => Err(Code::InvalidArgument),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedMemoryClocks(
    device: Handle,
    count: Option<&mut u32>,
    clocks: Array<u32>,
) -> u32 {
    answer(|| {
        let asked = CLOCKS.by(Call::SupportedMemoryClocks);
        let supported = with_card(device, asked, |seen| listed(&seen, memory_clocks))?;
        clocks.fill(count, &supported)
    })
}

/// A list of the one clock that it was told to be, of none, or the true one where there is one.
fn listed(seen: &Seen<'_>, truth: impl FnOnce(&Seen<'_>) -> Vec<u32>) -> Outcome<Vec<u32>> {
    let told = |number| match bits(number) {
        0 => Vec::new(),
        clock => vec![clock],
    };
    seen.told_or(told, |seen| {
        let has_lists = seen.card.faults.told.has_clock_lists();
        has_lists.then(|| truth(seen)).ok_or(Code::NotSupported)
    })
}

fn memory_clocks(seen: &Seen<'_>) -> Vec<u32> {
    seen.profile
        .memory_clocks
        .iter()
        .map(|clock| clock.megahertz())
        .collect()
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedGraphicsClocks(
    device: Handle,
    memory: u32,
    count: Option<&mut u32>,
    clocks: Array<u32>,
) -> u32 {
    answer(|| {
        let asked = CLOCKS.by(Call::SupportedGraphicsClocks);
        let supported = with_card(device, asked, |seen| {
            let supported = listed(&seen, graphics_clocks)?;
            let is_known = seen.told.is_some() || memory_clocks(&seen).contains(&memory);
            is_known.then_some(supported).ok_or(Code::NotFound)
        })?;
        clocks.fill(count, &supported)
    })
}

fn graphics_clocks(seen: &Seen<'_>) -> Vec<u32> {
    let lowest = seen.profile.gpu_clock_min.megahertz();
    let highest = seen.profile.gpu_clock_max.megahertz();
    (lowest..=highest).rev().step_by(CLOCK_STEP).collect()
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksEventReasons(device: Handle, out: Out<'_, u64>) -> u32 {
    reasons(device, out, Call::EventReasons)
}

fn reasons(device: Handle, out: Out<'_, u64>, call: Call) -> u32 {
    let asked = Access::Read(Feature::Events).by(call);
    get(device, asked, out, |seen| {
        seen.told_or(i64::cast_unsigned, |seen| {
            Ok(seen
                .card
                .faults
                .events
                .told(reasons_mask(seen.flow().slowdown_reasons)))
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    reasons(device, out, Call::ThrottleReasons)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedClocksEventReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    let asked = Access::Read(Feature::Events).by(Call::SupportedEventReasons);
    get(device, asked, out, |seen| {
        seen.told_or(i64::cast_unsigned, |_| Ok(0x1ff))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedClocksThrottleReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    nvmlDeviceGetSupportedClocksEventReasons(device, out)
}

fn lock(
    device: Handle,
    call: Call,
    change: impl FnOnce(&mut Card, f64, Option<i64>) -> Outcome,
) -> u32 {
    answer(|| {
        let asked = Access::Write(Feature::Locks).by(call);
        with_card(device, asked, |seen| {
            operate::write(seen.card, Write::Lock, |card| {
                change(card, seen.now, seen.told)
            })
        })
    })
}

/// `NVML_CLOCK_LIMIT_ID_*`: a clock by name is the highest one here.
fn named_clock(megahertz: u32, card: &Card) -> u32 {
    if megahertz >= 0xffff_ff00 {
        card.profile().gpu_clock_max.megahertz()
    } else {
        megahertz
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetGpuLockedClocks(device: Handle, min: u32, max: u32) -> u32 {
    lock(device, Call::LockGpuClock, |card, now, told| {
        let ends = (named_clock(min, card), named_clock(max, card));
        setters::request_lock(card, Domain::Sm, now, ends, told)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceResetGpuLockedClocks(device: Handle) -> u32 {
    lock(device, Call::ResetGpuClock, |card, _, _| {
        setters::request_reset(card, Domain::Sm)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetMemoryLockedClocks(device: Handle, min: u32, max: u32) -> u32 {
    lock(device, Call::LockMemoryClock, |card, now, told| {
        setters::request_lock(card, Domain::Memory, now, (min, max), told)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceResetMemoryLockedClocks(device: Handle) -> u32 {
    lock(device, Call::ResetMemoryClock, |card, _, _| {
        setters::request_reset(card, Domain::Memory)
    })
}
