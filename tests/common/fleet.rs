//! One moment of a made-up node, for the tests of everything that shows it: an A100 held gradual
//! by an alert, an RTX 4090 at ease without a memory sensor, an A100 that fell off the bus, and an
//! H100 whose first read never returned.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use thermal_guard::alerts::pull::PullCounters;
use thermal_guard::alerts::{Action as AlertAction, Outcome, Status};
use thermal_guard::apps::AppStatus;
use thermal_guard::config::{GpuSelection, Mode};
use thermal_guard::device::{
    ByClock, ByKnob, ClockDomain, ClockRange, Facts, Fan, FanPolicy, Identity, Knob, Missing,
    PowerConstraints, Reading, Slow, Thresholds, Uuid, nvml,
};
use thermal_guard::events::{
    Event, GpuName, LogCounters, NotifyCounters, Seen, Throttle, What, Why,
};
use thermal_guard::guard::counters::{Counters, XidCount};
use thermal_guard::guard::outcomes::{Action, ActionResult, Outcomes};
use thermal_guard::guard::state::DriverStatus;
use thermal_guard::guard::{Permission, Tick};
use thermal_guard::policy::ask::lease::{Endings, Holder};
use thermal_guard::policy::cooling::{Health, Receipt, Than, Unguarded};
use thermal_guard::policy::{
    AppMode, Asks, BySensor, ChainState, Claim, Decision, ExtraSensor, Heat, KnobReport, KnobState,
    Lease, Level, LimitClaim, Sensor, SensorReport, SensorState, State, Targets, Trigger, Trips,
};
use thermal_guard::registry::Registry;
use thermal_guard::units::{Celsius, Megahertz, Moment, Ratio, Watts};
use thermal_guard::web::access::actuators::AuthFailure;
use thermal_guard::web::actuate::counters::HookCounters;
use thermal_guard::web::actuate::reload_counters::ReloadCounters;
use thermal_guard::web::snapshot::{
    AppView, Build, ChainView, ConfigurationView, GpuView, LeaseView, ServiceView, Snapshot,
};

const C: fn(f64) -> Celsius = Celsius::new;
const W: fn(u32) -> Watts = Watts::from_watts;
const MHZ: fn(u32) -> Megahertz = Megahertz::new;

/// The wall's clock and the calendar at the moment of the snapshot.
pub(crate) const NOW: Duration = Duration::from_secs(7200);
pub(crate) const UNIX: Duration = Duration::from_secs(1_790_000_000);
const POLL: Duration = Duration::from_secs(1);

pub(crate) fn now() -> Moment {
    Moment::from_start(NOW)
}

fn ago(seconds: f64) -> Moment {
    Moment::from_start(NOW.saturating_sub(Duration::from_secs_f64(seconds)))
}

pub(crate) fn unix_ago(seconds: u64) -> Duration {
    UNIX.saturating_sub(Duration::from_secs(seconds))
}

pub(crate) fn snapshot() -> Snapshot {
    let gpus = vec![
        GpuView {
            hour: Some((C(78.0), C(74.25))),
            ..view(held_a100())
        },
        GpuView {
            hour: Some((C(55.0), C(43.5))),
            ..view(easy_4090())
        },
        view(lost_a100()),
        hung_h100(),
    ];
    Snapshot {
        now: now(),
        unix: UNIX,
        build: Build {
            version: "1.2.3",
            revision: "abcdef0",
            rustc: "1.95.0",
        },
        leases: vec![LeaseView {
            uuid: gpus[0].identity.uuid.clone(),
            holder: Holder::Alert(0xfeed),
            alert: Some("GpuHot".into()),
            lease: Lease {
                level: Level::Gradual,
                since: ago(95.0),
                expires: Moment::from_start(NOW + Duration::from_secs(25)),
                starts_at: unix_ago(100),
            },
        }],
        gpus,
        driver: DriverStatus {
            up: true,
            ready: true,
            error: None,
            initializations: 1,
            expected: 5,
        },
        detached: false,
        chain: ChainView {
            state: ChainState::Ok,
            fault: None,
            timeout: Duration::from_secs(15),
            heartbeat_age: Some(Duration::from_millis(3210)),
            eval_age: Some(Duration::from_secs(4)),
        },
        endings: Endings {
            expired: 2,
            resolved: 5,
            evicted: 0,
        },
        events: vec![Arc::new(throttled())],
        last_scrape: Some(unix_ago(15)),
        service: service(),
    }
}

fn throttled() -> Event {
    Event {
        time: unix_ago(95),
        gpu: Some(GpuName::of(&identity(0, ""))),
        what: What::Throttled(Throttle {
            level: Level::Gradual.into(),
            trigger: Some(Trigger::Local.into()),
            why: Why::SetPoint.into(),
            seen: Seen {
                temperature_celsius: Some(77.0),
                margin_to_alert_celsius: Some(1.0),
                ..Seen::default()
            },
        }),
    }
}

