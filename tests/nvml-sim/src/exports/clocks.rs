//! Clocks: what they are, what they could be, why they aren't higher, and locks on them.

use super::ffi::{Array, Out, answer, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::layout::{Card, Lock};
use crate::operate::{self, Write};
use crate::session::{Access, Handle, Seen, with_card};

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
        2 => Ok(memory_clock(seen)),
        3 => Ok(video(sm_clock(seen))),
        _ => Err(Code::InvalidArgument),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetClockInfo(device: Handle, kind: u32, out: Out<'_, u32>) -> u32 {
    get(device, CLOCKS, out, |seen| clock(seen, kind))
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
    get(device, CLOCKS, out, |seen| {
        let highest = seen.profile.gpu_clock_max.megahertz();
        match kind {
            0 | 1 => Ok(highest),
            2 => Ok(seen
                .profile
                .memory_clocks
                .first()
                .map_or(0, |clock| clock.megahertz())),
            3 => Ok(video(highest)),
            _ => Err(Code::InvalidArgument),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedMemoryClocks(
    device: Handle,
    count: Option<&mut u32>,
    clocks: Array<u32>,
) -> u32 {
    answer(|| {
        let supported = with_card(device, CLOCKS, |seen| Ok(memory_clocks(&seen)))?;
        clocks.fill(count, &supported)
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
        let supported = with_card(device, CLOCKS, |seen| {
            if !memory_clocks(&seen).contains(&memory) {
                return Err(Code::NotFound);
            }
            let (lowest, highest) = (
                seen.profile.gpu_clock_min.megahertz(),
                seen.profile.gpu_clock_max.megahertz(),
            );
            Ok((lowest..=highest)
                .rev()
                .step_by(CLOCK_STEP)
                .collect::<Vec<_>>())
        })?;
        clocks.fill(count, &supported)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksEventReasons(device: Handle, out: Out<'_, u64>) -> u32 {
    get(device, Access::Read(Feature::Events), out, |seen| {
        Ok(seen.flow().events.bits())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    nvmlDeviceGetCurrentClocksEventReasons(device, out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedClocksEventReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    get(device, Access::Read(Feature::Events), out, |_| Ok(0x1ff))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedClocksThrottleReasons(
    device: Handle,
    out: Out<'_, u64>,
) -> u32 {
    nvmlDeviceGetSupportedClocksEventReasons(device, out)
}

fn lock(device: Handle, change: impl FnOnce(&mut Card) -> Outcome) -> u32 {
    answer(|| {
        with_card(device, Access::Write(Feature::Locks), |seen| {
            operate::write(seen.card, Write::Lock, change)
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
    lock(device, |card| {
        let (min, max) = (named_clock(min, card), named_clock(max, card));
        operate::lock_sm(card, min, max)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceResetGpuLockedClocks(device: Handle) -> u32 {
    lock(device, |card| {
        card.sm_lock = Lock::NONE;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetMemoryLockedClocks(device: Handle, min: u32, max: u32) -> u32 {
    lock(device, |card| operate::lock_memory(card, min, max))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceResetMemoryLockedClocks(device: Handle) -> u32 {
    lock(device, |card| {
        if !crate::cards::product(card.profile()).memory_lock {
            return Err(Code::NotSupported);
        }
        card.memory_lock = Lock::NONE;
        Ok(())
    })
}
