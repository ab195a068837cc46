//! The NVML backend over the simulated library: real loading, real calls, simulated cards.
//!
//! The tests compare a card's answers with its profile, which has the numbers of real cards, and with
//! the true state in the simulator.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

mod evidence;
mod faults;

use std::sync::Arc;
use std::time::Duration;

use crate::common::nvml_sim::{Machine, in_own_process, in_own_process_with, library, this_test};
use serde_json::Value;
use thermal_guard::device::dry_run::Observing;
use thermal_guard::device::nvml::NvmlDriver;
use thermal_guard::device::{
    ActuatorError, Cadence, ClockDomain, ClockRange, CriticalError, Driver, DriverError, Facts,
    FanPolicy, Gpu, MarginOffsets, Missing, Reading, SlowdownReason, SlowdownReasons, Thresholds,
    nvml,
};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Megahertz, Moment, Ratio, Watts};

fn driver() -> NvmlDriver {
    NvmlDriver::new(Some(library()))
}

/// All GPUs, in the machine's order.
fn open_all(driver: &dyn Driver) -> Vec<Box<dyn Gpu>> {
    let inventory = driver.inventory().unwrap();
    inventory
        .iter()
        .map(|identity| driver.open(&identity.uuid).unwrap())
        .collect()
}

fn open_one(driver: &dyn Driver) -> Box<dyn Gpu> {
    open_all(driver).swap_remove(0)
}

fn read(gpu: &mut Box<dyn Gpu>) -> Reading {
    gpu.read(Moment::START, Cadence::Full)
}

fn every_profile() -> Vec<&'static str> {
    profile::ALL.iter().map(|profile| profile.key).collect()
}

/// Every card, in a machine that has one of each profile.
fn every_card() -> impl Iterator<Item = (&'static Profile, Box<dyn Gpu>)> {
    profile::ALL.into_iter().zip(open_all(&driver()))
}

/// Whether the library is loaded into this process.
fn is_loaded() -> bool {
    std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .contains("libnvidia_ml.so")
}

#[test]
fn each_card_is_who_its_profile_says() {
    let test = this_test!();
    in_own_process(test, &every_profile(), |machine| {
        for (index, (profile, gpu)) in every_card().enumerate() {
            let identity = gpu.identity();
            assert_eq!(identity.name, profile.name);
            assert_eq!(identity.architecture.as_deref(), Some(profile.architecture));
            assert_eq!(identity.index as usize, index);
            assert_eq!(identity.uuid.as_str(), machine.gpu(index)["uuid"]);
            assert_eq!(identity.driver_version.as_deref(), Some("580.95.05"));
            assert_eq!(identity.pci_bus_id, format!("00000000:0{}:00.0", index + 1));
            let is_geforce = profile.name.contains("GeForce");
            assert_eq!(identity.serial.is_none(), is_geforce, "{identity:?}");
            assert_eq!(identity.brand.as_deref() == Some("GeForce"), is_geforce);
            assert_eq!(identity.instance_uuids, Vec::<String>::new());
        }
    });
}

#[test]
fn each_card_has_the_constants_of_its_profile() {
    let test = this_test!();
    in_own_process(test, &every_profile(), |_| {
        for (profile, gpu) in every_card() {
            check_facts(profile, gpu.facts());
        }
    });
}

#[test]
fn a_spark_tells_little_and_a_laptop_refuses_its_limit() {
    let test = this_test!();
    in_own_process(test, &["gb10", "rtx-5090-laptop"], |_| {
        let [mut spark, mut laptop] = <[_; 2]>::try_from(open_all(&driver())).ok().unwrap();
        let facts = spark.facts();
        assert_eq!((facts.power, facts.gpu_clock_min), (None, None));
        assert_eq!(facts.gpu_clock_max, Some(Megahertz::new(3003)));
        assert!(facts.gpu_clocks.is_empty() && facts.memory_clocks.is_empty());
        assert_eq!(facts.thresholds, Thresholds::default());
        let reading = read(&mut spark);
        assert!(reading.core.is_ok() && reading.draw.is_ok() && reading.gpu_clock.is_ok());
        assert_eq!(reading.limit, Err(Missing::NotSupported));
        assert_eq!(reading.enforced_limit, Err(Missing::NotSupported));
        let slow = &reading.slow;
        assert!(slow.energy_millijoules.is_some());
        assert_eq!((slow.memory_total_bytes, slow.memory_clock), (None, None));
        let limit = Watts::from_watts(60);
        assert_eq!(
            spark.set_power_limit(limit),
            Err(ActuatorError::Unsupported)
        );
        spark.lock_clock(ClockDomain::Gpu, range(0, 2100)).unwrap();
        spark.reset_clock(ClockDomain::Gpu).unwrap();

        assert_eq!(
            laptop.facts().power.unwrap().default,
            Watts::from_watts(150)
        );
        assert_eq!(read(&mut laptop).limit, Ok(Watts::from_watts(150)));
        assert_eq!(
            laptop.set_power_limit(limit),
            Err(ActuatorError::Unsupported)
        );
        assert!(laptop.facts().gpu_clocks.len() > 100);
    });
}

