//! The one place that reads clocks.

use std::time::Duration;

/// Time since boot, the same in every process: what the physics runs on. A state file of an
/// earlier boot lies in the future or far in the past; both are harmless, see
/// [`crate::physics::catch_up`].
pub fn since_boot() -> Duration {
    read(libc::CLOCK_BOOTTIME)
}

/// What a process's timers go by, the same in every process: what a [`crate::trace`] is stamped with.
pub fn monotonic() -> Duration {
    read(libc::CLOCK_MONOTONIC)
}

/// Time since 1970: what NVML stamps field values with.
pub fn since_1970() -> Duration {
    read(libc::CLOCK_REALTIME)
}

fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec to write to, and every Linux has these clocks.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
