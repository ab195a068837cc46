//! Who waits for an event sleeps until another process reports one, as with a driver's interrupt: a waiter
//! that looked every quarter of a second took a twelfth of the CPU of the guard that was to be measured.
//!
//! The count of the Xids lies in the file that all processes map, and the kernel can wait for it to change.

use std::ptr::null;
use std::time::Duration;

use crate::layout::Bench;

/// The count as it was seen, and where it lies. If the file is unmapped meanwhile, the kernel refuses the
/// address.
#[derive(Clone, Copy, Debug)]
pub struct Doorbell {
    count: *const u32,
    seen: u32,
}

impl Doorbell {
    pub fn of(bench: &Bench) -> Self {
        Self {
            count: word(bench),
            seen: low_half(bench.xid_count),
        }
    }
}

/// Waits until an Xid is reported or `at_most` is over, or for no reason.
pub fn wait(bell: Doorbell, at_most: Duration) {
    let timeout = libc::timespec {
        tv_sec: at_most.as_secs().cast_signed(),
        tv_nsec: i64::from(at_most.subsec_nanos()),
    };
    // SAFETY: the kernel checks the address, and reads the timeout before the call returns.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            bell.count,
            libc::FUTEX_WAIT,
            bell.seen,
            &raw const timeout,
            null::<u32>(),
            0,
        );
    }
}

/// Wakes all who wait, in every process.
pub fn ring(bench: &Bench) {
    // SAFETY: the address is that of a mapped field, and nothing is written to it.
    unsafe {
        libc::syscall(libc::SYS_futex, word(bench), libc::FUTEX_WAKE, i32::MAX);
    }
}

/// The half of the count that changes with each Xid: the first one, on the machines that this runs on.
fn word(bench: &Bench) -> *const u32 {
    (&raw const bench.xid_count).cast()
}

fn low_half(count: u64) -> u32 {
    u32::try_from(count & u64::from(u32::MAX)).unwrap_or_default()
}