fn check_facts(profile: &Profile, facts: &Facts) {
    let power = facts.power.unwrap();
    assert_eq!(power.min, profile.min_limit, "{}", profile.key);
    assert_eq!(power.default, profile.default_limit);
    assert_eq!(power.max, profile.max_limit);
    assert_eq!(facts.thresholds, expected_thresholds(profile));
    assert_eq!(
        facts.margin_offsets,
        expected_offsets(profile),
        "{}",
        profile.key
    );
    assert_eq!(facts.memory_clocks, profile.memory_clocks);
    assert_eq!(
        facts.memory_clock_max,
        profile.memory_clocks.first().copied()
    );
    assert_eq!(facts.gpu_clock_max, Some(profile.gpu_clock_max));
    // Cards list clocks in steps of 15 MHz from the highest: the lowest may be up to 14 above.
    let lowest = facts.gpu_clock_min.unwrap().megahertz();
    let above = lowest - profile.gpu_clock_min.megahertz();
    assert!(above < 15, "{}: lowest clock {lowest} MHz", profile.key);
    assert_eq!(facts.supported_reasons, nvml::slowdown_reasons(0x1ff));
}

fn expected_thresholds(profile: &Profile) -> Thresholds {
    let absolute = |degrees| profile.has_thresholds.then_some(degrees);
    let target = profile.acoustic_target;
    Thresholds {
        shutdown: absolute(profile.shutdown),
        slowdown: absolute(profile.slowdown),
        gpu_max: absolute(profile.max_operating),
        mem_max: profile
            .hbm
            .filter(|hbm| hbm.has_threshold)
            .map(|hbm| hbm.max),
        acoustic_min: target.map(|_| Celsius::new(65.0)),
        acoustic_current: target,
        acoustic_max: target.map(|_| profile.max_operating),
    }
}

/// Negative below the maximum operating temperature: sent as `SIGNED_INT`, which nvml-wrapper's own
/// decoder refuses.
fn expected_offsets(profile: &Profile) -> MarginOffsets {
    if !profile.has_margin {
        return MarginOffsets::default();
    }
    MarginOffsets {
        shutdown: Some(profile.max_operating - profile.shutdown),
        slowdown: Some(profile.max_operating - profile.slowdown),
        mem_max: profile.hbm.map(|_| Celsius::new(0.0)),
        gpu_max: Some(Celsius::new(0.0)),
    }
}

#[test]
fn the_offsets_of_an_h100_and_an_l40s_are_those_in_the_field() {
    let test = this_test!();
    in_own_process(test, &["h100", "l40s"], |_| {
        let offsets: Vec<_> = open_all(&driver())
            .iter()
            .map(|gpu| gpu.facts().margin_offsets)
            .map(|offsets| {
                [offsets.gpu_max, offsets.slowdown, offsets.shutdown].map(Option::unwrap)
            })
            .map(|offsets| offsets.map(Celsius::degrees))
            .collect();
        assert_eq!(offsets, [[0.0, -2.0, -8.0], [0.0, -2.0, -5.0]]);
    });
}

