//! The status document of a snapshot.

use std::time::Duration;

use crate::device::SlowdownReason;
use crate::events::{Cost, Event};
use crate::guard::Tick;
use crate::policy::ask::lease::Holder;
use crate::policy::cooling::Than;
use crate::policy::{ChainState, Trips};
use crate::units::{Celsius, Watts};
use crate::web::snapshot::{AppView, ChainView, GpuView, LeaseView, Snapshot};

use super::document::{
    App, Asks, ByLevel, Chain, Configuration, Cooling, Driver, Firmware, Gpu, Hour, Lease, Limit,
    Readings, Status, TripPoints,
};
use super::or_unknown::OrUnknown;
use super::{evidence, why};

impl Status {
    pub fn of(snapshot: &Snapshot) -> Self {
        let service = &snapshot.service;
        let scrape = snapshot.last_scrape;
        Self {
            version: snapshot.build.version.to_owned(),
            node: service.node.clone(),
            names: service.names.clone(),
            mode: service.mode.into(),
            simulated: service.simulated,
            time: seconds(snapshot.unix),
            configuration: service.configuration.as_ref().map(|it| Configuration {
                file: it.file.clone(),
                read_time: seconds(it.read),
            }),
            chain: Chain {
                scrape_age_seconds: scrape.map(|at| seconds(snapshot.unix.saturating_sub(at))),
                instance: service.heard.ours.clone(),
                other_instance: service.heard.others.clone(),
                ..Chain::of(&snapshot.chain)
            },
            driver: Driver {
                up: snapshot.driver.up,
                detached: snapshot.detached,
                error: snapshot.driver.error.as_ref().map(ToString::to_string),
            },
            gpus_expected: snapshot.driver.expected,
            gpus: snapshot
                .gpus
                .iter()
                .map(|gpu| Gpu::of(gpu, snapshot))
                .collect(),
            apps: service.apps.iter().map(App::of).collect(),
            events: last_events(snapshot),
        }
    }
}

fn last_events(snapshot: &Snapshot) -> Vec<Event> {
    /// As many as fit on one screen.
    const SHOWN: usize = 16;
    let events = &snapshot.events;
    let last = events.iter().skip(events.len().saturating_sub(SHOWN));
    last.map(|event| Event::clone(event)).collect()
}

impl Chain {
    fn of(chain: &ChainView) -> Self {
        Self {
            state: chain.state.into(),
            fault: chain.fault.map(str::to_owned),
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
        let known = Self {
            uuid: gpu.identity.uuid.as_str().to_owned(),
            index: gpu.index,
            pci_bus_id: gpu.identity.pci_bus_id.clone(),
            name: gpu.identity.name.clone(),
            up: gpu.up,
            leases: leases.map(|lease| Lease::of(lease, snapshot)).collect(),
            ..Self::default()
        };
        match gpu.tick.as_deref() {
            Some(tick) => known.ticked(tick, gpu, snapshot),
            None => Self {
                why: "its first reading hasn't come back".to_owned(),
                ..known
            },
        }
    }

    fn ticked(self, tick: &Tick, gpu: &GpuView, snapshot: &Snapshot) -> Self {
        let decision = &tick.decision;
        let age = snapshot.now.since(tick.at);
        let paused = tick.paused_until.map(|until| until.since(snapshot.now));
        let [gradual, emergency] = tick.counters.throttled.map(seconds);
        Self {
            age_seconds: Some(seconds(age)),
            now: gpu.seen().map(Readings::of).unwrap_or_default(),
            hour: gpu.hour.map(|(max, mean)| Hour {
                max_celsius: round(max.degrees()),
                mean_celsius: round(mean.degrees()),
            }),
            limit: Limit::of(tick, gpu.up),
            unguarded: decision.unguarded.map(OrUnknown::from),
            doubt: decision.doubt.map(OrUnknown::from),
            sensors: evidence::sensors(tick, gpu.up),
            knobs: evidence::knobs(tick),
            firmware: Firmware::of(tick),
            cooling: gpu.seen().map(Cooling::of).unwrap_or_default(),
            receipt: tick.receipt.as_ref().map(Cost::of),
            fans: gpu.seen().map(evidence::fans).unwrap_or_default(),
            state: decision.state.into(),
            level: decision.level.into(),
            why: match (gpu.up, tick.up) {
                (false, _) if snapshot.detached && decision.unguarded.is_none() => {
                    "detached by an operator".to_owned()
                }
                (false, true) => format!("not heard of for {:.0} s", age.as_secs_f64()),
                _ => why::sentence(tick, &unwell(gpu, snapshot)),
            },
            trigger: decision.trigger.map(OrUnknown::from),
            state_age_seconds: Some(seconds(snapshot.unix.saturating_sub(tick.changed))),
            held_for_seconds: tick
                .held_since
                .map(|since| seconds(snapshot.unix.saturating_sub(since))),
            asks: Asks {
                local: decision.asks.local.into(),
                alert: decision.asks.alert.into(),
                manual: decision.asks.manual.into(),
            },
            paused_for_seconds: paused.filter(|left| !left.is_zero()).map(seconds),
            permission: tick.permission.into(),
            infeasible: decision.infeasible,
            contested: decision.contested,
            overheld: decision.overheld,
            throttle_events: tick.counters.throttle_events(),
            recoveries: tick.counters.recoveries,
            throttled_seconds: ByLevel { gradual, emergency },
            ..self
        }
    }
}

/// The applications on this GPU that haven't answered their `health_url` since they were told something.
fn unwell<'a>(gpu: &GpuView, snapshot: &'a Snapshot) -> Vec<&'a str> {
    let apps = snapshot.service.apps.iter().map(|app| &app.status);
    apps.filter(|app| app.well == Some(false) && app.gpus.matches(&gpu.identity))
        .map(|app| app.name.as_str())
        .collect()
}

