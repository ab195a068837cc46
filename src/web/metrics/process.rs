//! `process_*`, as every Prometheus client library has them, from `/proc/self`. Without `/proc`
//! there are none.

use std::fmt;

use procfs::process::{LimitValue, Process, Stat};
use procfs::{CurrentSI, KernelStats};

use super::families::Families;

pub(super) fn encode(families: &mut Families<'_>) -> fmt::Result {
    let process = Process::myself().ok();
    let stat = process.as_ref().and_then(|process| process.stat().ok());
    let ticks = procfs::ticks_per_second() as f64;
    let cpu = |stat: &Stat| (stat.utime + stat.stime) as f64 / ticks;
    let resident = |stat: &Stat| stat.rss as f64 * procfs::page_size() as f64;
    let started = |stat: &Stat| {
        let boot = KernelStats::current().ok()?.btime as f64;
        Some(boot + stat.starttime as f64 / ticks)
    };

    families.counter(
        "process_cpu_seconds_total",
        "CPU time used, user and system, in seconds",
        stat.as_ref().map(|stat| (Vec::new(), cpu(stat))),
    )?;
    families.single(
        "process_resident_memory_bytes",
        "Resident memory in bytes",
        stat.as_ref().map(resident),
    )?;
    families.single(
        "process_virtual_memory_bytes",
        "Virtual memory in bytes",
        stat.as_ref().map(|stat| stat.vsize as f64),
    )?;
    families.single(
        "process_start_time_seconds",
        "When the process started, in seconds since the Unix epoch",
        stat.as_ref().and_then(started),
    )?;
    families.single(
        "process_open_fds",
        "Open file descriptors",
        process
            .as_ref()
            .and_then(|process| Some(process.fd_count().ok()? as f64)),
    )?;
    families.single(
        "process_max_fds",
        "Most file descriptors that may be open",
        process.as_ref().and_then(max_fds),
    )
}

fn max_fds(process: &Process) -> Option<f64> {
    match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit as f64),
        LimitValue::Unlimited => None,
    }
}
