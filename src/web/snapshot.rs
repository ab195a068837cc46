//! One moment of everything. Metrics, status API and page are pure functions of a [`Snapshot`], so
//! they can't disagree.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Identity, Uuid};
use crate::guard::Tick;
use crate::guard::events::{Event, LogCounts};
use crate::guard::hang;
use crate::guard::shared::DriverStatus;
use crate::policy::lease::{Endings, Holder};
use crate::policy::{ChainState, Lease};
use crate::units::{Celsius, Moment};

pub use super::extra::{
    AlertCount, AppSnapshot, DurationHistogram, Extra, HookSnapshot, PullSnapshot, ReloadStatus,
};

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
    /// An operator had the guard let go of the driver.
    pub detached: bool,
    pub chain: ChainView,
    pub leases: Vec<LeaseView>,
    pub endings: Endings,
    /// The last events, oldest first.
    pub events: Vec<Arc<Event>>,
    pub event_log: LogCounts,
    /// Since the Unix epoch, of the scrape before this one.
    pub last_scrape: Option<Duration>,
    pub extra: Extra,
}

/// One GPU, as last heard of.
#[derive(Clone, Debug)]
pub struct GpuView {
    pub identity: Arc<Identity>,
    /// The one that it has now. `None`: it is gone, and another card has got it.
    pub index: Option<u32>,
    /// `None`: no tick was ever finished.
    pub tick: Option<Arc<Tick>>,
    /// Highest and mean core temperature of the last hour.
    pub hour: Option<(Celsius, Celsius)>,
    /// The card answers, and did so just now.
    pub up: bool,
    /// An operator's pause holds.
    pub paused: bool,
    /// A call into the driver doesn't come back.
    pub hung: bool,
    /// How often its control loop panicked and was started anew.
    pub panics: u64,
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
    /// The alert's name, as its sender wrote it.
    pub alert: Option<Arc<str>>,
    pub lease: Lease,
}

impl GpuView {
    /// `poll` as the wall sees it.
    pub fn new(
        identity: &Arc<Identity>,
        tick: Option<Arc<Tick>>,
        now: Moment,
        poll: Duration,
    ) -> Self {
        let up = tick
            .as_ref()
            .is_some_and(|tick| tick.up && now.since(tick.at) <= hang::patience(poll));
        let paused_until = tick.as_ref().and_then(|tick| tick.paused_until);
        // A card that was opened anew may have moved to another index.
        let identity = tick.as_ref().map_or(identity, |tick| &tick.identity);
        Self {
            identity: identity.clone(),
            index: Some(identity.index),
            tick,
            hour: None,
            up,
            paused: paused_until.is_some_and(|until| now < until),
            hung: false,
            panics: 0,
        }
    }

    /// Whether `other` says nothing else of the card: of one tick there is one copy.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let tick = self.tick.as_ref().map(Arc::as_ptr);
        tick == other.tick.as_ref().map(Arc::as_ptr)
            && Arc::ptr_eq(&self.identity, &other.identity)
            && self.index == other.index
            && (self.up, self.paused, self.hung, self.panics)
                == (other.up, other.paused, other.hung, other.panics)
    }

    /// The tick, while what it read still holds.
    pub fn seen(&self) -> Option<&Tick> {
        self.tick.as_deref().filter(|_| self.up)
    }
}

impl Snapshot {
    /// Whether `other` says nothing else of the service, but for what time alone changes: the
    /// chain's state and ages, and when the last scrape was.
    pub fn serves_the_same(&self, other: &Self) -> bool {
        (self.build, self.detached, self.gpus.len())
            == (other.build, other.detached, other.gpus.len())
            && self.driver == other.driver
            && (self.endings, self.event_log) == (other.endings, other.event_log)
            && self.extra == other.extra
    }

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
            revision: env!("THERMAL_GUARD_REVISION"),
            rustc: env!("THERMAL_GUARD_RUSTC"),
        }
    }
}
