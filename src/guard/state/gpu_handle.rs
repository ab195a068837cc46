//! One GPU under guard, as everything but its worker sees it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::device::Identity;
use crate::guard::gpu::liveness::Liveness;
use crate::guard::state::generation::Generation;
use crate::guard::state::history::{History, Point};
use crate::guard::tick::Tick;
use crate::units::{Celsius, Moment};

/// Where one GPU's worker publishes, and where it is woken.
pub struct GpuHandle {
    /// As first opened; [`GpuHandle::current_identity`] is newer.
    pub identity: Arc<Identity>,
    /// The worker's.
    pub liveness: Arc<Liveness>,
    /// How often its worker panicked and was replaced.
    panics: AtomicU64,
    /// That of the guard with which it is registered.
    pub(super) generation: OnceLock<Generation>,
    latest: watch::Sender<Option<Arc<Tick>>>,
    history: Mutex<History>,
    thread: Mutex<Option<Thread>>,
    /// A tick is wanted now. Needed beside `unpark`, which ends any wait of the thread.
    woken: AtomicBool,
}

impl GpuHandle {
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            liveness: Arc::default(),
            panics: AtomicU64::new(0),
            generation: OnceLock::new(),
            latest: watch::Sender::new(None),
            history: Mutex::default(),
            thread: Mutex::default(),
            woken: AtomicBool::new(false),
        }
    }

    pub fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.changed();
    }

    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub fn latest(&self) -> Option<Arc<Tick>> {
        self.latest.borrow().clone()
    }

    /// As last opened: MIG instances come and go.
    pub fn current_identity(&self) -> Arc<Identity> {
        let latest = self.latest();
        latest.map_or_else(|| self.identity.clone(), |tick| tick.identity.clone())
    }

    /// The last hour in points after number `after`, oldest first.
    pub fn points(&self, now: Moment, after: Option<u32>) -> Vec<Point> {
        let history = self.history.lock();
        let points = history.points(now);
        let new = points.filter(|point| after.is_none_or(|after| point.slot > after));
        new.copied().collect()
    }

    /// Highest and mean core temperature of the last hour.
    pub fn max_and_mean(&self, now: Moment) -> Option<(Celsius, Celsius)> {
        self.history.lock().max_and_mean(now)
    }

    /// Every new tick, for event streams.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Tick>>> {
        self.latest.subscribe()
    }

    pub fn publish(&self, tick: Tick) {
        self.history.lock().record(&tick);
        self.latest.send_replace(Some(Arc::new(tick)));
        self.changed();
    }

    fn changed(&self) {
        if let Some(generation) = self.generation.get() {
            generation.advance();
        }
    }

    /// The thread to wake.
    pub fn set_thread(&self, thread: Thread) {
        *self.thread.lock() = Some(thread);
    }

    /// Whether it was woken since the last call.
    pub fn take_wake(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    /// Something that concerns the GPU has changed: the worker ticks now, and views are made again.
    pub fn wake(&self) {
        self.changed();
        self.woken.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().as_ref() {
            thread.unpark();
        }
    }
}
