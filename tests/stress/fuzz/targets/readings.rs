//! A card's answers through NVML, as values: any temperature, any missing value, any answer to a write,
//! in any order. With the real worker and policy in virtual time, and all views of the result.
//!
//! The card doesn't lie about these, because then nothing could be promised: the range of its power limit,
//! the limit itself if it reports one, and that the enforced one, if it is within the range, is no higher.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thermal_guard::clock::Clock;
use thermal_guard::device::{
    Actuator, ActuatorError, ByKnob, Cadence, ClockDomain, ClockRange, Driver, DriverError, Facts,
    Fan, FanSetting, Gpu, Identity, MarginOffsets, Missing, PowerConstraints, Reading, Sensor,
    Slow, Thresholds, Uuid, nvml,
};
use thermal_guard::guard::Tick;
use thermal_guard::guard::actuate::actuation::Actuation;
use thermal_guard::guard::actuate::journal::{Entry, Journal};
use thermal_guard::guard::gpu::worker::{Setup, Worker};
use thermal_guard::guard::state::{GpuHandle, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::ask::lease::Holder;
use thermal_guard::policy::{Chain, Lease, Level, PolicyName, Settings, State};
use thermal_guard::registry::Registry;
use thermal_guard::units::{Celsius, Megahertz, Moment, Ratio, Watts};
use thermal_guard::web::metrics::{Collect, Format, render};
use thermal_guard::web::page;
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, ServiceView};
use thermal_guard::web::status::Status;

use super::input::Input;

const POWER: PowerConstraints = PowerConstraints {
    default: Watts::from_watts(400),
    min: Watts::from_watts(100),
    max: Watts::from_watts(450),
};

/// More would only be slower.
const MOST_TICKS: usize = 64;

/// The true state of a card, and its next answers.
struct Card {
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    limit: Watts,
    lock: Option<ClockRange>,
    says: Reading,
    /// To the next write, and whether it takes effect.
    answers: Result<(), ActuatorError>,
    /// The highest limit that was asked for.
    asked: Watts,
}

#[derive(Clone)]
struct Rogue(Arc<Mutex<Card>>);

impl Card {
    fn set_lock(&mut self, domain: ClockDomain, range: Option<ClockRange>) {
        if domain == ClockDomain::Gpu {
            self.lock = range;
        }
    }
}

impl Rogue {
    fn card(&self) -> MutexGuard<'_, Card> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its limit and its clock lock, for real.
    fn stands(&self) -> (Watts, Option<ClockRange>) {
        let card = self.card();
        (card.limit, card.lock)
    }

    fn write(&self, take: impl FnOnce(&mut Card)) -> Result<(), ActuatorError> {
        let mut card = self.card();
        if !card.answers.is_err_and(ActuatorError::is_refusal) {
            take(&mut card);
        }
        card.answers
    }
}

impl Driver for Rogue {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        Ok(vec![self.card().identity.clone()])
    }

    fn open(&self, _: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let card = self.card();
        let (identity, facts) = (card.identity.clone(), card.facts.clone());
        Ok(Box::new(Open {
            rogue: self.clone(),
            identity,
            facts,
        }))
    }
}

struct Open {
    rogue: Rogue,
    identity: Arc<Identity>,
    facts: Arc<Facts>,
}

impl Sensor for Open {
    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn read(&mut self, now: Moment, _: Cadence) -> Reading {
        Reading {
            at: now,
            ..self.rogue.card().says.clone()
        }
    }
}

impl Actuator for Open {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        let card = self.rogue.card();
        card.answers.map(|()| card.limit)
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        let mut card = self.rogue.card();
        card.asked = card.asked.max(limit);
        drop(card);
        if limit < POWER.min || limit > POWER.max {
            return Err(ActuatorError::OutOfRange);
        }
        self.rogue.write(|card| card.limit = limit)
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        assert!(range.min <= range.max, "{range:?}");
        self.rogue.write(|card| card.set_lock(domain, Some(range)))
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        self.rogue.write(|card| card.set_lock(domain, None))
    }

    /// It has no fans.
    fn fan(&mut self, _: usize) -> Result<FanSetting, ActuatorError> {
        Err(ActuatorError::Unsupported)
    }

    fn set_fan(&mut self, _: usize, _: FanSetting) -> Result<(), ActuatorError> {
        Err(ActuatorError::Unsupported)
    }
}

/// A card and its worker in virtual time.
struct Rig {
    rogue: Rogue,
    shared: Arc<Shared>,
    worker: Worker,
    now: Moment,
}

impl Rig {
    fn new(settings: Settings, facts: Facts, limit: Watts, left: Option<Entry>) -> Self {
        let uuid = Uuid::new("GPU-1");
        let identity = Arc::new(identity(&uuid));
        let rogue = Rogue(Arc::new(Mutex::new(Card {
            identity: identity.clone(),
            facts: Arc::new(facts),
            limit,
            lock: None,
            says: Reading::missing(Moment::START, Missing::NotSupported),
            answers: Ok(()),
            asked: Watts::default(),
        })));
        let live = Live {
            settings,
            ..Live::default()
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, live);
        shared.register(Arc::new(GpuHandle::new(identity)));
        let worker = worker(&rogue, &shared, left);
        Self {
            rogue,
            shared: Arc::new(shared),
            worker,
            now: Moment::START,
        }
    }