fn service() -> ServiceView {
    ServiceView {
        node: "n1.example".to_owned(),
        mode: Mode::Enforce,
        simulated: false,
        configuration: Some(ConfigurationView {
            file: "/etc/thermal-guard/thermal-guard.yml".to_owned(),
            read: unix_ago(600),
        }),
        apps: vec![AppView {
            status: AppStatus {
                name: "medgemma".to_owned(),
                wanted: AppMode::Gradual,
                told: Some(AppMode::Gradual),
                last_error: None,
                notifications_ok: 4,
                notifications_failed: 1,
                gpus: GpuSelection::All,
                well: Some(false),
            },
            env_file: Some(Ok(())),
        }],
        ..ServiceView::default()
    }
}

/// The counters of its service, which pulls from nobody.
pub(crate) fn counters() -> Registry {
    let mut registry = Registry::default();
    hook_counters().register(&mut registry);
    PullCounters::default().register(&mut registry);
    let log = LogCounters::default();
    log.written.inc_by(12);
    log.dropped.inc();
    log.register(&mut registry);
    let notify = NotifyCounters::default();
    notify.up.get_or_create(&[]).set(1);
    notify.register(&mut registry);
    ReloadCounters::started(unix_ago(7200)).register(&mut registry);
    registry
}

fn hook_counters() -> HookCounters {
    let hook = HookCounters::default();
    // Their sum is exact in a float.
    let unit = Duration::from_nanos(1_953_125);
    for (code, took, requests) in [
        (200, Duration::ZERO, 30),
        (200, unit, 11),
        (401, 21 * unit, 1),
    ] {
        for _ in 0..requests {
            hook.count_request(code, took);
        }
    }
    for (action, alerts) in [(AlertAction::Gradual, 3), (AlertAction::Heartbeat, 38)] {
        for _ in 0..alerts {
            hook.count_alert(Status::Firing, action, Outcome::Accepted);
        }
    }
    for bytes in [900, 1500, 1500] {
        hook.count_body(bytes);
    }
    hook.count_auth_failure(AuthFailure::Missing);
    hook.count_success(0, unix_ago(3));
    hook
}

fn view(tick: Tick) -> GpuView {
    let identity = tick.identity.clone();
    GpuView::new(&identity, Some(Arc::new(tick)), now(), POLL)
}

pub(crate) fn identity(index: u32, name: &str) -> Identity {
    Identity {
        uuid: Uuid::new(&format!("GPU-{index}{index}{index}{index}0000-made-up")),
        index,
        name: name.to_owned(),
        pci_bus_id: format!("00000000:{:02X}:00.0", 0x17 + index),
        serial: None,
        vbios_version: None,
        driver_version: Some("580.95.05".to_owned()),
        architecture: None,
        brand: None,
        instance_uuids: Vec::new(),
    }
}

/// A card of which nothing is known but who it is, at ease.
pub(crate) fn bare(identity: Identity) -> Tick {
    Tick {
        identity: Arc::new(identity),
        facts: Arc::new(Facts::default()),
        at: ago(0.4),
        last_success: None,
        poll_duration: Duration::from_micros(1250),
        up: true,
        reading: Reading::missing(ago(0.4), Missing::NotSupported),
        probes: Vec::new(),
        decision: Decision::unseen(),
        trips: None,
        claim: Claim::default(),
        permission: Permission::Unproven,
        outcomes: Outcomes::default(),
        held_since: None,
        paused_until: None,
        changed: unix_ago(7200),
        cooling: Health::default(),
        receipt: None,
        counters: Counters::default(),
    }
}

fn a100_facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: W(300),
            min: W(100),
            max: W(300),
        }),
        thresholds: Thresholds {
            shutdown: Some(C(92.0)),
            slowdown: Some(C(89.0)),
            gpu_max: Some(C(85.0)),
            mem_max: Some(C(95.0)),
            ..Thresholds::default()
        },
        gpu_clock_min: Some(MHZ(210)),
        gpu_clock_max: Some(MHZ(1410)),
        memory_clock_max: Some(MHZ(1512)),
        memory_clocks: vec![MHZ(1512)],
        supported_reasons: nvml::slowdown_reasons(0x1ff),
        ..Facts::default()
    }
}

