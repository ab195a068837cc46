//! The one place that reads the clock: nanoseconds since boot, the same in every process.

use std::time::Duration;

/// Time since boot. A state file of an earlier boot lies in the future or far in the past; both
/// are harmless, see [`crate::physics::catch_up`].
pub fn since_boot() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec to write to, and CLOCK_BOOTTIME exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