    fn tick(&mut self, period: Duration) -> Tick {
        self.now = self.now + period;
        self.worker.tick(self.now, self.now, &self.shared)
    }

    /// Everything that is shown of it.
    fn show(self) {
        let snapshots = Snapshots::new(
            self.shared,
            Build::current(),
            Box::new(ServiceView::default),
        );
        let snapshot = snapshots.take();
        let status = Status::of(&snapshot);
        serde_json::to_string(&status).expect("JSON");
        page::render(&status, "/metrics");
        for format in [Format::OpenMetrics, Format::Classic] {
            render(
                String::new(),
                snapshot.clone(),
                &Registry::default(),
                Collect::ALL,
                format,
            )
            .expect("metrics");
        }
    }
}

fn worker(rogue: &Rogue, shared: &Shared, left: Option<Entry>) -> Worker {
    let identity = rogue.card().identity.clone();
    let setup = Setup {
        actuation: Actuation::new(identity.uuid.clone(), Journal::none()),
        identity,
        driver: Arc::new(rogue.clone()),
        left,
        may_write: true,
    };
    Worker::new(setup, shared.live())
}

pub(super) fn readings(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = Settings {
        regulator: [PolicyName::Governor, PolicyName::Ladder][usize::from(input.u8() & 1)],
        enabled: ByKnob::of(|_| true),
        ..Settings::default()
    };
    let facts = facts(&mut input);
    let mut original = some_limit(&mut input);
    let mut rig = Rig::new(settings, facts, original, None);
    let (mut last, mut known) = (None, original);
    for _ in 0..MOST_TICKS {
        if input.is_empty() {
            break;
        }
        happen(&mut rig, &mut input, &mut original, last.as_ref());
        let (found, lock) = rig.rogue.stands();
        let period = Duration::from_millis(u64::from(input.u16()));
        let tick = rig.tick(period);
        // Somebody's lower limit that came while none could be read can't be known.
        let before = if tick.reading.limit.is_err() {
            found.max(known)
        } else {
            found
        };
        check(&tick, &rig.rogue.card(), before, lock, original);
        let after = rig.rogue.stands().0;
        if after != found || tick.reading.limit.is_ok() {
            known = after;
        }
        let gpu_handle = rig.shared.gpu_handle(&tick.identity.uuid);
        gpu_handle.expect("enlisted").publish(tick.clone());
        last = Some(tick);
    }
    rig.show();
}

/// A worker that finds a dead guard's entry on a card that is well: it asks for nothing that the
/// card wouldn't take.
pub(super) fn takes_over(entry: Entry) {
    let found = entry.claim.limit.map_or(POWER.default, |limit| limit.next);
    let found = POWER.clamp(found);
    let facts = Facts {
        power: Some(POWER),
        ..Facts::default()
    };
    let mut rig = Rig::new(Settings::default(), facts, found, Some(entry));
    for _ in 0..8 {
        let limit = rig.rogue.card().limit;
        rig.rogue.card().says = Reading {
            core: Ok(Celsius::new(60.0)),
            limit: Ok(limit),
            ..Reading::missing(Moment::START, Missing::NotSupported)
        };
        rig.tick(Duration::from_secs(60));
    }
    let asked = rig.rogue.card().asked;
    assert!(
        asked <= POWER.max,
        "{asked} asked of a card that takes {}",
        POWER.max
    );
}

/// Events between two ticks, and the card's answers at the next.
fn happen(rig: &mut Rig, input: &mut Input<'_>, original: &mut Watts, last: Option<&Tick>) {
    let what = input.u8();
    let uuid = rig.rogue.card().identity.uuid.clone();
    if what & 1 != 0 {
        let foreign = some_limit(input);
        rig.rogue.card().limit = foreign;
        *original = foreign.max(*original);
    }
    if what & 2 != 0 {
        let ttl = Duration::from_secs(input.u16().into());
        let lease = Lease {
            level: [Level::Gradual, Level::Emergency][usize::from(input.u8() & 1)],
            since: rig.now,
            expires: rig.now + ttl,
            starts_at: Duration::from_secs(input.u32().into()),
        };
        let holder = Holder::Alert(u64::from(input.u8()));
        rig.shared.grant(rig.now, &uuid, holder, lease);
    }
    if what & 4 != 0 {
        let period = Duration::from_secs(input.u8().into());
        rig.shared.pause(&uuid, rig.now + period);
    }
    if what & 8 != 0 && last.is_some_and(|tick| tick.claim.is_empty()) {
        rig.worker = worker(&rig.rogue, &rig.shared, None);
    }
    let answers = if what & 16 == 0 {
        Ok(())
    } else {
        Err(refusal(input))
    };
    let mut card = rig.rogue.card();
    card.answers = answers;
    let limit = card.limit;
    card.says = reading(input, limit);
}

