//! What the views of the guard look at: one moment of everything, taken without waiting for a GPU.
//! Metrics, status API and page are pure functions of a [`Snapshot`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::device::{Identity, Uuid};
use crate::guard::shared::DriverStatus;
use crate::guard::{Clock, Shared, Tick};
use crate::policy::lease::{Endings, Holder};
use crate::policy::{ChainState, Lease};
use crate::units::Moment;

/// A GPU is not up when its tick is older than this many polls, or than the floor.
const STALE_POLLS: u32 = 2;
const STALE_FLOOR: Duration = Duration::from_secs(2);

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

/// Which build this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    pub version: &'static str,
    pub revision: &'static str,
    pub rustc: &'static str,
}

impl Build {
    /// This build. Revision and compiler come from the environment of the build.
    pub const fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: match option_env!("THERMAL_GUARD_REVISION") {
                Some(revision) => revision,
                None => "unknown",
            },
            rustc: match option_env!("THERMAL_GUARD_RUSTC") {
                Some(rustc) => rustc,
                None => "unknown",
            },
        }
    }
}

/// What the views show of the service around the control loops.
#[derive(Clone, Debug)]
pub struct Extra {
    /// `enforce` or `observe`.
    pub mode: &'static str,
    /// The GPUs are simulated.
    pub simulated: bool,
    /// Of the sampling's clock.
    pub poll_interval: Duration,
    pub hook: HookSnapshot,
    pub apps: Vec<AppSnapshot>,
    pub reload: ReloadStatus,
}

impl Default for Extra {
    fn default() -> Self {
        Self {
            mode: "enforce",
            simulated: false,
            poll_interval: Duration::from_secs(1),
            hook: HookSnapshot::default(),
            apps: Vec::new(),
            reload: ReloadStatus::default(),
        }
    }
}

/// The hook's counters. Every label value is one of the hook's own words, never the sender's; what
/// is to exist at 0 from the start is listed with 0.
#[derive(Clone, Debug, Default)]
pub struct HookSnapshot {
    /// By HTTP status code.
    pub requests: Vec<(u16, u64)>,
    pub alerts: Vec<AlertCount>,
    /// By reason.
    pub auth_failures: Vec<(&'static str, u64)>,
    pub truncated_alerts: u64,
    pub durations: DurationHistogram,
    /// Since the Unix epoch.
    pub last_success: Option<Duration>,
}

/// Alerts that came to one result.
#[derive(Clone, Copy, Debug)]
pub struct AlertCount {
    /// `firing` or `resolved`.
    pub status: &'static str,
    pub action: &'static str,
    pub result: &'static str,
    pub count: u64,
}

/// How long requests took.
#[derive(Clone, Debug, Default)]
pub struct DurationHistogram {
    /// Upper bound in seconds and requests in this bucket alone, in rising order; the last bound
    /// is `f64::INFINITY`. Empty: not measured.
    pub buckets: Vec<(f64, u64)>,
    pub sum_seconds: f64,
}

/// One application's notifications.
#[derive(Clone, Debug, Default)]
pub struct AppSnapshot {
    /// As configured.
    pub name: String,
    /// What it was last told.
    pub mode: &'static str,
    pub ok: u64,
    pub failed: u64,
}

/// How the configuration in force came to be.
#[derive(Clone, Copy, Debug)]
pub struct ReloadStatus {
    /// The last attempt took.
    pub successful: bool,
    /// Since the Unix epoch, of the last one that took.
    pub last_success: Option<Duration>,
}

impl Default for ReloadStatus {
    fn default() -> Self {
        Self {
            successful: true,
            last_success: None,
        }
    }
}

/// One moment of everything.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The wall's clock, in which ticks and leases have their times.
    pub now: Moment,
    /// The same moment since the Unix epoch.
    pub unix: Duration,
    pub build: Build,
    /// In the order of NVML's indexes.
    pub gpus: Vec<GpuView>,
    pub driver: DriverStatus,
    pub chain: ChainView,
    pub leases: Vec<LeaseView>,
    pub endings: Endings,
    /// Since the Unix epoch, of the scrape before this one.
    pub last_scrape: Option<Duration>,
    pub extra: Extra,
}

/// One GPU, as last heard of.
#[derive(Clone, Debug)]
pub struct GpuView {
    pub identity: Arc<Identity>,
    /// `None`: no tick was ever finished.
    pub tick: Option<Arc<Tick>>,
    /// The card answers, and did so just now.
    pub up: bool,
}

/// The alert chain.
#[derive(Clone, Copy, Debug)]
pub struct ChainView {
    pub state: ChainState,
    pub timeout: Duration,
    pub heartbeat_age: Option<Duration>,
    /// Since `eval_ts` last advanced.
    pub eval_age: Option<Duration>,
}

/// One live lease.
#[derive(Clone, Debug)]
pub struct LeaseView {
    pub uuid: Uuid,
    pub holder: Holder,
    pub lease: Lease,
}

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
        let extra = (self.rest)();
        let now = self.shared.clock.wall();
        let poll = self.shared.clock.on_wall(extra.poll_interval);
        let gpus = self.gpus(now, poll);
        let (leases, endings) = self.leases(now, &gpus);
        Snapshot {
            now,
            unix: Clock::unix(),
            build: self.build,
            gpus,
            driver: self.shared.driver_status().clone(),
            chain: self.chain(now),
            leases,
            endings,
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
        let stations = self.shared.stations();
        let mut gpus: Vec<_> = stations
            .iter()
            .map(|station| GpuView::new(&station.identity, station.latest(), now, poll))
            .collect();
        gpus.sort_by_key(|gpu| gpu.identity.index);
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
                lease: *lease,
            })
        });
        let live = live.collect();
        (live, table.endings())
    }
}

impl GpuView {
    /// `poll` as the wall sees it.
    pub fn new(
        identity: &Arc<Identity>,
        tick: Option<Arc<Tick>>,
        now: Moment,
        poll: Duration,
    ) -> Self {
        let patience = (poll * STALE_POLLS).max(STALE_FLOOR);
        let up = tick
            .as_ref()
            .is_some_and(|tick| tick.up && now.since(tick.at) <= patience);
        // A card that was opened anew may have moved to another index.
        let identity = tick.as_ref().map_or(identity, |tick| &tick.identity);
        Self {
            identity: identity.clone(),
            tick,
            up,
        }
    }

    /// The tick, while what it read still holds.
    pub fn seen(&self) -> Option<&Tick> {
        self.tick.as_deref().filter(|_| self.up)
    }
}

impl Snapshot {
    /// When something happened that long ago, since the Unix epoch, to a tenth of a second: the
    /// two clocks' jitter shall not look like a change.
    pub fn at(&self, age: Duration) -> Duration {
        let millis = self.unix.saturating_sub(age).as_millis();
        Duration::from_millis(u64::try_from((millis + 50) / 100 * 100).unwrap_or(0))
    }

    pub fn leases_on<'a>(&'a self, uuid: &'a Uuid) -> impl Iterator<Item = &'a LeaseView> {
        self.leases.iter().filter(move |lease| lease.uuid == *uuid)
    }
}
