//! Takes the snapshots that the views show. Never waits for a GPU.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::guard::hang_watch;
use crate::guard::state::{GpuHandle, Shared};
use crate::policy::ask::lease::Endings;
use crate::units::Moment;

use super::service_view::ServiceView;
use super::view::{Build, ChainView, GpuView, LeaseView, Snapshot};

/// Takes snapshots of one service. The handlers of all views share it.
pub struct Snapshots {
    shared: Arc<Shared>,
    build: Build,
    service: Service,
    /// Milliseconds since the Unix epoch; 0: never.
    last_scrape: AtomicU64,
}

/// The service around the control loops, as it is now. Must not block.
pub type Service = Box<dyn Fn() -> ServiceView + Send + Sync>;

impl Snapshots {
    pub fn new(shared: Arc<Shared>, build: Build, service: Service) -> Self {
        Self {
            shared,
            build,
            service,
            last_scrape: AtomicU64::new(0),
        }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The last hour and the last events included.
    pub fn take(&self) -> Snapshot {
        let mut snapshot = self.take_present();
        let sampling = self.shared.clock.now();
        for gpu in &mut snapshot.gpus {
            let gpu_handle = self.shared.gpu_handle(&gpu.identity.uuid);
            gpu.hour = gpu_handle.and_then(|gpu_handle| gpu_handle.max_and_mean(sampling));
        }
        snapshot.events = self.shared.events.recent();
        snapshot
    }

    /// Without the last hour and its events.
    pub fn take_present(&self) -> Snapshot {
        let now = self.shared.clock.wall();
        let poll_interval = self.shared.live().poll_interval;
        let poll = self.shared.clock.on_wall(poll_interval);
        let gpus = self.gpus(now, poll);
        let (leases, endings) = self.leases(now, &gpus);
        let driver = self.shared.driver_status();
        Snapshot {
            now,
            unix: Clock::unix(),
            build: self.build,
            gpus,
            driver,
            detached: self.shared.is_detached(),
            chain: self.chain(now),
            leases,
            endings,
            events: Vec::new(),
            last_scrape: self.last_scrape(),
            service: (self.service)(),
        }
    }

    /// When a scrape last came, since the Unix epoch.
    pub fn last_scrape(&self) -> Option<Duration> {
        match self.last_scrape.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    /// A scrape comes at `unix`.
    pub fn scraped(&self, unix: Duration) {
        let millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        self.last_scrape.store(millis, Ordering::Relaxed);
    }

    fn gpus(&self, now: Moment, poll: Duration) -> Vec<GpuView> {
        let view = |gpu_handle: &Arc<GpuHandle>| {
            let view = GpuView::new(&gpu_handle.identity, gpu_handle.latest(), now, poll);
            GpuView {
                index: self.shared.index_of(&view.identity),
                hung: gpu_handle.liveness.hangs(now, hang_watch::patience(poll)),
                panics: gpu_handle.panics(),
                ..view
            }
        };
        let mut gpus: Vec<_> = self.shared.gpu_handles().iter().map(view).collect();
        // GPUs without an index come last.
        gpus.sort_by_key(|gpu| (gpu.index.is_none(), gpu.index, gpu.identity.index));
        gpus
    }

    fn chain(&self, now: Moment) -> ChainView {
        let chain = self.shared.chain();
        ChainView {
            state: chain.state(now),
            fault: chain.fault(now),
            timeout: chain.timeout(),
            heartbeat_age: chain.last().map(|at| now.since(at)),
            eval_age: chain.eval_age(now),
        }
    }

    fn leases(&self, now: Moment, gpus: &[GpuView]) -> (Vec<LeaseView>, Endings) {
        let mut table = self.shared.leases();
        table.expire(now);
        let live = gpus.iter().flat_map(|gpu| {
            let uuid = &gpu.identity.uuid;
            table.of(uuid).map(|(holder, lease)| LeaseView {
                uuid: uuid.clone(),
                holder,
                alert: None,
                lease: *lease,
            })
        });
        let mut live: Vec<_> = live.collect();
        let endings = table.endings();
        for view in &mut live {
            view.alert = self.shared.alert_behind(view.holder);
        }
        (live, endings)
    }
}