/// The rules of a single tick, for any reading.
fn check(tick: &Tick, card: &Card, before: Watts, lock: Option<ClockRange>, original: Watts) {
    let decision = &tick.decision;
    let cool = decision.heat.is_some_and(|heat| !heat.is_hot());
    let (after, raised) = (card.limit, card.limit > before);
    assert!(
        !raised || cool,
        "raised {before} to {after}, {:?}",
        decision.heat
    );
    assert!(
        !raised || decision.state != State::Blind,
        "raised while blind"
    );
    assert!(after <= original, "{after} over the original {original}");
    assert!(after >= POWER.min.min(before) && card.asked <= POWER.max);
    let loosened = lock.is_some_and(|before| card.lock.is_none_or(|after| after.max > before.max));
    assert!(!loosened || cool, "{lock:?} loosened to {:?}", card.lock);
    let done = decision.state != State::Unguarded;
    assert!(!done || decision.level >= decision.asks.local);
}

fn some_limit(input: &mut Input<'_>) -> Watts {
    let range = POWER.max.milliwatts() - POWER.min.milliwatts();
    Watts::from_milliwatts(POWER.min.milliwatts() + input.u32() % (range + 1))
}

fn refusal(input: &mut Input<'_>) -> ActuatorError {
    match input.u8() % 5 {
        0 => ActuatorError::NoPermission,
        1 => ActuatorError::OutOfRange,
        2 => ActuatorError::Unsupported,
        3 => ActuatorError::Lost,
        _ => ActuatorError::Transient(nvml::code(input.u32())),
    }
}

fn reading(input: &mut Input<'_>, limit: Watts) -> Reading {
    let mut reading = Reading {
        core: said(input, |input| Celsius::new(input.degrees())),
        memory: said(input, |input| Celsius::new(input.degrees())),
        margin: said(input, |input| Celsius::new(input.degrees())),
        draw: said(input, |input| Watts::from_milliwatts(input.u32())),
        limit: said(input, |_| limit),
        ..Reading::missing(Moment::START, Missing::NotSupported)
    };
    if input.u8() & 1 != 0 {
        reading.enforced_limit = said(input, |input| {
            let told = Watts::from_milliwatts(input.u32());
            if told > POWER.max {
                told
            } else {
                told.min(limit)
            }
        });
        reading.gpu_clock = said(input, |input| Megahertz::new(input.u32()));
        reading.slowdown_reasons = said(input, |input| nvml::slowdown_reasons(input.u64()));
        reading.utilization = said(input, |input| Ratio::from_percent(input.u32()));
        reading.slow = Slow {
            energy_millijoules: Some(input.u64()),
            memory_used_bytes: Some(input.u64()),
            memory_total_bytes: Some(input.u64()),
            fans: vec![
                Fan {
                    speed: Some(Ratio::from_percent(input.u32())),
                    ..Fan::default()
                },
                Fan::default(),
            ],
            ecc_corrected: [Some(input.u64()), None],
            ..Slow::default()
        };
    }
    reading
}

fn said<T>(input: &mut Input<'_>, value: impl FnOnce(&mut Input<'_>) -> T) -> Result<T, Missing> {
    match input.u8() % 16 {
        0 => Err(Missing::NotSupported),
        1 => Err(Missing::Failed(nvml::code(input.u32()))),
        2 => Err(Missing::Lost),
        _ => Ok(value(input)),
    }
}

fn facts(input: &mut Input<'_>) -> Facts {
    let has = input.u8();
    let mut degrees = |bit| (has & bit != 0).then(|| Celsius::new(input.degrees()));
    let thresholds = Thresholds {
        shutdown: degrees(1),
        slowdown: degrees(2),
        gpu_max: degrees(4),
        mem_max: degrees(8),
        ..Thresholds::default()
    };
    let margin_offsets = MarginOffsets {
        gpu_max: degrees(16),
        mem_max: degrees(32),
        ..MarginOffsets::default()
    };
    let clock = |input: &mut Input<'_>| Megahertz::new(input.u32());
    let clocks = has & 64 != 0;
    Facts {
        power: (has & 128 == 0).then_some(POWER),
        thresholds,
        margin_offsets,
        gpu_clock_min: clocks.then(|| clock(input)),
        gpu_clock_max: clocks.then(|| clock(input)),
        memory_clock_max: clocks.then(|| clock(input)),
        memory_clocks: (0..input.u8() % 4).map(|_| clock(input)).collect(),
        ..Facts::default()
    }
}

fn identity(uuid: &Uuid) -> Identity {
    Identity {
        uuid: uuid.clone(),
        index: 0,
        name: "a card that says anything".to_owned(),
        pci_bus_id: "00000000:01:00.0".to_owned(),
        serial: None,
        vbios_version: None,
        driver_version: None,
        architecture: None,
        brand: None,
        instance_uuids: Vec::new(),
    }
}
