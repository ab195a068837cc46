use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::device::{
    ActuatorError, Cadence, ClockDomain, ClockRange, Driver, DriverError, Gpu, Missing, Reading,
    SlowdownReason, nvml,
};
use crate::sim::faults::{Answer, Bound, Call, Sensor as Bad, Setter};
use crate::sim::plant::Load;
use crate::sim::profile;
use crate::sim::profile::Profile;
use crate::units::{Celsius, Megahertz, Moment, Watts};

fn profile(key: &str) -> &'static Profile {
    profile::named(key).expect("profile")
}

const fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

/// Cards at full load in 30 °C, and a clock that stands still until told otherwise.
struct Bench {
    rack: Rack,
    seconds: Arc<AtomicU64>,
}

impl Bench {
    fn new(keys: &[&str]) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let room = Conditions::full_load(Celsius::new(30.0));
        let cards = (0..)
            .zip(keys)
            .map(|(index, key)| Card::new(profile(key), index, Box::new(move |_| room)));
        let clock = seconds.clone();
        let rack = Rack::new(cards.collect(), move || at(clock.load(Ordering::Relaxed)));
        Self { rack, seconds }
    }

    fn open(&self, card: usize) -> Box<dyn Gpu> {
        let uuid = self.rack.card(card).uuid().clone();
        self.rack.open(&uuid).expect("card")
    }

    /// Lets so many seconds pass, read each second; the last reading.
    fn run(&self, gpu: &mut dyn Gpu, seconds: u64) -> Reading {
        let mut reading = self.read(gpu);
        for _ in 0..seconds {
            self.seconds.fetch_add(1, Ordering::Relaxed);
            reading = self.read(gpu);
        }
        reading
    }

    fn read(&self, gpu: &mut dyn Gpu) -> Reading {
        gpu.read(at(self.seconds.load(Ordering::Relaxed)), Cadence::Full)
    }
}

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

fn degrees(reading: Result<Celsius, Missing>) -> f64 {
    reading.expect("a temperature").degrees()
}

#[test]
fn any_reading_answers_any_code_or_value_as_often_as_told() {
    let bench = Bench::new(&["h100"]);
    let mut gpu = bench.open(0);
    let answer = |call, answer| {
        assert!(bench.rack.card(0).faults.answers.set(call, answer));
    };
    answer(Call::Temperature, Answer::code(999).times(2));
    answer(Call::Margin, Answer::value(-7).once());
    answer(Call::PowerUsage, Answer::value(0).once());
    answer(Call::PowerLimit, Answer::code(2).once());
    answer(Call::EventReasons, Answer::value(0x1_0000_0000).once());
    answer(Call::Utilization, Answer::pair(100, 0).once());
    let reading = bench.read(&mut *gpu);
    assert_eq!(reading.core, Err(Missing::Failed(nvml::code(999))));
    assert_eq!(reading.margin, Ok(Celsius::new(-7.0)));
    assert_eq!(reading.draw, Ok(w(0)));
    assert_eq!(reading.limit, Err(Missing::Failed(nvml::code(2))));
    let reasons = nvml::slowdown_reasons(0x1_0000_0000);
    assert_eq!(reading.slowdown_reasons, Ok(reasons));
    assert!(bench.read(&mut *gpu).core.is_err());
    let well = bench.read(&mut *gpu);
    assert!(well.core.is_ok() && well.limit == Ok(w(700)) && well.draw != Ok(w(0)));
    assert_eq!(bench.rack.card(0).faults.answers.used(Call::Temperature), 2);
}

#[test]
fn a_raw_temperature_is_what_the_driver_layer_makes_of_it() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    for (raw, told) in [(4_294_967_295, -1.0), (0, 0.0), (255, 255.0), (-1, -1.0)] {
        let answer = Answer::value(raw);
        bench
            .rack
            .card(0)
            .faults
            .answers
            .set(Call::Temperature, answer);
        assert_eq!(bench.read(&mut *gpu).core, Ok(Celsius::new(told)));
    }
}

#[test]
fn a_lost_core_loses_the_reading_and_an_unsupported_one_has_a_second_way() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    let answers = |call, answer| {
        bench.rack.card(0).faults.answers.set(call, answer);
    };
    answers(Call::Temperature, Answer::code(16).once());
    assert!(bench.read(&mut *gpu).is_lost());
    answers(Call::Temperature, Answer::code(3));
    assert!(bench.read(&mut *gpu).core.is_ok());
    answers(Call::TemperatureV, Answer::code(13).once());
    assert_eq!(bench.read(&mut *gpu).core, Err(Missing::NotSupported));
    assert!(bench.read(&mut *gpu).core.is_ok());
}

