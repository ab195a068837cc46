//! Event sets: how a program hears of Xids without asking.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nvml_wrapper_sys::bindings::nvmlEventData_t;

use super::ffi::{Out, answer, get, put};
use crate::clock;
use crate::code::{Code, Outcome};
use crate::doorbell::{self, Doorbell};
use crate::fault::Feature;
use crate::layout::{Bench, MAX_GPUS, MAX_XIDS};
use crate::session::{Access, Handle, with_bench, with_card};

const XID_CRITICAL_ERROR: u64 = 8;
/// ECC, performance state, Xid, clock: what real cards say they can report.
const SUPPORTED: u64 = 0x1f;
/// The longest wait between two looks at whether the driver is still there.
const LOOK: Duration = Duration::from_secs(2);
/// Of `gpuInstanceId` and `computeInstanceId`: not one of a MIG instance.
const NO_INSTANCE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Set {
    /// Event types wanted, by GPU.
    wanted: [u64; MAX_GPUS],
    /// Number of the next Xid it hasn't seen.
    next: u64,
}

/// The process's sets by handle. Handles aren't pointers: a freed one is an error, not a crash.
static SETS: Mutex<BTreeMap<usize, Set>> = Mutex::new(BTreeMap::new());

fn with_sets<T>(call: impl FnOnce(&mut BTreeMap<usize, Set>) -> T) -> T {
    call(&mut SETS.lock().unwrap_or_else(PoisonError::into_inner))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlEventSetCreate(out: Out<'_, usize>) -> u32 {
    answer(|| {
        let next = with_bench(|bench| Ok(bench.xid_count))?;
        let handle = with_sets(|sets| {
            let handle = sets
                .last_key_value()
                .map_or(0x5e70_0000, |(last, _)| last + 1);
            sets.insert(
                handle,
                Set {
                    wanted: [0; MAX_GPUS],
                    next,
                },
            );
            handle
        });
        put(out, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlEventSetFree(set: usize) -> u32 {
    answer(|| {
        with_sets(|sets| sets.remove(&set))
            .map(|_| ())
            .ok_or(Code::InvalidArgument)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSupportedEventTypes(device: Handle, out: Out<'_, u64>) -> u32 {
    get(device, Access::Read(Feature::Always), out, |_| {
        Ok(SUPPORTED)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceRegisterEvents(device: Handle, types: u64, set: usize) -> u32 {
    answer(|| {
        if types & !SUPPORTED != 0 {
            return Err(Code::NotSupported);
        }
        let index = with_card(device, Access::Read(Feature::Always), |seen| Ok(seen.index))?;
        with_sets(|sets| {
            sets.get_mut(&set).ok_or(Code::InvalidArgument)?.wanted[index] |= types;
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlEventSetWait_v2(
    set: usize,
    out: Out<'_, nvmlEventData_t>,
    timeout_ms: u32,
) -> u32 {
    answer(|| {
        let end = clock::since_boot() + Duration::from_millis(timeout_ms.into());
        loop {
            let (event, news) = take(set)?;
            if let Some(event) = event {
                return put(out, event);
            }
            let left = end.saturating_sub(clock::since_boot());
            if left.is_zero() {
                return Err(Code::Timeout);
            }
            doorbell::wait(news, left.min(LOOK));
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlEventSetWait(
    set: usize,
    out: Out<'_, nvmlEventData_t>,
    timeout_ms: u32,
) -> u32 {
    nvmlEventSetWait_v2(set, out, timeout_ms)
}

/// The set's next event, if there is one, and what to wait for if there is none.
fn take(set: usize) -> Outcome<(Option<nvmlEventData_t>, Doorbell)> {
    let mut state = with_sets(|sets| sets.get(&set).copied()).ok_or(Code::InvalidArgument)?;
    let look = |bench: &Bench| Ok((next_wanted(bench, &mut state), Doorbell::of(bench)));
    let seen = with_bench(look)?;
    with_sets(|sets| {
        if let Some(known) = sets.get_mut(&set) {
            known.next = state.next;
        }
    });
    Ok(seen)
}

fn next_wanted(bench: &Bench, set: &mut Set) -> Option<nvmlEventData_t> {
    // What has fallen out of the ring is gone, as in the driver's queue.
    set.next = set
        .next
        .max(bench.xid_count.saturating_sub(MAX_XIDS as u64))
        .min(bench.xid_count);
    while set.next < bench.xid_count {
        let slot = usize::try_from(set.next % MAX_XIDS as u64).unwrap_or(0);
        set.next += 1;
        let entry = bench.xids[slot];
        let gpu = entry.gpu as usize;
        if set
            .wanted
            .get(gpu)
            .is_some_and(|wanted| wanted & XID_CRITICAL_ERROR != 0)
        {
            return Some(nvmlEventData_t {
                device: std::ptr::without_provenance_mut(Handle::new(gpu).raw()),
                eventType: XID_CRITICAL_ERROR,
                eventData: entry.code.into(),
                gpuInstanceId: NO_INSTANCE,
                computeInstanceId: NO_INSTANCE,
            });
        }
    }
    None
}
