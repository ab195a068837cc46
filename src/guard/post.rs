//! One GPU's post: the thread that ticks, and what becomes of it when its worker panics. The next
//! worker finds what the one before had done where a guard after `kill -9` would: in the journal,
//! and also what that couldn't put on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::units::Moment;

use super::actuate::Hand;
use super::feed::{Feed, rests_until};
use super::journal::{self, Entry, Journal};
use super::pulse::Felt;
use super::shared::{Shared, Station};
use super::supervisor::Plan;
use super::tick::Permission;
use super::unread::Unread;
use super::worker::{Setup, Worker};

/// Between two ticks out of turn, however often a GPU is woken. A tick in turn keeps nobody waiting.
const WAKE_GAP: Duration = Duration::from_millis(5);

/// Before a worker that panicked is replaced: short against what heats a card, long against a loop
/// of panics that would fill the log. Such a loop still feeds the watchdog, as each of its calls into
/// the driver is a sign of life: `thermal_guard_worker_restarts_total` is what tells.
const REPLACE_AFTER: Duration = Duration::from_secs(1);

/// Between two looks whether the guard is attached again.
const DETACHED_LOOK: Duration = Duration::from_secs(1);

pub(super) struct Post {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    pub(super) station: Arc<Station>,
    /// False without a lock: another guard may hold the GPU.
    pub(super) may_write: bool,
    /// Of all its workers: two writers over a slow disk would tear the file.
    pub(super) journal: Journal,
}

impl Post {
    /// Until the guard ends, or (true) the GPU isn't configured any more.
    pub(super) fn keep(&self) -> bool {
        loop {
            // What a panic leaves half done is the worker's, which goes with it; what is shared is
            // whole after every statement.
            let ended = catch_unwind(AssertUnwindSafe(|| {
                work(self.worker(), &self.shared, &self.station)
            }));
            let Err(panic) = ended else {
                return ended.unwrap_or(false);
            };
            self.station.count_panic();
            let identity = &self.station.identity;
            let reason = reason(panic.as_ref());
            tracing::error!(gpu = identity.index, uuid = %identity.uuid, reason, "the GPU's control loop panicked: starting it anew; please report this line and those before it");
            if self.shared.is_stopping() {
                return false;
            }
            // To start anew is a sign of life.
            come_by(
                &self.shared,
                &self.station,
                self.shared.clock.wall() + REPLACE_AFTER,
            );
            thread::park_timeout(REPLACE_AFTER);
        }
    }

    fn worker(&self) -> Worker {
        let identity = self.station.identity.clone();
        let uuid = identity.uuid.clone();
        let mut hand = Hand::new(uuid, self.journal.clone());
        hand.set_restore_clock(self.shared.live().restore_clock);
        if !self.may_write {
            hand.set_permission(Permission::Denied);
        }
        let mut unread = None;
        let left = self
            .may_write
            .then(|| self.left_behind(&mut unread))
            .flatten();
        if self.journal.latest().is_some() {
            hand.journal_anew();
        }
        let driver = self.plan.driver.clone();
        let pulse = self.station.pulse.clone();
        let setup = Setup {
            identity,
            driver: Arc::new(Felt::new(driver, pulse, self.shared.clock)),
            hand,
            left,
            may_write: self.may_write,
        };
        let mut worker = Worker::new(setup, self.shared.live());
        if let Some(unread) = unread {
            worker.take_up_later(unread);
        }
        if let Some(tick) = self.station.latest() {
            worker.count_on(tick.tally.clone());
        }
        worker
    }

    /// What the worker before held, or else a dead guard. A worker's own word comes first: the disk
    /// may have refused it.
    fn left_behind(&self, unread: &mut Option<Unread>) -> Option<Entry> {
        if self.journal.is_unread() {
            // Still so for the worker before this one.
            *unread = self.unread();
        }
        if let Some(entry) = self.journal.latest() {
            return (!entry.claim.is_empty()).then_some(entry);
        }
        let identity = &self.station.identity;
        let state_dir = self.plan.state_dir.as_deref()?;
        journal::load(state_dir, &identity.uuid).unwrap_or_else(|error| {
            let (gpu, uuid) = (identity.index, &identity.uuid);
            if error.is_unread() {
                tracing::error!(gpu, %uuid, %error, "journal can't be read now: the GPU is guarded all the same, nothing is raised, and what a dead guard left is taken up once it can be read; look at the disk of --state.dir");
                *unread = self.unread();
            } else {
                tracing::error!(gpu, %uuid, %error, "journal not readable: what a dead guard left can't be given back; compare the GPU's limit with its default");
            }
            None
        })
    }

    fn unread(&self) -> Option<Unread> {
        let state_dir = self.plan.state_dir.as_deref()?;
        let uuid = &self.station.identity.uuid;
        Some(Unread::new(state_dir, uuid, self.journal.clone()))
    }
}

/// What a panic says of itself.
fn reason(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("no reason given")
}

/// A worker's life: tick by tick, woken early by what can't wait. True: the GPU isn't configured any
/// more.
fn work(mut worker: Worker, shared: &Shared, station: &Station) -> bool {
    let clock = shared.clock;
    let mut due = clock.wall();
    let mut woken = None;
    while !shared.is_stopping() {
        if shared.is_detached() {
            worker.leave(clock.now(), shared);
            station.publish(worker.idle(clock.now(), clock.wall()));
            let now = clock.wall();
            let until = come_by(shared, station, now + DETACHED_LOOK);
            thread::park_timeout(until.since(now));
            continue;
        }
        let began = clock.wall();
        let mut tick = worker.tick(clock.now(), began, shared);
        tick.poll_duration = clock.wall().since(began);
        station.publish(tick);
        if worker.is_retired() {
            worker.leave(clock.now(), shared);
            tracing::info!(gpu = station.identity.index, uuid = %station.identity.uuid, "not guarded any more, as configured");
            return true;
        }
        let period = clock.on_wall(shared.live().poll_interval);
        due = next(due, began, period);
        rest(shared, station, due, &mut woken);
    }
    worker.leave(clock.now(), shared);
    false
}

/// The tick after one that began at `began`: on the beat, and missed beats are not made up for.
fn next(due: Moment, began: Moment, period: Duration) -> Moment {
    if began < due {
        due
    } else {
        (due + period).max(began)
    }
}

/// The loop is well, and means to tick at `due`. Returns when it must come by again: at `due`, or
/// sooner, for a watchdog that waits for less than the poll interval.
fn come_by(shared: &Shared, station: &Station, due: Moment) -> Moment {
    let feed = shared.feed();
    let until = rests_until(shared.clock.wall(), due, feed.map(Feed::every));
    station.pulse.beat(until);
    if let Some(feed) = feed {
        feed.come_by(shared);
    }
    until
}

/// Sleeps until `due`, or until woken, but not again within the gap after it was `woken` last.
fn rest(shared: &Shared, station: &Station, due: Moment, woken: &mut Option<Moment>) {
    let clock = shared.clock;
    loop {
        let until = come_by(shared, station, due);
        let left = until.since(clock.wall());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
        if clock.wall() >= due {
            return;
        }
        if station.take_wake() {
            break;
        }
    }
    let gap = woken.map(|last| (last + WAKE_GAP).since(clock.wall()));
    if let Some(gap) = gap.filter(|gap| !gap.is_zero()) {
        thread::sleep(gap);
    }
    *woken = Some(clock.wall());
}
