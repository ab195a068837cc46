//! `process_*`, as every Prometheus client library has them, from `/proc/self`. Without `/proc`
//! there are none.

use std::fmt;
use std::sync::OnceLock;

use procfs::process::{Process, Stat};
use procfs::{CurrentSI, KernelStats};
use rustix::process::{Resource, getrlimit};

use super::families::Families;

pub(crate) fn encode(families: &mut Families<'_>) -> fmt::Result {
    let process = Process::myself().ok();
    let stat = process.as_ref().and_then(|process| process.stat().ok());
    let ticks = procfs::ticks_per_second() as f64;
    let stat = stat.as_ref();

    families.total(
        "process_cpu_seconds_total",
        "CPU time used, user and system, in seconds.",
        stat.map(|stat| (stat.utime + stat.stime) as f64 / ticks),
    )?;
    families.single(
        "process_resident_memory_bytes",
        "Resident memory in bytes.",
        stat.map(|stat| stat.rss * procfs::page_size()),
    )?;
    families.single(
        "process_virtual_memory_bytes",
        "Virtual memory in bytes.",
        stat.map(|stat| stat.vsize),
    )?;
    families.single(
        "process_start_time_seconds",
        "When the process started, in seconds since the Unix epoch.",
        stat.and_then(started),
    )?;
    families.single(
        "process_open_fds",
        "Open file descriptors.",
        process
            .as_ref()
            .and_then(|process| Some(process.fd_count().ok()? as u64)),
    )?;
    families.single(
        "process_max_fds",
        "Limit of open file descriptors.",
        getrlimit(Resource::Nofile).current,
    )
}

/// Seconds since the Unix epoch. The boot's time is read once only: on a machine of many cores the
/// kernel takes long to tell it.
fn started(stat: &Stat) -> Option<f64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    let boot = BOOT.get_or_init(|| Some(KernelStats::current().ok()?.btime));
    let ticks = procfs::ticks_per_second() as f64;
    Some((*boot)? as f64 + stat.starttime as f64 / ticks)
}
