//! What a program and all that it started use of processors and memory.

use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};

/// A process and its descendants.
fn family(root: u32) -> Vec<Process> {
    let mut parents: Vec<(Process, i32)> = all_processes()
        .expect("/proc")
        .filter_map(Result::ok)
        .filter_map(|process| {
            let parent = process.stat().ok()?.ppid;
            Some((process, parent))
        })
        .collect();
    let mut family = Vec::new();
    let mut wanted = vec![i32::try_from(root).expect("a process id")];
    while let Some(id) = wanted.pop() {
        let children = parents.iter().filter(|(_, parent)| *parent == id);
        wanted.extend(children.map(|(process, _)| process.pid()));
        let found = parents.iter().position(|(process, _)| process.pid() == id);
        family.extend(found.map(|at| parents.swap_remove(at).0));
    }
    family
}

/// Processor time so far, user's and kernel's: of the living to the nanosecond, of children that
/// ended to the hundredth of a second.
pub(crate) fn processor(root: u32) -> Duration {
    let each = family(root).into_iter().map(|process| {
        let own = ClockId::pid_cpu_clock_id(Pid::from_raw(process.pid())).and_then(ClockId::now);
        let own = own.map_or(Duration::ZERO, Duration::from);
        let ended = process.stat().map_or(0, |stat| stat.cutime + stat.cstime);
        let ticks = f64::from(u32::try_from(ended).unwrap_or(0));
        own + Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64)
    });
    each.sum()
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All that is resident, the program's own file and its libraries included.
    pub(crate) resident: u64,
    /// What belongs to nobody else: heap and stacks.
    pub(crate) anonymous: u64,
}

pub(crate) fn memory(root: u32) -> Memory {
    let each = family(root).into_iter().filter_map(|one| one.status().ok());
    each.fold(Memory::default(), |sum, status| Memory {
        resident: sum.resident + status.vmrss.unwrap_or(0) * 1024,
        anonymous: sum.anonymous + status.rssanon.unwrap_or(0) * 1024,
    })
}
