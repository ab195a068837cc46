//! The status document: what an operator wants to know, in the words of the configuration. Read
//! by the status page and by `thermal-guard status`; absent values are left out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::clock_events::REASONS;
use crate::guard::Tick;
use crate::policy::lease::Holder;
use crate::policy::{Level, Trips};
use crate::units::{Celsius, Watts};
use crate::web::exposition::{AppSnapshot, ChainView, GpuView, LeaseView, Snapshot};

use super::why;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    /// `enforce` or `observe`.
    pub mode: String,
    pub simulated: bool,
    /// Seconds since the Unix epoch.
    pub time: f64,
    pub chain: Chain,
    pub driver: Driver,
    pub gpus: Vec<Gpu>,
    pub apps: Vec<App>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    pub state: String,
    /// One is promised.
    pub expected: bool,
    /// Promised and away.
    pub fallback: bool,
    pub timeout_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_age_seconds: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Driver {
    pub up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    pub uuid: String,
    pub index: u32,
    pub name: String,
    pub up: bool,
    /// Of the last tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    #[serde(flatten)]
    pub now: Readings,
    /// Of the last hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Hour>,
    pub limit: Limit,
    pub state: String,
    pub level: String,
    pub why: String,
    /// Who brought the present throttle about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// For how long the state has lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_age_seconds: Option<f64>,
    pub asks: Asks,
    pub leases: Vec<Lease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_for_seconds: Option<f64>,
    pub permission: String,
    pub infeasible: bool,
    pub contested: bool,
    pub overheld: bool,
    pub throttle_events: u64,
    pub recoveries: u64,
    pub throttled_seconds: ByLevel,
}

