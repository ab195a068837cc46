//! What the workers, the web and the supervisor share. Short critical sections only: a worker
//! never waits here for anybody who waits for a GPU or a disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{GpuSelection, SensorConfig};
use crate::device::{ClockRange, DriverError, Identity, Uuid, Xid};
use crate::policy::lease::{Holder, Turn};
use crate::policy::{AppMode, Asked, Chain, ChainState, LeaseTable, Level, Settings, lease};
use crate::units::Moment;

use super::clock::Clock;
use super::events::{Events, What};
use super::feed::Feed;
use super::history::History;
use super::memory;
use super::pulse::Pulse;
use super::roll::Roll;
use super::tick::Tick;

/// Tells the applications on a GPU, and says whether they are well: those with a health URL have
/// answered it since they were last told something. Must not block.
pub type TellApps = Box<dyn Fn(&Arc<Identity>, AppMode) -> bool + Send + Sync>;

/// Tells the applications which GPUs are there to be guarded. Must not block.
pub type TellRoll = Box<dyn Fn(&[Arc<Identity>]) + Send + Sync>;

/// The state of one guard.
pub struct Shared {
    pub clock: Clock,
    pub events: Events,
    leases: Mutex<LeaseTable>,
    alert_names: Mutex<BTreeMap<u64, Arc<str>>>,
    chain: Mutex<Chain>,
    pauses: Mutex<BTreeMap<Uuid, Moment>>,
    xids: Mutex<BTreeMap<Uuid, Vec<u64>>>,
    stations: RwLock<BTreeMap<Uuid, Arc<Station>>>,
    /// Which card the driver lists under each index.
    numbers: RwLock<BTreeMap<u32, Uuid>>,
    driver: Mutex<DriverStatus>,
    live: RwLock<Arc<Live>>,
    tell_apps: TellApps,
    tell_roll: OnceLock<TellRoll>,
    detached: AtomicBool,
    holdings: watch::Sender<usize>,
    stopping: AtomicBool,
    /// Another guard is about to start: it goes on with what is throttled.
    is_followed: AtomicBool,
    pub(super) memory: OnceLock<memory::Writer>,
    feed: OnceLock<Feed>,
}

/// What a reload can change under a running guard. Workers notice by the pointer.
pub struct Live {
    pub settings: Settings,
    pub poll_interval: Duration,
    /// Nothing is written, though all is decided. A reload doesn't change this.
    pub observes: bool,
    /// Which GPUs should be there.
    pub gpus: GpuSelection,
    /// Which GPUs are guarded. One that no longer is gets everything back first.
    pub selects: Box<dyn Fn(&Identity) -> bool + Send + Sync>,
    /// Whether an application is told of a GPU.
    pub has_app: Box<dyn Fn(&Identity) -> bool + Send + Sync>,
    /// Beside the cards' own.
    pub sensors: Vec<SensorConfig>,
    /// An operator's own SM lock, put back instead of a reset.
    pub restore_clock: Option<ClockRange>,
    pub keep_on_exit: bool,
}

/// An empty configuration.
impl Default for Live {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            poll_interval: Duration::from_secs(1),
            observes: false,
            gpus: GpuSelection::All,
            selects: Box::new(|_| true),
            has_app: Box::new(|_| false),
            sensors: Vec::new(),
            restore_clock: None,
            keep_on_exit: false,
        }
    }
}

/// See [`Shared::holding`].
pub struct Holding(Arc<Shared>);

impl Drop for Holding {
    fn drop(&mut self) {
        self.0.holdings.send_modify(|held| *held -= 1);
    }
}

/// Where one GPU's worker publishes and can be woken.
pub struct Station {
    pub identity: Arc<Identity>,
    /// The worker's.
    pub pulse: Arc<Pulse>,
    /// How often its worker panicked and was replaced.
    panics: AtomicU64,
    latest: watch::Sender<Option<Arc<Tick>>>,
    history: Mutex<History>,
    thread: Mutex<Option<Thread>>,
    /// Somebody wants it to tick now: an unpark may also be lost on a wait for something else.
    woken: AtomicBool,
}

