//! The guard at one moment. Status API, page and the metrics of the GPUs are pure functions of a
//! [`Snapshot`], so they can't disagree.

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Identity, Uuid};
use crate::events::Event;
use crate::guard::Tick;
use crate::guard::hang_watch;
use crate::guard::state::DriverStatus;
use crate::policy::ask::lease::{Endings, Holder};
use crate::policy::{ChainState, Lease};
use crate::units::{Celsius, Moment};

use super::service_view::ServiceView;

/// The guard at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// On the wall clock, which gives ticks and leases their times.
    pub now: Moment,
    /// The same moment since the Unix epoch.
    pub unix: Duration,
    pub build: Build,
    /// By NVML's index.
    pub gpus: Vec<GpuView>,
    pub driver: DriverStatus,
    /// The guard has released the driver because an operator asked for that.
    pub detached: bool,
    pub chain: ChainView,
    pub leases: Vec<LeaseView>,
    pub endings: Endings,
    /// The last events, oldest first.
    pub events: Vec<Arc<Event>>,
    /// When the scrape before this one came, since the Unix epoch.
    pub last_scrape: Option<Duration>,
    pub service: ServiceView,
}

/// One GPU, as its worker last reported it.
#[derive(Clone, Debug)]
pub struct GpuView {
    pub identity: Arc<Identity>,
    /// Its present index. `None`: the card is gone, and another card has its index.
    pub index: Option<u32>,
    /// `None`: no tick has finished yet.
    pub tick: Option<Arc<Tick>>,
    /// Highest and mean core temperature of the last hour.
    pub hour: Option<(Celsius, Celsius)>,
    /// The card answers, and its reading is fresh.
    pub up: bool,
    /// An operator's pause is in force.
    pub paused: bool,
    /// A driver call doesn't return.
    pub hung: bool,
    /// How often its control loop panicked and was started again.
    pub panics: u64,
}

/// The alert chain.
#[derive(Clone, Copy, Debug)]
pub struct ChainView {
    pub state: ChainState,
    /// What is wrong with it, for people.
    pub fault: Option<&'static str>,
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
    /// `poll`: the polling interval on the wall clock.
    pub fn new(
        identity: &Arc<Identity>,
        tick: Option<Arc<Tick>>,
        now: Moment,
        poll: Duration,
    ) -> Self {
        let up = tick
            .as_ref()
            .is_some_and(|tick| tick.up && now.since(tick.at) <= hang_watch::patience(poll));
        let paused_until = tick.as_ref().and_then(|tick| tick.paused_until);
        // A card that was opened again may have moved to another index.
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

    /// The tick, while its reading is fresh.
    pub fn seen(&self) -> Option<&Tick> {
        self.tick.as_deref().filter(|_| self.up)
    }
}

impl Snapshot {
    /// The time `age` ago, since the Unix epoch, to a tenth of a second: the jitter between the two
    /// clocks must not look like a change.
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