#[test]
fn what_is_not_supported_once_answers_on_the_next_look() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    let once = Answer::code(3).once();
    bench
        .rack
        .card(0)
        .faults
        .answers
        .set(Call::PowerUsage, once);
    assert_eq!(bench.read(&mut *gpu).draw, Err(Missing::NotSupported));
    assert!(bench.read(&mut *gpu).draw.is_ok());
}

#[test]
fn a_setter_answers_codes_and_stores_nothing() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    let expected = [
        (2, ActuatorError::OutOfRange),
        (3, ActuatorError::Unsupported),
        (4, ActuatorError::NoPermission),
        (15, ActuatorError::Lost),
        (999, ActuatorError::Transient(nvml::code(999))),
    ];
    for (code, error) in expected {
        let answer = Answer::code(code).once();
        bench
            .rack
            .card(0)
            .faults
            .answers
            .set(Call::SetPowerLimit, answer);
        assert_eq!(gpu.set_power_limit(w(300)), Err(error));
        assert_eq!(bench.rack.card(0).limit, w(400));
    }
    assert_eq!(gpu.set_power_limit(w(300)), Ok(()));
    let card = bench.rack.card(0);
    assert_eq!(
        (card.limit, card.limit_writes, card.refused_writes),
        (w(300), 1, 5)
    );
}

#[test]
fn a_setter_quantises_clamps_refuses_and_ignores() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    let mut set = |setter, watts| {
        bench.rack.card(0).faults.power_limit = setter;
        let outcome = gpu.set_power_limit(w(watts));
        (outcome, bench.rack.card(0).limit.milliwatts())
    };
    assert_eq!(set(Setter::quantise(7_000, 1), 300), (Ok(()), 293_999));
    assert_eq!(set(Setter::clamp(200_000, 350_000), 10), (Ok(()), 200_000));
    let within = Setter::refuse_within(999, 0, 250_000);
    let refused = Err(ActuatorError::Transient(nvml::code(999)));
    assert_eq!(set(within, 250), (refused, 200_000));
    assert_eq!(set(within, 251), (Ok(()), 251_000));
    assert_eq!(set(Setter::ignore(), 300), (Ok(()), 251_000));
    assert_eq!(bench.rack.card(0).limit_writes, 4);
}

#[test]
fn an_ignored_limit_doesnt_cool_and_a_forgotten_one_no_longer() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    bench.run(&mut *gpu, 600);
    let hot = bench.rack.card(0).state.die;
    bench.rack.card(0).faults.power_limit = Setter::ignore();
    gpu.set_power_limit(w(200)).expect("success");
    bench.run(&mut *gpu, 100);
    assert!((bench.rack.card(0).state.die - hot).abs() < 1.0);

    bench.rack.card(0).faults.power_limit = Setter::forget(60.0);
    gpu.set_power_limit(w(200)).expect("success");
    bench.run(&mut *gpu, 59);
    assert_eq!(bench.rack.card(0).limit, w(200));
    assert!(bench.rack.card(0).state.die < hot - 10.0);
    bench.run(&mut *gpu, 1);
    assert_eq!(gpu.power_limit(), Ok(w(400)));
    bench.run(&mut *gpu, 300);
    assert!((bench.rack.card(0).state.die - hot).abs() < 1.0);
}

#[test]
fn a_lock_is_quantised_ignored_and_forgotten_as_a_limit_is() {
    let bench = Bench::new(&["rtx-6000-ada"]);
    let mut gpu = bench.open(0);
    let range = |min, max| ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    };
    bench.rack.card(0).faults.gpu_clock = Setter {
        forget_seconds: 5.0,
        ..Setter::quantise(15, 0)
    };
    assert_eq!(gpu.lock_clock(ClockDomain::Gpu, range(210, 1000)), Ok(()));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(210, 990)));
    bench.run(&mut *gpu, 5);
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    bench.rack.card(0).faults.memory_clock = Setter::ignore();
    assert_eq!(
        gpu.lock_clock(ClockDomain::Memory, range(5001, 5001)),
        Ok(())
    );
    assert_eq!(bench.rack.card(0).memory_clock, None);
    bench.rack.card(0).faults.memory_clock = Setter::refuse(4);
    assert_eq!(
        gpu.reset_clock(ClockDomain::Memory),
        Err(ActuatorError::NoPermission)
    );
}