/// What the supervisor last heard of the driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriverStatus {
    pub up: bool,
    /// The inventory was read at least once.
    pub ready: bool,
    pub error: Option<DriverError>,
    pub initializations: u64,
    /// GPUs that should be under guard: what the driver counts or, if that is more, what the
    /// configuration lists.
    pub expected: usize,
}

/// What a worker takes into its tick.
#[derive(Debug)]
pub struct Inputs {
    pub asked: Asked,
    pub paused_until: Option<Moment>,
    pub fallback: bool,
    pub xids: Vec<u64>,
    /// What became of leases since the last tick.
    pub turns: Vec<(Holder, Level, Turn)>,
}

impl Shared {
    pub fn new(clock: Clock, chain: Chain, live: Live, tell_apps: TellApps) -> Self {
        Self {
            clock,
            events: Events::default(),
            leases: Mutex::default(),
            alert_names: Mutex::default(),
            chain: Mutex::new(chain),
            pauses: Mutex::default(),
            xids: Mutex::default(),
            stations: RwLock::default(),
            numbers: RwLock::default(),
            driver: Mutex::new(DriverStatus {
                expected: Roll::unasked(&live.gpus),
                ..DriverStatus::default()
            }),
            live: RwLock::new(Arc::new(live)),
            tell_apps,
            tell_roll: OnceLock::new(),
            detached: AtomicBool::new(false),
            holdings: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
            is_followed: AtomicBool::new(false),
            memory: OnceLock::new(),
            feed: OnceLock::new(),
        }
    }

    pub fn live(&self) -> Arc<Live> {
        self.live
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// New settings, in force from every GPU's next tick on.
    pub fn reload(&self, live: Live) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        self.wake_all();
    }