impl Readings {
    fn of(tick: &Tick) -> Self {
        let (reading, heat) = (&tick.reading, tick.decision.heat);
        let active = reading.slowdown_reasons.unwrap_or_default();
        let named = active.iter().map(SlowdownReason::name);
        let unknown = active.has_unnamed.then_some("unknown");
        Self {
            temperature_celsius: reading.core.ok().map(Celsius::degrees),
            memory_temperature_celsius: reading.memory.ok().map(Celsius::degrees),
            margin_to_alert_celsius: heat.map(|heat| heat.to_alert.degrees()),
            margin_to_critical_celsius: heat.map(|heat| heat.to_critical.degrees()),
            margin_to_safe_celsius: heat.map(|heat| heat.to_safe.degrees()),
            trips: tick.trips.map(TripPoints::of),
            power_draw_watts: reading.draw.ok().map(Watts::as_f64),
            clock_events: named.chain(unknown).map(str::to_owned).collect(),
        }
    }
}

impl Cooling {
    fn of(tick: &Tick) -> Self {
        let health = &tick.cooling;
        let worse = Than::ALL.into_iter();
        let worse = worse.filter(|than| health.is_worse(*than) == Some(true));
        // To six digits: resistances are hundredths.
        let fine = |value: f64| (value * 1e6).round() / 1e6;
        Self {
            resistance_kelvin_per_watt: health.resistance.map(fine),
            baseline_kelvin_per_watt: health.baseline.map(fine),
            change_ratio: health.ratio.map(|it| round(it.value())),
            neighbours_change_ratio: health.beside_neighbours.map(|it| round(it.value())),
            worse_than: worse.map(|than| than.name().to_owned()).collect(),
            sustainable_watts: health.sustainable.map(|it| it.as_f64().round()),
        }
    }
}

impl Firmware {
    fn of(tick: &Tick) -> Self {
        let (now, counters) = (&tick.decision.firmware, &tick.counters);
        Self {
            acts_first_celsius: now.acts_first.map(Celsius::degrees),
            ignores_celsius: now.ignores.map(Celsius::degrees),
            slowed_for_seconds: now.slowdown.map(|it| seconds(it.lasts)),
            slowdowns: counters.own_slowdowns,
            slowdown_seconds: seconds(counters.own_slowdown),
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
            level: view.lease.level.into(),
            age_seconds: seconds(snapshot.now.since(view.lease.since)),
            expires_in_seconds: seconds(view.lease.expires.since(snapshot.now)),
        }
    }
}

impl App {
    fn of(app: &AppView) -> Self {
        let AppView { status, env_file } = app;
        Self {
            name: status.name.clone(),
            mode: app.told().into(),
            ok: status.notifications_ok,
            failed: status.notifications_failed,
            failing: status.last_error.is_some(),
            well: status.well,
            trouble: env_file.clone().and_then(Result::err),
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

/// To three digits: more are of no use, and microseconds make every document differ.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