#[test]
fn each_card_reads_what_is_true_of_it() {
    let test = this_test!();
    in_own_process(test, &every_profile(), |machine| {
        machine.ctl(&["set", "load=1", "compute=0.6", "inlet=45", "memory=0.5"]);
        machine.ctl(&["advance", "900"]);
        for (index, (profile, mut gpu)) in every_card().enumerate() {
            let reading = read(&mut gpu);
            check_reading(profile, &reading, &machine.gpu(index));
            check_slow(profile, &reading, &machine.gpu(index));
        }
    });
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A sensor's whole degrees, against the truth.
fn assert_degrees(read: Celsius, truth: &Value, what: &str) {
    let off = read.degrees() - number(truth);
    assert!(off.abs() <= 0.5, "{what}: {read} but {truth}");
}

fn check_reading(profile: &Profile, reading: &Reading, truth: &Value) {
    assert_degrees(reading.core.unwrap(), &truth["die"], profile.key);
    match profile.hbm {
        Some(_) => assert_degrees(reading.memory.unwrap(), &truth["hbm"], profile.key),
        None => assert_eq!(reading.memory, Err(Missing::NotSupported)),
    }
    if profile.has_margin {
        assert_degrees(reading.margin.unwrap(), &truth["margin"], profile.key);
    } else {
        assert_eq!(reading.margin, Err(Missing::NotSupported));
    }
    let draw = reading.draw.unwrap().as_f64();
    assert!((draw - number(&truth["draw_watts"])).abs() < 0.01);
    assert_eq!(reading.limit, Ok(profile.default_limit));
    assert_eq!(reading.enforced_limit, Ok(profile.default_limit));
    let clock = reading.gpu_clock.unwrap().megahertz();
    assert_eq!(u64::from(clock), truth["gpu_clock_mhz"]);
    assert_eq!(reading.utilization, Ok(Ratio::from_percent(100)));
    // In 45 °C air no card can cool itself enough: some reason is active.
    assert_ne!(reading.slowdown_reasons.unwrap(), SlowdownReasons::NONE);
}

fn check_slow(profile: &Profile, reading: &Reading, truth: &Value) {
    let slow = &reading.slow;
    assert_eq!(slow.memory_total_bytes, Some(profile.memory_bytes));
    assert!(slow.memory_used_bytes.unwrap() < profile.memory_bytes / 2);
    assert_eq!(slow.memory_clock, profile.memory_clocks.first().copied());
    assert_eq!(slow.graphics_clock, reading.gpu_clock.ok());
    assert!(slow.video_clock.is_some() && slow.performance_state.is_some());
    let joules = slow.energy_millijoules.unwrap() as f64 / 1e3;
    assert!((joules - number(&truth["energy_joules"])).abs() < 1.0);
    assert_eq!(slow.fans.len(), profile.fans as usize);
    for (fan, told) in slow
        .fans
        .iter()
        .zip(truth["fans"]["each"].as_array().unwrap())
    {
        let percent = number(&told["percent"]) / 100.0;
        assert_eq!(fan.speed.map(Ratio::value), Some(percent));
        assert_eq!(fan.target, fan.speed);
        assert_eq!(fan.rpm.map(f64::from), told["rpm"].as_f64());
        assert_eq!(fan.policy, Some(FanPolicy::Automatic));
    }
    let ecc = profile.ecc.then_some(0);
    assert_eq!(slow.ecc_corrected, [ecc; 2]);
    assert_eq!(slow.ecc_uncorrected, [ecc; 2]);
}

// Driver 580.82 moved the ids of the last three counters. Matched by id, they would be lost or
// taken for one another.

#[test]
fn event_times_are_matched_to_their_events_under_older_drivers() {
    let test = this_test!();
    in_own_process_with(
        test,
        &["h100"],
        &["--driver", "570.86.16"],
        check_event_times,
    );
}

#[test]
fn event_times_are_matched_to_their_events_under_newer_drivers() {
    let test = this_test!();
    in_own_process_with(
        test,
        &["h100"],
        &["--driver", "580.95.05"],
        check_event_times,
    );
}

fn check_event_times(machine: &Machine) {
    // Hotter air than the software slowdown can make up for: the hardware one acts too.
    machine.ctl(&["set", "load=1.2", "inlet=95"]);
    machine.ctl(&["advance", "600"]);
    let reading = read(&mut open_one(&driver()));
    let truth = &machine.gpu(0)["event_seconds"];
    let nanoseconds = reading.slow.slowdown_nanoseconds;
    for (event, read) in SlowdownReason::TIMED.iter().zip(nanoseconds) {
        let seconds = read.unwrap() as f64 / 1e9;
        let off = seconds - number(&truth[event.name()]);
        assert!(off.abs() < 1e-3, "{event:?}: {seconds} s but {truth}");
    }
    // The claim is empty unless the times differ.
    assert!(nanoseconds[2] > nanoseconds[3] && nanoseconds[3] > Some(0));
}

#[test]
fn slow_readings_are_kept_between_full_looks() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |machine| {
        let mut gpu = open_one(&driver());
        let full = read(&mut gpu);
        machine.ctl(&["set", "load=1"]);
        machine.ctl(&["advance", "60"]);
        let fast = gpu.read(Moment::START, Cadence::Fast);
        assert!(fast.core.unwrap() > full.core.unwrap());
        assert_eq!(fast.slow, full.slow);
        assert!(read(&mut gpu).slow.energy_millijoules > full.slow.energy_millijoules);
    });
}