    pub fn leases(&self) -> MutexGuard<'_, LeaseTable> {
        lock(&self.leases)
    }

    /// What the alert behind a lease is called, for people who look at that lease. The name is the
    /// sender's: it is shown, and nothing else is done with it.
    pub fn name_alert(&self, fingerprint: u64, name: &str) {
        /// Of a name, characters.
        const SHOWN: usize = 64;
        let mut names = lock(&self.alert_names);
        // Not for every new alert of a full table: to look at all leases for each name takes a while.
        let leases = self.leases();
        if names.len() >= 2 * leases.count().max(lease::CAPACITY) {
            names.retain(|fingerprint, _| leases.holds(*fingerprint));
        }
        drop(leases);
        let name = name.chars().filter(|c| !c.is_control()).take(SHOWN);
        names.insert(fingerprint, name.collect::<String>().into());
    }

    pub fn alert_name(&self, fingerprint: u64) -> Option<Arc<str>> {
        lock(&self.alert_names).get(&fingerprint).cloned()
    }

    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        lock(&self.chain)
    }

    pub fn chain_state(&self) -> ChainState {
        self.chain().state(self.clock.wall())
    }

    pub fn driver_status(&self) -> MutexGuard<'_, DriverStatus> {
        lock(&self.driver)
    }

    /// All GPUs under guard, by UUID.
    pub fn stations(&self) -> Vec<Arc<Station>> {
        let stations = self.stations.read().unwrap_or_else(PoisonError::into_inner);
        stations.values().cloned().collect()
    }

    pub fn station(&self, uuid: &Uuid) -> Option<Arc<Station>> {
        let stations = self.stations.read().unwrap_or_else(PoisonError::into_inner);
        stations.get(uuid).cloned()
    }

    /// A GPU's index, for the log.
    pub fn index(&self, uuid: &Uuid) -> Option<u32> {
        let station = self.station(uuid)?;
        let latest = station.latest();
        let identity = latest.as_ref().map(|tick| &tick.identity);
        self.index_of(identity.unwrap_or(&station.identity))
    }

    /// The index that a card has now. One that the driver doesn't list keeps its last one, unless
    /// another card has got that.
    pub fn index_of(&self, identity: &Identity) -> Option<u32> {
        let numbers = self.numbers.read().unwrap_or_else(PoisonError::into_inner);
        let listed = numbers.iter().find(|(_, uuid)| **uuid == identity.uuid);
        match listed {
            Some((index, _)) => Some(*index),
            None if numbers.contains_key(&identity.index) => None,
            None => Some(identity.index),
        }
    }

    /// A card was opened, and told its index.
    pub fn opened(&self, identity: &Identity) {
        let mut numbers = self.numbers.write().unwrap_or_else(PoisonError::into_inner);
        numbers.retain(|_, uuid| *uuid != identity.uuid);
        numbers.insert(identity.index, identity.uuid.clone());
    }

    /// What the driver lists now, guarded or not.
    pub fn number(&self, listed: &[Arc<Identity>]) {
        let numbers = listed.iter().map(|gpu| (gpu.index, gpu.uuid.clone()));
        *self.numbers.write().unwrap_or_else(PoisonError::into_inner) = numbers.collect();
    }

    pub fn delist(&self, uuid: &Uuid) {
        self.stations
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uuid);
    }

    pub fn enlist(&self, station: Arc<Station>) {
        let mut stations = self
            .stations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        stations.insert(station.identity.uuid.clone(), station);
    }

    /// The latest tick of every GPU that has had one, in the order of NVML's indexes.
    pub fn ticks(&self) -> Vec<Arc<Tick>> {
        let mut ticks: Vec<_> = self
            .stations()
            .iter()
            .filter_map(|station| station.latest())
            .collect();
        ticks.sort_by_key(|tick| tick.identity.index);
        ticks
    }

    /// The GPUs whose loops are later than `patience`, and not because of the driver.
    pub fn stuck(&self, patience: Duration) -> Vec<Arc<Station>> {
        let now = self.clock.wall();
        let mut stations = self.stations();
        stations.retain(|station| !station.pulse.goes_on(now, patience));
        stations
    }

    /// From here on a watchdog wants to be fed. Said once, at the start.
    pub fn feed_by(&self, feed: Feed) {
        let _ = self.feed.set(feed);
    }

    /// `None`: no watchdog.
    pub fn feed(&self) -> Option<&Feed> {
        self.feed.get()
    }

    pub fn inputs(&self, uuid: &Uuid, wall: Moment) -> Inputs {
        let chain = self.chain().state(wall);
        self.events.note_chain(chain);
        let (asked, turns) = {
            let mut leases = self.leases();
            (leases.asked(wall, uuid), leases.take_turns(uuid))
        };
        Inputs {
            asked,
            turns,
            paused_until: self.paused_until(uuid, wall),
            fallback: chain.is_fallback(),
            xids: lock(&self.xids).remove(uuid).unwrap_or_default(),
        }
    }

    pub fn tell_apps(&self, identity: &Arc<Identity>, mode: AppMode) -> bool {
        (self.tell_apps)(identity, mode)
    }

    /// Who is told of every roll call; the first one counts.
    pub fn on_roll(&self, tell: TellRoll) {
        let _ = self.tell_roll.set(tell);
    }

    pub fn tell_roll(&self, gpus: &[Arc<Identity>]) {
        if let Some(tell) = self.tell_roll.get() {
            tell(gpus);
        }
    }

    /// Leases and gradual are ignored on `uuid` until `until`, on the wall's clock.
    pub fn pause(&self, uuid: &Uuid, until: Moment) {
        lock(&self.pauses).insert(uuid.clone(), until);
        self.remember();
        self.wake(uuid);
    }

    /// False: it wasn't paused.
    pub fn resume(&self, uuid: &Uuid) -> bool {
        let paused = lock(&self.pauses).remove(uuid).is_some();
        self.remember();
        self.wake(uuid);
        paused
    }

    /// Each paused GPU, and until when.
    pub fn pauses(&self) -> Vec<(Uuid, Moment)> {
        let pauses = lock(&self.pauses);
        pauses
            .iter()
            .map(|(uuid, until)| (uuid.clone(), *until))
            .collect()
    }

    /// Until when an operator's pause holds.
    pub fn paused_until(&self, uuid: &Uuid, wall: Moment) -> Option<Moment> {
        let mut pauses = lock(&self.pauses);
        pauses.retain(|_, until| wall < *until);
        pauses.get(uuid).copied()
    }

    pub fn report_xid(&self, xid: &Xid) {
        /// Between two ticks; more of a dying card say nothing more.
        const KEPT: usize = 64;
        let mut xids = lock(&self.xids);
        let pending = xids.entry(xid.uuid.clone()).or_default();
        if pending.len() < KEPT {
            pending.push(xid.code);
        }
    }

    /// The worker of `uuid` ticks now.
    pub fn wake(&self, uuid: &Uuid) {
        if let Some(station) = self.station(uuid) {
            station.wake();
        }
    }

    pub fn is_detached(&self) -> bool {
        self.detached.load(Ordering::SeqCst)
    }

    /// Workers let go of their handles, or take them again.
    pub fn set_detached(&self, detached: bool) {
        let before = self.detached.swap(detached, Ordering::SeqCst);
        if before != detached {
            let what = if detached {
                What::Detached
            } else {
                What::Attached
            };
            self.events.note(None, what);
            self.remember();
        }
        self.wake_all();
    }

    /// Somebody other than a worker may hold the driver while this lives. To be taken before
    /// [`Self::is_detached`] is asked, so that a detach sees whoever it didn't stop.
    pub fn holding(self: &Arc<Self>) -> Holding {
        self.holdings.send_modify(|held| *held += 1);
        Holding(self.clone())
    }

    /// Whether anybody but the workers may hold the driver.
    pub fn is_held(&self) -> bool {
        *self.holdings.borrow() > 0
    }

    /// Resolves once nobody but the workers holds it.
    pub async fn unheld(&self) {
        let mut holdings = self.holdings.subscribe();
        // No error: the sender is ours.
        let _ = holdings.wait_for(|held| *held == 0).await;
    }

    /// What is throttled at the end stays so, for the guard that follows.
    pub fn leave_to_the_next(&self) {
        self.is_followed.store(true, Ordering::Release);
    }

    pub fn is_followed(&self) -> bool {
        self.is_followed.load(Ordering::Acquire)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake_all();
    }

    fn wake_all(&self) {
        for station in self.stations() {
            station.wake();
        }
    }
}

impl Station {
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            pulse: Arc::default(),
            panics: AtomicU64::new(0),
            latest: watch::Sender::new(None),
            history: Mutex::default(),
            thread: Mutex::default(),
            woken: AtomicBool::new(false),
        }
    }

    pub fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub fn latest(&self) -> Option<Arc<Tick>> {
        self.latest.borrow().clone()
    }

    /// The last hour. Not to be held for long: the worker waits.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Every new tick, for event streams.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Tick>>> {
        self.latest.subscribe()
    }

    pub fn publish(&self, tick: Tick) {
        self.history().record(&tick);
        self.latest.send_replace(Some(Arc::new(tick)));
    }

    pub fn staff(&self, thread: Thread) {
        *lock(&self.thread) = Some(thread);
    }

    /// Whether it was woken since this was last asked.
    pub fn take_wake(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    pub fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        if let Some(thread) = lock(&self.thread).as_ref() {
            thread.unpark();
        }
    }
}

/// A panic elsewhere doesn't make the data wrong: every writer leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
