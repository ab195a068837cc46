//! Takes the snapshots that the views show, without waiting for a GPU.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::guard::{Clock, Shared, Station, hang};
use crate::policy::lease::{Endings, Holder};
use crate::units::Moment;

use super::snapshot::{Build, ChainView, Extra, GpuView, LeaseView, Snapshot};

/// What the views are made from; one per service, shared by their handlers.
pub struct Exposition {
    shared: Arc<Shared>,
    build: Build,
    rest: Rest,
    /// Milliseconds since the Unix epoch; 0: never.
    last_scrape: AtomicU64,
}

/// Asks the rest of the service for its numbers; must not block.
pub type Rest = Box<dyn Fn() -> Extra + Send + Sync>;

impl Exposition {
    pub fn new(shared: Arc<Shared>, build: Build, rest: Rest) -> Self {
        Self {
            shared,
            build,
            rest,
            last_scrape: AtomicU64::new(0),
        }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Looks at everything, now.
    pub fn look(&self) -> Snapshot {
        let mut snapshot = self.glance();
        let sampling = self.shared.clock.now();
        for gpu in &mut snapshot.gpus {
            let station = self.shared.station(&gpu.identity.uuid);
            gpu.hour = station.and_then(|station| station.history().max_and_mean(sampling));
        }
        snapshot.events = self.shared.events.recent();
        snapshot
    }

    /// Looks at what is, and not at what was: without the last hour and its events.
    pub fn glance(&self) -> Snapshot {
        let extra = (self.rest)();
        let now = self.shared.clock.wall();
        let poll = self.shared.clock.on_wall(extra.poll_interval);
        let gpus = self.gpus(now, poll);
        let (leases, endings) = self.leases(now, &gpus);
        let driver = self.shared.driver_status().clone();
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
            event_log: self.shared.events.log_counts().unwrap_or_default(),
            last_scrape: match self.last_scrape.load(Ordering::Relaxed) {
                0 => None,
                millis => Some(Duration::from_millis(millis)),
            },
            extra,
        }
    }

    /// Somebody scrapes at `unix`.
    pub fn scraped(&self, unix: Duration) {
        let millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        self.last_scrape.store(millis, Ordering::Relaxed);
    }

    fn gpus(&self, now: Moment, poll: Duration) -> Vec<GpuView> {
        let view = |station: &Arc<Station>| {
            let view = GpuView::new(&station.identity, station.latest(), now, poll);
            GpuView {
                index: self.shared.index_of(&view.identity),
                hung: station.pulse.hangs(now, hang::patience(poll)),
                panics: station.panics(),
                ..view
            }
        };
        let mut gpus: Vec<_> = self.shared.stations().iter().map(view).collect();
        // Those without an index last.
        gpus.sort_by_key(|gpu| (gpu.index.is_none(), gpu.index, gpu.identity.index));
        gpus
    }

    fn chain(&self, now: Moment) -> ChainView {
        let chain = self.shared.chain();
        ChainView {
            state: chain.state(now),
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
        drop(table);
        for view in &mut live {
            if let Holder::Alert(fingerprint) = view.holder {
                view.alert = self.shared.alert_name(fingerprint);
            }
        }
        (live, endings)
    }
}