#[test]
fn each_sensor_misbehaves_on_its_own() {
    let bench = Bench::new(&["h100"]);
    let mut gpu = bench.open(0);
    bench.run(&mut *gpu, 600);
    let cold = Celsius::new(18.0);
    let mut card = bench.rack.card(0);
    card.faults.core = Bad::offset(-20.0);
    card.faults.memory = Bad::freeze();
    card.faults.margin = Bad::lag(1e6);
    card.faults.draw = Bad::freeze();
    let draw = card.draw();
    card.set_timeline(Box::new(move |_| Conditions {
        load: Load::IDLE,
        ..Conditions::full_load(cold)
    }));
    let (hbm, margin) = (card.state.hbm, card.margin());
    drop(card);
    let reading = bench.run(&mut *gpu, 300);
    let card = bench.rack.card(0);
    // Rounding and the noise of this card's readings, as recorded: a degree and a half.
    let well = card.profile.sensing.noise + 0.55;
    assert!((degrees(reading.core) - card.state.die + 20.0).abs() < well);
    assert!((degrees(reading.memory) - hbm).abs() < well && card.state.hbm < hbm - 20.0);
    assert!((reading.margin.expect("margin") - margin).degrees().abs() < well);
    assert!(card.margin().degrees() > margin.degrees() + 20.0);
    assert_eq!(reading.draw, Ok(draw));
    assert!(card.draw() < draw);
}

#[test]
fn a_cached_sensor_tells_the_same_until_it_looks_again() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut gpu = bench.open(0);
    bench.rack.card(0).faults.core = Bad::cache(10.0);
    let told: Vec<_> = (0..40).map(|_| bench.run(&mut *gpu, 1).core).collect();
    let changes = told.windows(2).filter(|two| two[0] != two[1]).count();
    // A cold card that begins to work: it rises at each look, of which the last is at 40 s.
    assert_eq!(changes, 4, "{told:?}");
}

#[test]
fn facts_are_what_the_card_tells_when_it_is_opened() {
    let bench = Bench::new(&["a100-80gb"]);
    let mut card = bench.rack.card(0);
    card.limit = w(330);
    let told = &mut card.faults.told;
    told.min_limit = 150_000.into();
    told.max_limit = 300_000.into();
    told.default_limit = 250_000.into();
    told.slowdown = 0.into();
    told.shutdown = 4_294_967_295.into();
    told.max_operating = 80.into();
    told.has_margin = true.into();
    told.has_clock_lists = false.into();
    told.has_max_clock = false.into();
    card.faults.events.on = 0x40;
    drop(card);
    let mut gpu = bench.open(0);
    let facts = gpu.facts().clone();
    let power = facts.power.expect("a range");
    assert_eq!(
        [power.min, power.default, power.max],
        [w(150), w(250), w(300)]
    );
    assert_eq!(
        (facts.thresholds.slowdown, facts.thresholds.shutdown),
        (None, None)
    );
    assert_eq!(facts.thresholds.gpu_max, Some(Celsius::new(80.0)));
    assert_eq!(facts.margin_offsets.gpu_max, Some(Celsius::new(0.0)));
    assert_eq!((facts.gpu_clock_max, facts.memory_clocks.len()), (None, 0));
    let reading = bench.read(&mut *gpu);
    assert_eq!(reading.limit, Ok(w(330)));
    assert!(
        reading
            .slowdown_reasons
            .expect("events")
            .contains(SlowdownReason::HardwareThermal)
    );
    assert!(reading.margin.is_ok());
    assert_eq!(gpu.set_power_limit(w(330)), Err(ActuatorError::OutOfRange));
}