fn a100_reading() -> Reading {
    Reading {
        core: Ok(C(77.0)),
        memory: Ok(C(84.0)),
        draw: Ok(Watts::from_milliwatts(229_481)),
        limit: Ok(W(230)),
        enforced_limit: Ok(W(230)),
        gpu_clock: Ok(MHZ(1170)),
        slowdown_reasons: Ok(nvml::slowdown_reasons(0x4)),
        utilization: Ok(Ratio::new(0.97)),
        slow: Slow {
            graphics_clock: Some(MHZ(1170)),
            memory_clock: Some(MHZ(1512)),
            video_clock: Some(MHZ(1065)),
            performance_state: Some(0),
            persistence_mode: Some(true),
            memory_utilization: Some(Ratio::new(0.61)),
            memory_total_bytes: Some(85_899_345_920),
            memory_used_bytes: Some(63_350_767_616),
            energy_millijoules: Some(1_234_567_890_123),
            ecc_corrected: [Some(0), Some(3)],
            ecc_uncorrected: [Some(0), Some(0)],
            slowdown_nanoseconds: [
                Some(81_500_000_000),
                Some(0),
                Some(1_250_000_000),
                Some(0),
                None,
            ],
            ..Slow::default()
        },
        ..Reading::missing(ago(0.4), Missing::NotSupported)
    }
}

fn a100_counters() -> Counters {
    let mut counters = Counters {
        throttles: [[3, 1, 0, 0], [0, 0, 0, 0]],
        recoveries: 3,
        throttled: [Duration::from_millis(812_500), Duration::ZERO],
        foreign_limits: 1,
        work_lost: Duration::from_millis(74_250),
        unguarded_work_lost: Duration::from_millis(51_500),
        ..Counters::default()
    };
    counters.actions[(Action::PowerLimit, ActionResult::Ok)] = 17;
    counters.actions[(Action::PowerLimit, ActionResult::Unjournaled)] = 2;
    counters
}

fn held_a100() -> Tick {
    Tick {
        facts: Arc::new(a100_facts()),
        last_success: Some(unix_ago(0)),
        decision: Decision {
            state: State::Gradual,
            level: Level::Gradual,
            targets: Targets {
                limit: Some(W(230)),
                locks: ByClock::only(
                    ClockDomain::Gpu,
                    Some(ClockRange {
                        min: MHZ(210),
                        max: MHZ(1058),
                    }),
                ),
                app: AppMode::Gradual,
                ..Targets::default()
            },
            heat: Some(Heat {
                to_alert: C(1.0),
                to_critical: C(8.0),
                to_safe: C(-5.0),
            }),
            asks: Asks {
                local: Level::Gradual,
                alert: Level::Gradual,
                manual: Level::None,
            },
            trigger: Some(Trigger::Alert),
            sensors: sensors(&[Sensor::Core, Sensor::Memory, Sensor::Power]),
            knobs: knobs(KnobState::Working),
            ..bare(identity(0, "")).decision
        },
        trips: Some(Trips {
            alert: C(78.0),
            critical: C(85.0),
            safe: C(72.0),
        }),
        claim: Claim {
            limit: Some(LimitClaim {
                original: W(300),
                previous: W(240),
                next: W(230),
            }),
            locks: ByClock::only(ClockDomain::Gpu, true),
            ..Claim::default()
        },
        permission: Permission::Granted,
        held_since: Some(unix_ago(95)),
        changed: unix_ago(95),
        reading: a100_reading(),
        probes: vec![probe("inlet", Some(31.5)), probe("rack-door", None)],
        counters: a100_counters(),
        cooling: a100_cooling(),
        receipt: Some(a100_receipt()),
        ..bare(Identity {
            serial: Some("1320021000000".to_owned()),
            architecture: Some("ampere".to_owned()),
            vbios_version: Some("92.00.45.00.03".to_owned()),
            ..identity(0, "NVIDIA A100 80GB PCIe")
        })
    }
}

fn a100_cooling() -> Health {
    let mut worse = [None; Than::ALL.len()];
    worse[Than::Before as usize] = Some(true);
    worse[Than::Neighbours as usize] = Some(false);
    Health {
        resistance: Some(0.208),
        baseline: Some(0.173),
        ratio: Some(Ratio::new(1.2)),
        beside_neighbours: Some(Ratio::new(1.05)),
        worse,
        sustainable: Some(W(231)),
    }
}

fn a100_receipt() -> Receipt {
    Receipt {
        asked: 95.0,
        lost: Ratio::new(0.17),
        lost_least: Ratio::new(0.051),
        unguarded: Some(Unguarded {
            lost: Ratio::new(0.12),
            least: Ratio::new(0.03),
            most: Ratio::new(0.14),
            hottest: Some(C(86.0)),
        }),
    }
}

/// These work, and there are no others.
pub(crate) fn sensors(working: &[Sensor]) -> BySensor<SensorReport> {
    BySensor::of(|sensor| SensorReport {
        state: if working.contains(&sensor) {
            SensorState::Working
        } else {
            SensorState::Absent
        },
        ..SensorReport::default()
    })
}

