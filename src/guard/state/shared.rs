//! The state of one guard: its GPUs, its driver, its configuration, and its way from start to stop. The
//! verbs of alerts and operators are in [`super::asks`].

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::apps::{Applications, NoApplications};
use super::driver::{DriverStatus, Holding, Holdings};
use super::gpu_handle::GpuHandle;
use super::gpus::Gpus;
use super::live::Live;
use crate::clock::Clock;
use crate::device::{Identity, Uuid};
use crate::events::{Events, What};
use crate::guard::inventory::Inventory;
use crate::guard::memory;
use crate::guard::state::generation::Generation;
use crate::guard::tick::Tick;
use crate::guard::watchdog::Watchdog;
use crate::policy::{AppMode, Chain, LeaseTable};
use crate::units::Moment;

/// The state of one guard.
pub struct Shared {
    pub clock: Clock,
    pub events: Events,
    /// Views are made again when it has advanced.
    pub generation: Generation,
    pub(super) leases: Mutex<LeaseTable>,
    pub(super) alert_names: Mutex<BTreeMap<u64, Arc<str>>>,
    pub(super) chain: Mutex<Chain>,
    pub(super) pauses: Mutex<BTreeMap<Uuid, Moment>>,
    pub(super) xids: Mutex<BTreeMap<Uuid, Vec<u64>>>,
    pub(super) cooling: Mutex<memory::Coolings>,
    gpus: Gpus,
    driver: Mutex<DriverStatus>,
    live: ArcSwap<Live>,
    apps: Arc<dyn Applications>,
    detached: AtomicBool,
    holdings: Holdings,
    stopping: AtomicBool,
    /// Another guard is about to start, and takes over the throttled GPUs.
    is_followed: AtomicBool,
    pub(in crate::guard) memory: OnceLock<memory::Writer>,
    watchdog: OnceLock<Watchdog>,
}

impl Shared {
    /// Without applications; see [`Self::with_apps`].
    pub fn new(clock: Clock, chain: Chain, live: Live) -> Self {
        Self {
            clock,
            events: Events::default(),
            generation: Generation::default(),
            leases: Mutex::default(),
            alert_names: Mutex::default(),
            chain: Mutex::new(chain),
            pauses: Mutex::default(),
            xids: Mutex::default(),
            cooling: Mutex::default(),
            gpus: Gpus::default(),
            driver: Mutex::new(DriverStatus {
                expected: Inventory::unasked(&live.gpus),
                ..DriverStatus::default()
            }),
            live: ArcSwap::from_pointee(live),
            apps: Arc::new(NoApplications),
            detached: AtomicBool::new(false),
            holdings: Holdings::default(),
            stopping: AtomicBool::new(false),
            is_followed: AtomicBool::new(false),
            memory: OnceLock::new(),
            watchdog: OnceLock::new(),
        }
    }

    #[must_use]
    pub fn with_apps(self, apps: Arc<dyn Applications>) -> Self {
        Self { apps, ..self }
    }

    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// New settings, in force from every GPU's next tick on.
    pub fn reload(&self, live: Live) {
        self.live.store(Arc::new(live));
        self.wake_all();
    }

    /// What the supervisor last learned of the driver.
    pub fn driver_status(&self) -> DriverStatus {
        self.driver.lock().clone()
    }

    /// The supervisor has learned something of the driver.
    pub fn set_driver_status(&self, status: DriverStatus) {
        *self.driver.lock() = status;
        self.generation.advance();
    }

    /// All GPUs under guard, by UUID.
    pub fn gpu_handles(&self) -> Vec<Arc<GpuHandle>> {
        self.gpus.all()
    }

    pub fn gpu_handle(&self, uuid: &Uuid) -> Option<Arc<GpuHandle>> {
        self.gpus.get(uuid)
    }

    pub fn register(&self, gpu: Arc<GpuHandle>) {
        let _ = gpu.generation.set(self.generation.clone());
        self.gpus.add(gpu);
        self.generation.advance();
    }

    pub fn unregister(&self, uuid: &Uuid) {
        self.gpus.remove(uuid);
        self.generation.advance();
    }