#[test]
fn a_limit_that_was_set_is_read_back_and_takes() {
    let test = this_test!();
    in_own_process(test, &["a100-80gb"], |machine| {
        machine.ctl(&["set", "load=1"]);
        let mut gpu = open_one(&driver());
        let limit = Watts::from_milliwatts(251_500);
        assert!(gpu.writes());
        gpu.set_power_limit(limit).unwrap();
        assert_eq!(gpu.power_limit(), Ok(limit));
        let reading = read(&mut gpu);
        assert_eq!(reading.limit, Ok(limit));
        assert_eq!(reading.enforced_limit, Ok(limit));
        assert!(reading.draw.unwrap() <= limit);
        assert!(
            reading
                .slowdown_reasons
                .unwrap()
                .contains(SlowdownReason::SoftwarePowerCap)
        );
        assert_eq!(machine.gpu(0)["limit_watts"], 251.5);
    });
}

#[test]
fn a_cap_from_outside_shows_in_the_enforced_limit_only() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        machine.ctl(&["out-of-band", "500"]);
        let mut gpu = open_one(&driver());
        assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(700)));
        let reading = read(&mut gpu);
        assert_eq!(reading.limit, Ok(Watts::from_watts(700)));
        assert_eq!(reading.enforced_limit, Ok(Watts::from_watts(500)));
    });
}

#[test]
fn a_limit_out_of_range_is_refused_and_changes_nothing() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |machine| {
        let mut gpu = open_one(&driver());
        // 120 W is under this card's minimum of 150 W.
        for watts in [0, 120, 251, 10_000] {
            let refused = gpu.set_power_limit(Watts::from_watts(watts));
            assert_eq!(refused, Err(ActuatorError::OutOfRange), "{watts} W");
            assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(250)));
        }
        assert_eq!(machine.gpu(0)["limit_writes"], 0);
    });
}

#[test]
fn without_permission_everything_is_read_and_nothing_written() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |machine| {
        machine.ctl(&["fault", "no-permission"]);
        let mut gpu = open_one(&driver());
        let refused = Err(ActuatorError::NoPermission);
        assert_eq!(gpu.set_power_limit(Watts::from_watts(200)), refused);
        assert_eq!(gpu.lock_clock(ClockDomain::Gpu, range(210, 1000)), refused);
        assert_eq!(gpu.reset_clock(ClockDomain::Gpu), refused);
        assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(250)));
        assert!(read(&mut gpu).core.is_ok());
    });
}

fn range(min: u32, max: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    }
}

#[test]
fn clocks_are_locked_and_reset() {
    let test = this_test!();
    in_own_process(test, &["rtx-6000-ada", "v100-32gb"], |machine| {
        let mut gpus = open_all(&driver());
        let [ada, volta] = gpus.as_mut_slice() else {
            panic!("two cards")
        };
        let lock = |index: usize, domain| machine.gpu(index)[domain].to_string();
        ada.lock_clock(ClockDomain::Gpu, range(210, 1500)).unwrap();
        ada.lock_clock(ClockDomain::Memory, range(5001, 9501))
            .unwrap();
        assert_eq!(lock(0, "sm_lock_mhz"), "[210,1500]");
        assert_eq!(lock(0, "memory_lock_mhz"), "[5001,9501]");
        assert_eq!(
            ada.lock_clock(ClockDomain::Gpu, range(1500, 210)),
            Err(ActuatorError::OutOfRange)
        );
        ada.reset_clock(ClockDomain::Gpu).unwrap();
        ada.reset_clock(ClockDomain::Memory).unwrap();
        assert_eq!(lock(0, "sm_lock_mhz"), "null");
        assert_eq!(lock(0, "memory_lock_mhz"), "null");
        // Memory locks came with Ampere.
        volta.lock_clock(ClockDomain::Gpu, range(135, 900)).unwrap();
        assert_eq!(
            volta.lock_clock(ClockDomain::Memory, range(877, 877)),
            Err(ActuatorError::Unsupported)
        );
        assert_eq!(lock(1, "sm_lock_mhz"), "[135,900]");
    });
}