#[test]
fn a_fact_that_fails_is_left_out_but_for_the_range_of_the_limit() {
    let bench = Bench::new(&["h100"]);
    let uuid = bench.rack.card(0).uuid().clone();
    let answer = |call, answer| {
        bench.rack.card(0).faults.answers.set(call, answer);
    };
    answer(Call::TlimitOffset(Bound::Slowdown), Answer::code(999));
    answer(Call::SupportedMemoryClocks, Answer::code(3));
    answer(Call::NumFans, Answer::value(4_294_967_295));
    let mut gpu = bench.open(0);
    assert_eq!(gpu.facts().margin_offsets.slowdown, None);
    assert!(gpu.facts().margin_offsets.shutdown.is_some());
    assert!(gpu.facts().memory_clocks.is_empty() && gpu.facts().gpu_clock_max.is_some());
    assert_eq!(bench.read(&mut *gpu).slow.fans.len(), 16);
    answer(Call::PowerLimitConstraints, Answer::code(3));
    assert_eq!(bench.open(0).facts().power, None);
    answer(Call::PowerLimitConstraints, Answer::pair(0, 0));
    assert_eq!(bench.open(0).facts().power, None);
    answer(Call::PowerLimitConstraints, Answer::code(999));
    let refused = bench.rack.open(&uuid).err();
    assert!(matches!(refused, Some(DriverError::Call { code, .. }) if code.number() == 999));
}

#[test]
fn a_hot_spot_takes_margin_and_makes_the_card_slow_down_sooner() {
    let bench = Bench::new(&["h100", "h100"]);
    bench.rack.card(1).faults.told.hot_spot = 30.0;
    let (mut well, mut bad) = (bench.open(0), bench.open(1));
    let early = bench.read(&mut *well).margin.expect("margin");
    let spotted = bench.read(&mut *bad).margin.expect("margin");
    // HBM bounds both; the die's share of the margin is 30 less.
    assert!(spotted < early);
    for gpu in [&mut well, &mut bad] {
        bench.run(&mut **gpu, 600);
    }
    let slowed = |card| bench.rack.card(card).state.slowdown_seconds[2];
    assert!(slowed(0) < 1e-9);
    assert!(slowed(1) > 60.0, "{}", slowed(1));
}

#[test]
fn cards_are_counted_in_any_order_and_by_any_uuid() {
    let bench = Bench::new(&["h100", "l40s", "rtx-4090"]);
    let listed = || {
        let inventory = bench.rack.inventory().expect("inventory");
        let card =
            |identity: &Arc<crate::device::Identity>| (identity.index, identity.name.clone());
        inventory.iter().map(card).collect::<Vec<_>>()
    };
    let name = |key: &str| profile(key).name.to_owned();
    let gone = bench.rack.card(0).uuid().clone();
    bench.rack.set_order(&[2, 1]);
    assert_eq!(listed(), [(0, name("rtx-4090")), (1, name("l40s"))]);
    let refused = bench.rack.open(&gone).err();
    assert_eq!(refused, Some(nvml::no_such_gpu(&gone)));
    bench.rack.card(1).set_uuid("GPU-twin");
    bench.rack.card(2).set_uuid("GPU-twin");
    let uuids = bench.rack.inventory().expect("inventory");
    assert!(
        uuids
            .iter()
            .all(|identity| identity.uuid.as_str() == "GPU-twin")
    );
    let twin = bench.open(1);
    assert_eq!(twin.identity().name, profile("rtx-4090").name, "the first");
}

#[test]
fn calls_about_the_machine_answer_as_told() {
    let bench = Bench::new(&["h100", "l40s"]);
    let uuid = bench.rack.card(0).uuid().clone();
    let answer = |call, answer| bench.rack.answers(|answers| answers.set(call, answer));
    assert!(answer(Call::Init, Answer::code(9).once()));
    let not_loaded = Some(DriverError::DriverNotLoaded(nvml::code(9)));
    assert_eq!(bench.rack.inventory().err(), not_loaded);
    assert!(answer(Call::HandleByIndex(0), Answer::code(15)));
    assert_eq!(bench.rack.inventory().expect("inventory").len(), 1);
    assert!(answer(Call::Count, Answer::value(0).once()));
    assert_eq!(bench.rack.inventory().expect("inventory").len(), 0);
    assert!(answer(Call::HandleByUuid, Answer::code(6).once()));
    let nobody = Some(nvml::no_such_gpu(&uuid));
    assert_eq!(bench.rack.open(&uuid).err(), nobody);
    assert!(answer(Call::HandleByUuid, Answer::code(28).once()));
    assert_eq!(
        bench.rack.open(&uuid).err(),
        Some(DriverError::GpuLost(nvml::code(15)))
    );
    assert!(bench.rack.open(&uuid).is_ok());
}
