//! One GPU's thread. If its worker panics, the thread starts another one. The new worker takes over
//! from the journal, as a guard after `kill -9` does, and also knows the entry that the disk refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::units::Moment;

use super::worker::{Setup, Worker};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::{Entry, Journal};
use crate::guard::actuate::unread::Unread;
use crate::guard::gpu::liveness::WatchedDriver;
use crate::guard::state::{GpuHandle, Shared};
use crate::guard::supervisor::Plan;
use crate::guard::tick::Permission;
use crate::guard::watchdog::rests_until;

/// Between two ticks out of turn, however often a GPU is woken.
const WAKE_GAP: Duration = Duration::from_millis(5);

/// Before a worker that panicked is replaced. This is short for a card that heats up, and long enough
/// that a loop of panics doesn't fill the log. Such a loop still feeds the watchdog, because each driver
/// call is a sign of life; `thermal_guard_worker_restarts_total` shows it.
const REPLACE_AFTER: Duration = Duration::from_secs(1);

/// While detached: between two checks for an attach.
const DETACHED_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct WorkerThread {
    pub(crate) plan: Arc<Plan>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) gpu_handle: Arc<GpuHandle>,
    /// False without a lock: another guard may hold the GPU.
    pub(crate) may_write: bool,
    /// Shared by all workers of this GPU: over a slow disk, two writers would tear the file.
    pub(crate) journal: Journal,
}

impl WorkerThread {
    /// Runs until the guard ends. True: it ended because the GPU isn't configured any more.
    pub(crate) fn keep(&self) -> bool {
        loop {
            // A panic leaves only the worker half done, and that is dropped. Shared state is consistent
            // after every statement.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                work(self.worker(), &self.shared, &self.gpu_handle)
            }));
            let Err(panic) = ended else {
                return ended.unwrap_or(false);
            };
            self.gpu_handle.count_panic();
            let identity = &self.gpu_handle.identity;
            let reason = reason(panic.as_ref());
            tracing::error!(gpu = identity.index, uuid = %identity.uuid, reason, "the GPU's control loop panicked: restarting it; please report this line and those before it");
            if self.shared.is_stopping() {
                return false;
            }
            // A restart is a sign of life.
            report(
                &self.shared,
                &self.gpu_handle,
                self.shared.clock.wall() + REPLACE_AFTER,
            );
            thread::park_timeout(REPLACE_AFTER);
        }
    }

    fn worker(&self) -> Worker {
        let identity = self.gpu_handle.identity.clone();
        let uuid = identity.uuid.clone();
        let mut actuation = Actuation::new(uuid, self.journal.clone());
        actuation.set_restore_clock(self.shared.live().restore_clock);
        if !self.may_write {
            actuation.set_permission(Permission::Denied);
        }
        let mut unread = None;
        let left = self
            .may_write
            .then(|| self.left_behind(&mut unread))
            .flatten();
        if self.journal.latest().is_some() {
            actuation.rewrite_journal();
        }
        let driver = self.plan.driver.clone();
        let liveness = self.gpu_handle.liveness.clone();
        let setup = Setup {
            identity,
            driver: Arc::new(WatchedDriver::new(driver, liveness, self.shared.clock)),
            actuation,
            left,
            may_write: self.may_write,
        };
        let mut worker = Worker::new(setup, self.shared.live());
        if let Some(unread) = unread {
            worker.take_up_later(unread);
        }
        if let Some(tick) = self.gpu_handle.latest() {
            worker.count_on(tick.counters.clone());
        }
        worker
    }

    /// The claim of the worker before, or else of a dead guard. The worker's own entry comes first: the
    /// disk may have refused it.
    fn left_behind(&self, unread: &mut Option<Unread>) -> Option<Entry> {
        if self.journal.is_unread() {
            // The worker before this one couldn't read it either.
            *unread = self.unread();
        }
        if let Some(entry) = self.journal.latest() {
            return (!entry.claim.is_empty()).then_some(entry);
        }
        let identity = &self.gpu_handle.identity;
        let dirs = self.plan.journal_dirs()?;
        journal::load(&dirs, &identity.uuid).unwrap_or_else(|error| {
            let (gpu, uuid) = (identity.index, &identity.uuid);
            if error.is_unread() {
                tracing::error!(gpu, %uuid, %error, "journal can't be read now: the GPU is guarded all the same, nothing is raised, and what the guard before left is taken over once it can be read; check the disk of --state.dir");
                *unread = self.unread();
            } else {
                tracing::error!(gpu, %uuid, %error, "journal not readable: what the guard before left can't be given back; compare the GPU's limit with its default");
            }
            None
        })
    }

    fn unread(&self) -> Option<Unread> {
        let dirs = self.plan.journal_dirs()?;
        let uuid = &self.gpu_handle.identity.uuid;
        Some(Unread::new(dirs, uuid, self.journal.clone()))
    }
}

/// The message of a panic.
fn reason(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("no reason given")
}

/// Ticks until the guard ends, and early when something can't wait. True: the GPU isn't configured any
/// more.
fn work(mut worker: Worker, shared: &Shared, gpu_handle: &GpuHandle) -> bool {
    let clock = shared.clock;
    let mut due = clock.wall();
    let mut woken = None;
    while !shared.is_stopping() {
        if shared.is_detached() {
            worker.leave(clock.now(), shared);
            gpu_handle.publish(worker.idle(clock.now(), shared));
            let now = clock.wall();
            let until = report(shared, gpu_handle, now + DETACHED_EVERY);
            thread::park_timeout(until.since(now));
            continue;
        }
        let began = clock.wall();
        gpu_handle.publish(worker.tick(clock.now(), began, shared));
        if worker.is_retired() {
            worker.retire(clock.now(), shared);
            tracing::info!(gpu = gpu_handle.identity.index, uuid = %gpu_handle.identity.uuid, "not guarded any more, as configured");
            return true;
        }
        let period = clock.on_wall(shared.live().poll_interval);
        due = next(due, began, period);
        rest(shared, gpu_handle, due, &mut woken);
    }
    worker.leave(clock.now(), shared);
    false
}

/// When the tick after one that began at `began` is due. Missed ticks are not made up for.
fn next(due: Moment, began: Moment, period: Duration) -> Moment {
    if began < due {
        due
    } else {
        (due + period).max(began)
    }
}

/// Reports that the loop runs, and that it will tick at `due`. Returns when it must report again: at
/// `due`, or sooner if the watchdog's deadline is shorter than the poll interval.
fn report(shared: &Shared, gpu_handle: &GpuHandle, due: Moment) -> Moment {
    let until = rests_until(shared.clock.wall(), due, shared.watchdog_period());
    gpu_handle.liveness.beat(until);
    shared.feed_watchdog();
    until
}

/// Sleeps until `due` or until woken. After the last time it was `woken`, a gap must pass.
fn rest(shared: &Shared, gpu_handle: &GpuHandle, due: Moment, woken: &mut Option<Moment>) {
    let clock = shared.clock;
    loop {
        let until = report(shared, gpu_handle, due);
        let left = until.since(clock.wall());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
        if clock.wall() >= due {
            return;
        }
        if gpu_handle.take_wake() {
            break;
        }
    }
    let gap = woken.map(|last| (last + WAKE_GAP).since(clock.wall()));
    if let Some(gap) = gap.filter(|gap| !gap.is_zero()) {
        thread::sleep(gap);
    }
    *woken = Some(clock.wall());
}