#[test]
fn a_lost_gpu_says_so_and_the_other_goes_on() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb", "h100"], |machine| {
        let driver = driver();
        let mut gpus = open_all(&driver);
        let uuids: Vec<_> = gpus.iter().map(|gpu| gpu.identity().uuid.clone()).collect();
        machine.ctl(&["fault", "--gpu", "0", "lost"]);

        let lost = read(&mut gpus[0]);
        assert!(lost.is_lost());
        assert_eq!(lost.draw, Err(Missing::Lost));
        let refused = gpus[0].set_power_limit(Watts::from_watts(200));
        assert_eq!(refused, Err(ActuatorError::Lost));
        assert_eq!(gpus[0].power_limit(), Err(ActuatorError::Lost));
        assert!(read(&mut gpus[1]).core.is_ok());
        assert_eq!(gpus[1].set_power_limit(Watts::from_watts(300)), Ok(()));

        // Opening it again fails while it is gone, and works once it is back.
        drop(gpus.remove(0));
        assert_eq!(
            driver.open(&uuids[0]).err(),
            Some(DriverError::GpuLost(nvml::code(15)))
        );
        let listed = driver.inventory().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].uuid, uuids[1]);
        machine.ctl(&["fault", "--gpu", "0", "none"]);
        assert!(read(&mut driver.open(&uuids[0]).unwrap()).core.is_ok());
        assert!(read(&mut gpus[0]).core.is_ok(), "the other all along");
    });
}

#[test]
fn after_a_driver_reload_gpus_are_lost_until_opened_anew() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb", "h100"], |machine| {
        let driver = driver();
        let mut gpus = open_all(&driver);
        let uuid = gpus[0].identity().uuid.clone();
        gpus[0].set_power_limit(Watts::from_watts(200)).unwrap();
        machine.ctl(&["driver-unload"]);
        assert!(gpus.iter_mut().all(|gpu| read(gpu).is_lost()));
        let not_loaded = Some(DriverError::DriverNotLoaded(nvml::code(9)));
        assert_eq!(driver.inventory().err(), not_loaded);

        machine.ctl(&["driver-load"]);
        assert!(gpus.iter_mut().all(|gpu| read(gpu).is_lost()));
        // NVML initialises again only when the last old handle is gone.
        drop(gpus.remove(0));
        assert_eq!(driver.open(&uuid).err(), not_loaded);
        drop(gpus);
        let mut gpu = driver.open(&uuid).unwrap();
        assert!(read(&mut gpu).core.is_ok());
        assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(250)), "the default");
        assert_eq!(driver.inventory().unwrap().len(), 2);
    });
}

#[test]
fn the_library_is_unloaded_with_the_last_who_uses_it() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb", "h100"], |_| {
        let driver = driver();
        assert!(!is_loaded(), "nothing is loaded ahead of need");
        let mut gpus = open_all(&driver);
        let events = driver.critical_errors().unwrap();
        drop(gpus.pop());
        drop(events);
        assert!(is_loaded());
        drop(gpus);
        assert!(!is_loaded(), "a driver can be replaced now");
        assert_eq!(open_all(&driver).len(), 2);
    });
}

#[test]
fn what_a_card_never_offers_is_asked_for_five_times_but_its_core_sensor_always() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        machine.ctl(&["fault", "unsupported:temperature,power,margin,energy"]);
        let missing = Missing::NotSupported;
        for _ in 0..5 {
            let reading = read(&mut gpu);
            assert_eq!(reading.core, Err(missing));
            assert_eq!(reading.draw, Err(missing));
            assert_eq!(reading.margin, Err(missing));
            assert_eq!(reading.slow.energy_millijoules, None);
            assert!(reading.memory.is_ok() && reading.limit.is_ok());
        }
        machine.ctl(&["fault", "none"]);
        let reading = read(&mut gpu);
        assert!(reading.core.is_ok());
        assert_eq!(reading.draw, Err(missing));
        assert_eq!(reading.margin, Err(missing));
        assert_eq!(reading.slow.energy_millijoules, None);
        let reading = read(&mut open_one(&driver));
        assert!(reading.draw.is_ok() && reading.margin.is_ok());
    });
}

