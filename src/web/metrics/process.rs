//! `process_*`, as every Prometheus client library has them, from `/proc/self`. Without `/proc`
//! there are none.

use std::fmt;

use std::sync::OnceLock;
use std::time::Duration;

use procfs::process::{Process, Stat};
use procfs::{CurrentSI, KernelStats};
use rustix::process::{Resource, getrlimit};

use super::families::Families;
use super::labels::Labels;

/// For so long it isn't asked again: the kernel takes longer over this than all else of a scrape.
pub(super) const HOLDS: Duration = Duration::from_millis(100);

pub(super) fn encode(families: &mut Families<'_>) -> fmt::Result {
    let process = Process::myself().ok();
    let stat = process.as_ref().and_then(|process| process.stat().ok());
    let ticks = procfs::ticks_per_second() as f64;
    let cpu = |stat: &Stat| (stat.utime + stat.stime) as f64 / ticks;
    let resident = |stat: &Stat| stat.rss as f64 * procfs::page_size() as f64;

    families.counter(
        "process_cpu_seconds_total",
        "CPU time used, user and system, in seconds",
        stat.as_ref().map(|stat| (Labels::new(), cpu(stat))),
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
        getrlimit(Resource::Nofile).current.map(|most| most as f64),
    )
}

/// Seconds since the Unix epoch. The boot's time is that of the first look, as every other look
/// takes the kernel long on a machine of many cores.
fn started(stat: &Stat) -> Option<f64> {
    static BOOT: OnceLock<Option<u64>> = OnceLock::new();
    let boot = BOOT.get_or_init(|| Some(KernelStats::current().ok()?.btime));
    let ticks = procfs::ticks_per_second() as f64;
    Some((*boot)? as f64 + stat.starttime as f64 / ticks)
}
