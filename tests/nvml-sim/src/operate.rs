//! What is done to the machine: by programs through NVML, by drivers that come and go, by whoever
//! holds the control command.

use thermal_guard::device::MOST_FANS;
use thermal_guard::sim::faults::Answers;
use thermal_guard::sim::plant::State;
use thermal_guard::sim::profile::Profile;

use crate::clock;
use crate::code::{Code, Outcome};
use crate::doorbell;
use crate::fault::Fault;
use crate::layout::{
    Bench, Card, Driver, Lock, MAGIC, MAX_GPUS, MAX_XIDS, Settings, Text, VERSION, XidEntry,
};

/// UUID of the card of that index in the machine of that number.
pub fn uuid(node: u32, index: usize) -> String {
    format!("GPU-{node:08x}-0000-4000-8000-{index:012x}")
}

/// A new machine with these cards; `None` if there are too many.
pub fn machine(profiles: &[&Profile], inlet: f64, driver_version: &str) -> Option<Bench> {
    if profiles.len() > MAX_GPUS {
        return None;
    }
    let spare = Card::new(thermal_guard::sim::profile::ALL[0], "", inlet);
    #[expect(
        clippy::large_stack_arrays,
        reason = "a machine is made once, on a main thread"
    )]
    let mut gpus = [spare; MAX_GPUS];
    for (index, (card, profile)) in gpus.iter_mut().zip(profiles).enumerate() {
        *card = Card::new(profile, &uuid(0, index), inlet);
    }
    Some(Bench {
        magic: MAGIC,
        version: VERSION,
        size: u32::try_from(size_of::<Bench>()).ok()?,
        generation: 1,
        driver: Driver::Loaded as u32,
        gpu_count: u32::try_from(profiles.len()).ok()?,
        driver_version: Text::new(driver_version),
        time_scale: 1.0,
        advanced_to: u64::try_from(clock::since_boot().as_nanos()).ok()?,
        elapsed: 0.0,
        shared_air: 0.0,
        xid_count: 0,
        xids: [XidEntry { gpu: 0, code: 0 }; MAX_XIDS],
        answers: Answers::NONE,
        order: std::array::from_fn(|place| u32::try_from(place).unwrap_or(0)),
        order_count: profiles.len() as u64,
        gpus,
    })
}

/// The driver goes: settings and counters that live in it go with it.
pub fn unload_driver(bench: &mut Bench) {
    bench.driver = Driver::Missing as u32;
    for card in bench.cards_mut() {
        card.limit = card.faults.told.default_limit(card.profile());
        card.pending = Settings::NONE;
        card.sm_lock = Lock::NONE;
        card.memory_lock = Lock::NONE;
        (0..MOST_FANS).for_each(|fan| card.fans.set(fan, None));
        card.persistence = 0;
        card.state.energy_joules = 0.0;
        card.state.slowdown_seconds = [0.0; 5];
    }
    doorbell::ring(bench);
}

/// A driver comes: whoever used the one before must initialise again.
pub fn load_driver(bench: &mut Bench) {
    bench.driver = Driver::Loaded as u32;
    bench.generation += 1;
    doorbell::ring(bench);
}

/// A driver of another version than the library's comes, in the middle of an upgrade.
pub fn mismatch_driver(bench: &mut Bench) {
    unload_driver(bench);
    bench.driver = Driver::Mismatched as u32;
}

/// Puts a mask of [`Fault`]s wrong with the card, and nothing else of the kind.
pub fn set_faults(card: &mut Card, faults: u32) {
    let freezes = faults & Fault::FrozenTemperature.bit() != 0;
    if freezes && !card.has(Fault::FrozenTemperature) {
        card.frozen = card.state;
    }
    card.fault = faults;
}

/// The driver reports an Xid.
pub fn report_xid(bench: &mut Bench, gpu: u32, code: u32) {
    let slot = usize::try_from(bench.xid_count % MAX_XIDS as u64).unwrap_or(0);
    bench.xids[slot] = XidEntry { gpu, code };
    bench.xid_count += 1;
    doorbell::ring(bench);
}

/// A setter was called on the card: applies `change` unless something stands against it.
pub fn write(card: &mut Card, kind: Write, change: impl FnOnce(&mut Card) -> Outcome) -> Outcome {
    let before = *card;
    let outcome = if card.has(Fault::NoPermission) {
        Err(Code::NoPermission)
    } else {
        change(card)
    };
    if outcome.is_err() {
        *card = before;
        card.refused_writes += 1;
        return outcome;
    }
    if card.has(Fault::IgnoredWrites) {
        *card = before;
    }
    match kind {
        Write::Limit => card.limit_writes += 1,
        Write::Lock => card.lock_writes += 1,
        Write::Other => {}
    }
    outcome
}

/// What a write counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Limit,
    Lock,
    Other,
}

/// Sets the requested limit if it lies within the card's constraints.
pub fn set_limit(card: &mut Card, milliwatts: u32) -> Outcome {
    let (min, max) = card.faults.told.range(card.profile());
    if (min..=max).contains(&milliwatts) {
        card.limit = milliwatts;
        Ok(())
    } else {
        Err(Code::InvalidArgument)
    }
}

/// Locks the SM clock. As real drivers do, takes ends outside the card's range for its ends, as
/// long as the ranges overlap.
pub fn lock_sm(card: &mut Card, min: u32, max: u32) -> Outcome {
    let profile = card.profile();
    let (lowest, highest) = (
        profile.gpu_clock_min.megahertz(),
        profile.gpu_clock_max.megahertz(),
    );
    if max == 0 || min > max || min > highest {
        return Err(Code::InvalidArgument);
    }
    card.sm_lock = Lock {
        min: min.clamp(lowest, highest),
        max: max.clamp(lowest, highest),
    };
    Ok(())
}

/// Locks the memory clock; its ends snap to supported clocks.
pub fn lock_memory(card: &mut Card, min: u32, max: u32) -> Outcome {
    let profile = card.profile();
    if !crate::cards::product(profile).memory_lock {
        return Err(Code::NotSupported);
    }
    if max == 0 || min > max {
        return Err(Code::InvalidArgument);
    }
    card.memory_lock = Lock {
        min: snap(profile, min),
        max: snap(profile, max),
    };
    Ok(())
}

/// The supported memory clock nearest to `megahertz`.
fn snap(profile: &Profile, megahertz: u32) -> u32 {
    profile
        .memory_clocks
        .iter()
        .map(|clock| clock.megahertz())
        .min_by_key(|clock| clock.abs_diff(megahertz))
        .unwrap_or(megahertz)
}

/// Brings the card to where it would be after standing idle for long.
pub fn cool_down(card: &mut Card) {
    let inputs = card.inputs();
    let rested = State::idle_at(card.profile(), inputs.inlet);
    card.state = State {
        energy_joules: card.state.energy_joules,
        slowdown_seconds: card.state.slowdown_seconds,
        work_done: card.state.work_done,
        work_asked: card.state.work_asked,
        ..rested
    };
}