/// Gone while the card doesn't answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Readings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_alert_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_critical_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trips: Option<TripPoints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_draw_watts: Option<f64>,
    pub clock_events: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TripPoints {
    pub alert_celsius: f64,
    pub critical_celsius: f64,
    pub safe_celsius: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hour {
    pub max_celsius: f64,
    pub mean_celsius: f64,
}

/// Watts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<f64>,
    /// What will be given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asks {
    pub local: String,
    pub alert: String,
    pub manual: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// `alert` or `manual`.
    pub holder: String,
    pub level: String,
    pub age_seconds: f64,
    pub expires_in_seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ByLevel {
    pub gradual: f64,
    pub emergency: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    pub name: String,
    pub mode: String,
    pub ok: u64,
    pub failed: u64,
}

impl Status {
    pub fn of(snapshot: &Snapshot) -> Self {
        let extra = &snapshot.extra;
        let scrape = snapshot.last_scrape;
        Self {
            version: snapshot.build.version.to_owned(),
            mode: extra.mode.to_owned(),
            simulated: extra.simulated,
            time: seconds(snapshot.unix),
            chain: Chain {
                scrape_age_seconds: scrape.map(|at| seconds(snapshot.unix.saturating_sub(at))),
                ..Chain::of(&snapshot.chain)
            },
            driver: Driver {
                up: snapshot.driver.up,
                error: snapshot.driver.error.as_ref().map(ToString::to_string),
            },
            gpus: snapshot
                .gpus
                .iter()
                .map(|gpu| Gpu::of(gpu, snapshot))
                .collect(),
            apps: extra.apps.iter().map(App::of).collect(),
        }
    }
}

impl Chain {
    fn of(chain: &ChainView) -> Self {
        Self {
            state: chain.state.name().to_owned(),
            expected: chain.state != crate::policy::ChainState::Standalone,
            fallback: chain.state.is_fallback(),
            timeout_seconds: seconds(chain.timeout),
            heartbeat_age_seconds: chain.heartbeat_age.map(seconds),
            eval_age_seconds: chain.eval_age.map(seconds),
            scrape_age_seconds: None,
        }
    }
}

impl Gpu {
    fn of(gpu: &GpuView, snapshot: &Snapshot) -> Self {
        let leases = snapshot.leases_on(&gpu.identity.uuid);
        let who = Self {
            uuid: gpu.identity.uuid.as_str().to_owned(),
            index: gpu.identity.index,
            name: gpu.identity.name.clone(),
            up: gpu.up,
            leases: leases.map(|lease| Lease::of(lease, snapshot)).collect(),
            ..Self::default()
        };
        match gpu.tick.as_deref() {
            Some(tick) => who.ticked(tick, gpu, snapshot),
            None => Self {
                why: "its first reading hasn't come back".to_owned(),
                ..who
            },
        }
    }

    fn ticked(self, tick: &Tick, gpu: &GpuView, snapshot: &Snapshot) -> Self {
        let decision = &tick.decision;
        let age = snapshot.now.since(tick.at);
        let paused = tick.paused_until.map(|until| until.since(snapshot.now));
        let [gradual, emergency] = tick.tally.throttled.map(seconds);
        Self {
            age_seconds: Some(seconds(age)),
            now: gpu.seen().map(Readings::of).unwrap_or_default(),
            hour: tick.hour.map(|(max, mean)| Hour {
                max_celsius: max.degrees(),
                mean_celsius: round(mean.degrees()),
            }),
            limit: Limit::of(tick, gpu.up),
            state: decision.state.name().to_owned(),
            level: decision.level.name().to_owned(),
            why: if tick.up && !gpu.up {
                format!("not heard of for {:.0} s", age.as_secs_f64())
            } else {
                why::sentence(tick)
            },
            trigger: decision.trigger.map(|trigger| trigger.name().to_owned()),
            state_age_seconds: Some(seconds(snapshot.unix.saturating_sub(tick.changed))),
            asks: Asks {
                local: name(decision.asks.local),
                alert: name(decision.asks.alert),
                manual: name(decision.asks.manual),
            },
            paused_for_seconds: paused.filter(|left| !left.is_zero()).map(seconds),
            permission: tick.permission.name().to_owned(),
            infeasible: decision.infeasible,
            contested: decision.contested,
            overheld: decision.overheld,
            throttle_events: tick.tally.throttle_events(),
            recoveries: tick.tally.recoveries,
            throttled_seconds: ByLevel { gradual, emergency },
            ..self
        }
    }
}

impl Readings {
    fn of(tick: &Tick) -> Self {
        let (reading, heat) = (&tick.reading, tick.decision.heat);
        let active = reading.events.unwrap_or_default();
        let named = REASONS
            .iter()
            .filter(|(bit, _)| active.bits() & bit != 0)
            .map(|(_, name)| *name);
        let unknown = (active.unknown() != 0).then_some("unknown");
        Self {
            temperature_celsius: reading.core.ok().map(Celsius::degrees),
            memory_temperature_celsius: reading.memory.ok().map(Celsius::degrees),
            margin_to_alert_celsius: heat.map(|heat| heat.to_alert.degrees()),
            margin_to_critical_celsius: heat.map(|heat| heat.to_critical.degrees()),
            trips: tick.trips.map(TripPoints::of),
            power_draw_watts: reading.draw.ok().map(Watts::as_f64),
            clock_events: named.chain(unknown).map(str::to_owned).collect(),
        }
    }
}

impl TripPoints {
    fn of(trips: Trips) -> Self {
        Self {
            alert_celsius: trips.alert.degrees(),
            critical_celsius: trips.critical.degrees(),
            safe_celsius: trips.safe.degrees(),
        }
    }
}

impl Limit {
    fn of(tick: &Tick, up: bool) -> Self {
        let range = tick.facts.power;
        Self {
            current: tick.reading.limit.ok().filter(|_| up).map(Watts::as_f64),
            original: tick.claim.limit.map(|limit| limit.original.as_f64()),
            target: tick.decision.targets.limit.map(Watts::as_f64),
            default: range.map(|range| range.default.as_f64()),
            min: range.map(|range| range.min.as_f64()),
            max: range.map(|range| range.max.as_f64()),
        }
    }
}

impl Lease {
    fn of(view: &LeaseView, snapshot: &Snapshot) -> Self {
        let holder = match view.holder {
            Holder::Alert(_) => "alert",
            Holder::Manual => "manual",
        };
        Self {
            holder: holder.to_owned(),
            level: name(view.lease.level),
            age_seconds: seconds(snapshot.now.since(view.lease.since)),
            expires_in_seconds: seconds(view.lease.expires.since(snapshot.now)),
        }
    }
}

impl App {
    fn of(app: &AppSnapshot) -> Self {
        Self {
            name: app.name.clone(),
            mode: app.mode.to_owned(),
            ok: app.ok,
            failed: app.failed,
        }
    }
}

fn name(level: Level) -> String {
    level.name().to_owned()
}

fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

/// To three digits: nobody reads more, and microseconds make every document differ.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