/// Of a card with a power limit and a clock lock.
pub(crate) fn knobs(state: KnobState) -> ByKnob<KnobReport> {
    ByKnob::of(|knob| KnobReport {
        state: if matches!(knob, Knob::MemoryClock | Knob::Fan) {
            KnobState::Absent
        } else {
            state
        },
        denied: false,
    })
}

fn probe(name: &str, now: Option<f64>) -> ExtraSensor {
    ExtraSensor {
        name: name.into(),
        trips: Trips {
            alert: C(38.0),
            critical: C(45.0),
            safe: C(32.0),
        },
        now: now.map(C),
        last: now.map(C),
        left_hot: false,
    }
}

fn fan(speed: f64, rpm: u32) -> Fan {
    Fan {
        speed: Some(Ratio::new(speed)),
        rpm: Some(rpm),
        target: Some(Ratio::new(speed)),
        policy: Some(FanPolicy::Automatic),
    }
}

fn easy_4090() -> Tick {
    let slow = Slow {
        graphics_clock: Some(MHZ(210)),
        memory_clock: Some(MHZ(405)),
        performance_state: Some(8),
        persistence_mode: Some(false),
        memory_total_bytes: Some(25_757_220_864),
        memory_used_bytes: Some(1_048_576),
        fans: vec![fan(0.3, 910), fan(0.31, 930), Fan::default()],
        ..Slow::default()
    };
    let reading = Reading {
        core: Ok(C(41.0)),
        draw: Ok(Watts::from_milliwatts(18_250)),
        limit: Ok(W(450)),
        enforced_limit: Ok(W(450)),
        gpu_clock: Ok(MHZ(210)),
        // A bit that this build has no name for.
        slowdown_reasons: Ok(nvml::slowdown_reasons(0x1001)),
        utilization: Ok(Ratio::new(0.0)),
        slow,
        ..Reading::missing(ago(0.3), Missing::NotSupported)
    };
    let facts = Facts {
        power: Some(PowerConstraints {
            default: W(450),
            min: W(150),
            max: W(600),
        }),
        thresholds: Thresholds {
            shutdown: Some(C(100.0)),
            slowdown: Some(C(97.0)),
            gpu_max: Some(C(90.0)),
            acoustic_current: Some(C(84.0)),
            ..Thresholds::default()
        },
        supported_reasons: nvml::slowdown_reasons(0x06f),
        ..Facts::default()
    };
    Tick {
        facts: Arc::new(facts),
        last_success: Some(unix_ago(0)),
        decision: Decision {
            heat: Some(Heat {
                to_alert: C(42.0),
                to_critical: C(49.0),
                to_safe: C(36.0),
            }),
            sensors: sensors(&[Sensor::Core, Sensor::Power]),
            knobs: knobs(KnobState::Unproven),
            ..bare(identity(1, "")).decision
        },
        trips: Some(Trips {
            alert: C(83.0),
            critical: C(90.0),
            safe: C(77.0),
        }),
        permission: Permission::Denied,
        paused_until: Some(Moment::from_start(NOW + Duration::from_secs(600))),
        reading,
        ..bare(identity(1, "NVIDIA GeForce RTX 4090"))
    }
}

fn lost_a100() -> Tick {
    let xid = XidCount {
        count: 1,
        last: unix_ago(60),
    };
    Tick {
        up: false,
        last_success: Some(unix_ago(61)),
        reading: Reading::missing(ago(0.4), Missing::Lost),
        decision: Decision {
            state: State::Blind,
            level: Level::Gradual,
            trigger: Some(Trigger::Local),
            asks: Asks {
                local: Level::Gradual,
                ..Asks::default()
            },
            sensors: BySensor::of(|sensor| SensorReport {
                state: match sensor {
                    Sensor::Margin => SensorState::Absent,
                    Sensor::Core | Sensor::Memory | Sensor::Power => SensorState::Failing,
                },
                missing: (sensor != Sensor::Margin).then_some(Missing::Lost),
                doubt: None,
            }),
            knobs: knobs(KnobState::Working),
            ..bare(identity(2, "")).decision
        },
        changed: unix_ago(60),
        facts: Arc::new(a100_facts()),
        counters: Counters {
            throttles: [[0, 1, 0, 0], [0; 4]],
            throttled: [Duration::from_secs(60), Duration::ZERO],
            read_failures: 60,
            xids: Arc::new(BTreeMap::from([(79, xid), (154, xid)])),
            ..Counters::default()
        },
        ..bare(identity(2, "NVIDIA A100 80GB PCIe"))
    }
}

fn hung_h100() -> GpuView {
    let identity = Arc::new(identity(3, "NVIDIA H100 80GB HBM3"));
    GpuView::new(&identity, None, now(), POLL)
}
