//! The status document of a snapshot.

use std::time::Duration;

use crate::device::clock_events::REASONS;
use crate::guard::Tick;
use crate::guard::events::Event;
use crate::policy::lease::Holder;
use crate::policy::{ChainState, Level, Trips, Unguarded};
use crate::units::{Celsius, Watts};
use crate::web::snapshot::{AppSnapshot, ChainView, GpuView, LeaseView, Snapshot};

use super::document::{
    App, Asks, ByLevel, Chain, Driver, Gpu, Hour, Lease, Limit, Readings, Status, TripPoints,
};
use super::{evidence, why};

impl Status {
    pub fn of(snapshot: &Snapshot) -> Self {
        let extra = &snapshot.extra;
        let scrape = snapshot.last_scrape;
        Self {
            version: snapshot.build.version.to_owned(),
            node: extra.node.clone(),
            names: extra.names.clone(),
            mode: extra.mode.to_owned(),
            simulated: extra.simulated,
            time: seconds(snapshot.unix),
            chain: Chain {
                scrape_age_seconds: scrape.map(|at| seconds(snapshot.unix.saturating_sub(at))),
                instance: extra.heard.ours.clone(),
                other_instance: extra.heard.others.clone(),
                ..Chain::of(&snapshot.chain)
            },
            driver: Driver {
                up: snapshot.driver.up,
                detached: snapshot.detached,
                error: snapshot.driver.error.as_ref().map(ToString::to_string),
            },
            gpus: snapshot
                .gpus
                .iter()
                .map(|gpu| Gpu::of(gpu, snapshot))
                .collect(),
            apps: extra.apps.iter().map(App::of).collect(),
            events: last_events(snapshot),
        }
    }
}

fn last_events(snapshot: &Snapshot) -> Vec<Event> {
    /// As many as one screen takes.
    const SHOWN: usize = 16;
    let events = &snapshot.events;
    let last = events.iter().skip(events.len().saturating_sub(SHOWN));
    last.map(|event| Event::clone(event)).collect()
}

impl Chain {
    fn of(chain: &ChainView) -> Self {
        Self {
            state: chain.state.name().to_owned(),
            expected: chain.state != ChainState::Standalone,
            fallback: chain.state.is_fallback(),
            timeout_seconds: seconds(chain.timeout),
            heartbeat_age_seconds: chain.heartbeat_age.map(seconds),
            eval_age_seconds: chain.eval_age.map(seconds),
            scrape_age_seconds: None,
            instance: None,
            other_instance: None,
        }
    }
}

impl Gpu {
    fn of(gpu: &GpuView, snapshot: &Snapshot) -> Self {
        let leases = snapshot.leases_on(&gpu.identity.uuid);
        let who = Self {
            uuid: gpu.identity.uuid.as_str().to_owned(),
            index: gpu.index,
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
            hour: gpu.hour.map(|(max, mean)| Hour {
                max_celsius: round(max.degrees()),
                mean_celsius: round(mean.degrees()),
            }),
            limit: Limit::of(tick, gpu.up),
            unguarded: decision
                .unguarded
                .map(|why| Unguarded::name(why).to_owned()),
            sensors: evidence::sensors(tick, gpu.up),
            knobs: evidence::knobs(tick),
            state: decision.state.name().to_owned(),
            level: decision.level.name().to_owned(),
            why: match (gpu.up, tick.up) {
                (false, _) if snapshot.detached && decision.unguarded.is_none() => {
                    "detached by an operator".to_owned()
                }
                (false, true) => format!("not heard of for {:.0} s", age.as_secs_f64()),
                _ => why::sentence(tick),
            },
            trigger: decision.trigger.map(|trigger| trigger.name().to_owned()),
            state_age_seconds: Some(seconds(snapshot.unix.saturating_sub(tick.changed))),
            held_for_seconds: tick
                .held_since
                .map(|since| seconds(snapshot.unix.saturating_sub(since))),
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
        let (holder, fingerprint) = match view.holder {
            Holder::Alert(fingerprint) => ("alert", Some(format!("{fingerprint:016x}"))),
            Holder::Manual => ("manual", None),
        };
        Self {
            holder: holder.to_owned(),
            alert: view.alert.as_deref().map(str::to_owned),
            fingerprint,
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
            trouble: app.file.clone().and_then(Result::err),
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
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