#[test]
fn a_card_that_supports_nothing_is_still_opened() {
    let test = this_test!();
    in_own_process(test, &["rtx-4090"], |machine| {
        machine.ctl(&[
            "fault",
            "unsupported:temperature,memory-temperature,power,power-limit,margin,thresholds,\
             clocks,fan,energy,locks,events,utilization",
        ]);
        let mut gpu = open_one(&driver());
        assert_eq!(gpu.facts().power, None);
        assert_eq!(gpu.facts().gpu_clock_max, None);
        assert!(gpu.facts().memory_clocks.is_empty());
        let reading = read(&mut gpu);
        assert_eq!(reading.core, Err(Missing::NotSupported));
        assert!(!reading.is_lost());
        assert_eq!(gpu.power_limit(), Err(ActuatorError::Unsupported));
        assert_eq!(
            gpu.reset_clock(ClockDomain::Gpu),
            Err(ActuatorError::Unsupported)
        );
    });
}

#[test]
fn a_failed_read_says_its_code_and_writes_still_work() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        let uuid = gpu.identity().uuid.clone();
        machine.ctl(&["fault", "failing-reads"]);
        let reading = read(&mut gpu);
        assert_eq!(reading.core, Err(Missing::Failed(nvml::code(999))));
        assert_eq!(reading.memory, Err(Missing::Failed(nvml::code(999))));
        assert_eq!(
            gpu.power_limit(),
            Err(ActuatorError::Transient(nvml::code(999)))
        );
        assert_eq!(gpu.set_power_limit(Watts::from_watts(200)), Ok(()));
        // Opened now, it tells nothing, until it does.
        let mut late = driver.open(&uuid).unwrap();
        assert_eq!(late.facts().power, None);
        machine.ctl(&["fault", "none"]);
        assert!(read(&mut late).core.is_ok());
        check_facts(profile::named("a100-40gb").unwrap(), late.facts());
        assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(200)));
        assert!(read(&mut gpu).memory.is_ok(), "failing isn't lacking");
    });
}

#[test]
fn an_xid_arrives_with_its_gpu_and_code() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb", "h100"], |machine| {
        let driver = driver();
        let mut events = driver.critical_errors().unwrap().unwrap();
        assert_eq!(events.wait(Duration::from_millis(20)), Ok(None));
        let uuid = driver.inventory().unwrap()[1].uuid.clone();
        // 79: fallen off the bus. The guard still knows which card it was.
        machine.ctl(&["xid", "--gpu", "1", "79"]);
        machine.ctl(&["fault", "--gpu", "1", "lost"]);
        let xid = events.wait(Duration::from_secs(5)).unwrap();
        assert_eq!(xid, Some(CriticalError { uuid, code: 79 }));
        assert_eq!(events.wait(Duration::ZERO), Ok(None));
    });
}

#[test]
fn an_observed_gpu_is_read_and_never_written() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |machine| {
        let mut gpu = open_one(&Observing(Arc::new(driver())));
        assert!(!gpu.writes());
        gpu.set_power_limit(Watts::from_watts(200)).unwrap();
        gpu.lock_clock(ClockDomain::Gpu, range(210, 900)).unwrap();
        gpu.lock_clock(ClockDomain::Memory, range(1215, 1215))
            .unwrap();
        gpu.reset_clock(ClockDomain::Gpu).unwrap();
        gpu.reset_clock(ClockDomain::Memory).unwrap();
        assert_eq!(gpu.power_limit(), Ok(Watts::from_watts(250)));
        assert!(read(&mut gpu).core.is_ok());
        let truth = machine.gpu(0);
        assert_eq!(truth["limit_writes"], 0);
        assert_eq!(truth["lock_writes"], 0);
    });
}

#[test]
fn an_unknown_uuid_is_no_such_gpu() {
    let test = this_test!();
    in_own_process(test, &["a100-40gb"], |_| {
        let uuid = thermal_guard::device::Uuid::new("GPU-of-someone-else");
        let refused = driver().open(&uuid).err();
        assert_eq!(refused, Some(nvml::no_such_gpu(&uuid)));
    });
}