    /// A GPU's index, for the log.
    pub fn index(&self, uuid: &Uuid) -> Option<u32> {
        let gpu = self.gpus.get(uuid)?;
        self.gpus.index_of(&gpu.current_identity())
    }

    /// The index that a card has now. A card that the driver doesn't list keeps its last index,
    /// unless another card has it.
    pub fn index_of(&self, identity: &Identity) -> Option<u32> {
        self.gpus.index_of(identity)
    }

    /// A card was opened, and told its index.
    pub fn opened(&self, identity: &Identity) {
        self.gpus.index_opened(identity);
    }

    /// The driver lists these GPUs now, guarded or not.
    pub fn listed(&self, gpus: &[Arc<Identity>]) {
        self.gpus.index_all(gpus);
    }

    /// The latest tick of every GPU that has had one, in the order of NVML's indexes.
    pub fn ticks(&self) -> Vec<Arc<Tick>> {
        let gpus = self.gpus.all();
        let mut ticks: Vec<_> = gpus.iter().filter_map(|gpu| gpu.latest()).collect();
        ticks.sort_by_key(|tick| tick.identity.index);
        ticks
    }

    /// The GPUs whose loops are later than `patience`, and not because of the driver.
    fn stuck(&self, patience: Duration) -> Vec<Arc<GpuHandle>> {
        let now = self.clock.wall();
        let mut gpus = self.gpus.all();
        gpus.retain(|gpu| !gpu.liveness.goes_on(now, patience));
        gpus
    }

    /// From here on a watchdog must be fed. Called once, at the start.
    pub fn set_watchdog(&self, watchdog: Watchdog) {
        let _ = self.watchdog.set(watchdog);
    }

    /// How often a loop must come by, if there is a watchdog.
    pub fn watchdog_period(&self) -> Option<Duration> {
        self.watchdog.get().map(Watchdog::every)
    }

    /// A control loop came by: the watchdog is fed, unless another loop is stuck.
    pub fn feed_watchdog(&self) {
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.come_by(self.clock.wall(), |patience| {
                if self.is_stopping() {
                    Vec::new()
                } else {
                    self.stuck(patience)
                }
            });
        }
    }

    /// Feeds the watchdog for loops that are all inside the driver, and so can't come by.
    pub fn feed_watchdog_for_loops(&self) {
        let mut gpus = self.gpus.all().into_iter();
        if gpus.all(|gpu| gpu.liveness.is_in_driver()) {
            self.feed_watchdog();
        }
    }

    /// Tells the applications on a GPU. True: they are well.
    pub fn tell_apps(&self, gpu: &Arc<Identity>, mode: AppMode) -> bool {
        self.apps.tell(gpu, mode)
    }

    /// Tells the applications which GPUs are there to be guarded.
    pub fn tell_inventory(&self, gpus: &[Arc<Identity>]) {
        self.apps.list(gpus);
    }

    pub fn is_detached(&self) -> bool {
        self.detached.load(Ordering::SeqCst)
    }

    /// Workers let go of their handles.
    pub fn detach(&self) {
        if !self.detached.swap(true, Ordering::SeqCst) {
            self.events.note(None, What::Detached);
            self.remember();
        }
        self.wake_all();
    }

    /// Workers take their handles again.
    pub fn attach(&self) {
        if self.detached.swap(false, Ordering::SeqCst) {
            self.events.note(None, What::Attached);
            self.remember();
        }
        self.wake_all();
    }

    /// Something other than a worker may use the driver while this lives. Take it before asking
    /// [`Self::is_detached`], so that a detach sees every user that it didn't stop.
    pub fn hold_driver(&self) -> Holding {
        self.holdings.begin()
    }

    /// Whether anything but the workers may use the driver.
    pub fn is_driver_held(&self) -> bool {
        self.holdings.any()
    }

    /// Resolves once nothing but the workers uses the driver.
    pub async fn driver_released(&self) {
        self.holdings.end().await;
    }

    /// Everything that is throttled at the end stays so, for the guard that follows.
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

    /// The worker of `uuid` ticks now.
    pub(super) fn wake(&self, uuid: &Uuid) {
        if let Some(gpu) = self.gpus.get(uuid) {
            gpu.wake();
        }
    }

    fn wake_all(&self) {
        for gpu in self.gpus.all() {
            gpu.wake();
        }
    }
}
