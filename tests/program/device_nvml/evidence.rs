//! One odd answer decides nothing: neither that a card lacks a sensor, nor that it can't be guarded.

use std::io;
use std::sync::{Arc, Mutex};

use thermal_guard::device::dry_run::Observing;
use thermal_guard::device::{Cadence, Driver, DriverError, Gpu, Missing, Reading, nvml};
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Moment, Watts};

use super::{check_facts, driver, open_one, read};
use crate::common::nvml_sim::{in_own_process, this_test};

type Field = fn(&Reading) -> Option<Missing>;

/// The calls that steer and have no replacement.
const STEERING: [(&str, Field); 7] = [
    ("memory-temperature", |it| it.memory.err()),
    ("margin", |it| it.margin.err()),
    ("power-usage", |it| it.draw.err()),
    ("power-limit", |it| it.limit.err()),
    ("enforced-power-limit", |it| it.enforced_limit.err()),
    ("sm-clock", |it| it.gpu_clock.err()),
    ("utilization", |it| it.utilization.err()),
];

#[test]
fn one_refusal_ends_no_sensor_whether_first_or_later() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        for (call, missing) in STEERING {
            let mut gpu = open_one(&driver);
            machine.ctl(&["answer", call, "3", "--times", "1"]);
            assert_eq!(missing(&read(&mut gpu)), Some(Missing::NotSupported));
            assert_eq!(missing(&read(&mut gpu)), None, "{call}: at first");
            // A call that once worked is repeated for ever, however often it refuses.
            machine.ctl(&["answer", call, "3", "--times", "20"]);
            for _ in 0..20 {
                assert_eq!(missing(&read(&mut gpu)), Some(Missing::NotSupported));
            }
            assert_eq!(missing(&read(&mut gpu)), None, "{call}: later");
        }
    });
}

#[test]
fn a_failure_among_refusals_means_that_it_is_offered() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        for (call, missing) in STEERING {
            let mut gpu = open_one(&driver);
            machine.ctl(&["answer", call, "3", "--times", "4"]);
            machine.ctl(&["answer", call, "999", "--times", "1", "--then"]);
            machine.ctl(&["answer", call, "3", "--times", "9", "--then"]);
            let said: Vec<_> = (0..15).map(|_| missing(&read(&mut gpu))).collect();
            let failures = said
                .iter()
                .filter(|it| **it == Some(Missing::Failed(nvml::code(999))));
            assert_eq!(failures.count(), 1, "{call}");
            assert_eq!(said[14], None, "{call}");
        }
    });
}

#[test]
fn five_unanimous_refusals_end_a_sensor_until_the_card_is_opened_anew() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        for (call, missing) in STEERING {
            let mut gpu = open_one(&driver);
            machine.ctl(&["answer", call, "3", "--times", "5"]);
            for _ in 0..7 {
                let said = missing(&read(&mut gpu));
                assert_eq!(said, Some(Missing::NotSupported), "{call}");
            }
            assert_eq!(missing(&read(&mut open_one(&driver))), None, "{call}");
        }
    });
}

#[test]
fn where_one_of_two_calls_gives_nothing_good_the_other_stands_in() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        assert!(read(&mut gpu).core.is_ok());
        for answer in [["3", "0"], ["999", "0"], ["0", "4294967295"], ["0", "0"]] {
            let [code, raw] = answer;
            machine.ctl(&["answer", "temperature", code, raw, "--times", "1"]);
            machine.ctl(&["answer", "event-reasons", "999", "--times", "1"]);
            let reading = read(&mut gpu);
            let degrees = reading.core.unwrap().degrees();
            assert!((20.0..60.0).contains(&degrees), "{answer:?}: {degrees}");
            assert!(reading.slowdown_reasons.is_ok(), "{answer:?}");
        }
        // The first again, since it is the one that works: the second isn't asked.
        machine.ctl(&["answer", "temperature-v", "999"]);
        machine.ctl(&["answer", "throttle-reasons", "999"]);
        let reading = read(&mut gpu);
        assert!(reading.core.is_ok() && reading.slowdown_reasons.is_ok());
        machine.ctl(&["answer", "temperature", "10", "--times", "1"]);
        machine.ctl(&["answer", "event-reasons", "3", "--times", "1"]);
        let reading = read(&mut gpu);
        assert_eq!(reading.core, Err(Missing::Failed(nvml::code(10))));
        assert_eq!(
            reading.slowdown_reasons,
            Err(Missing::Failed(nvml::code(999)))
        );
        let reading = read(&mut gpu);
        assert!(reading.core.is_ok() && reading.slowdown_reasons.is_ok());
    });
}

#[test]
fn the_second_call_is_asked_first_where_only_it_has_worked() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let mut gpu = open_one(&driver());
        machine.ctl(&["answer", "temperature", "3"]);
        machine.ctl(&["answer", "event-reasons", "999"]);
        for _ in 0..8 {
            let reading = read(&mut gpu);
            assert!(reading.core.is_ok() && reading.slowdown_reasons.is_ok());
        }
        for (call, used) in [("temperature", 1), ("event-reasons", 1)] {
            let card = machine.gpu(0);
            let answers = card["answers"].as_array().unwrap();
            let own = answers.iter().find(|answer| answer["call"] == call);
            assert_eq!(own.unwrap()["used"], used, "{call}");
        }
        // One refusal of the one that works doesn't end it.
        machine.ctl(&["answer", "temperature-v", "3", "--times", "1"]);
        assert_eq!(read(&mut gpu).core, Err(Missing::NotSupported));
        assert!(read(&mut gpu).core.is_ok());
    });
}

#[test]
fn a_memory_placeholder_means_none_only_on_a_card_that_never_told_of_one() {
    let test = this_test!();
    in_own_process(test, &["rtx-4090", "a100-80gb", "h100"], |machine| {
        let driver = driver();
        let mut gpus = super::open_all(&driver);
        for (raw, degrees) in [("0", 0.0), ("255", 255.0), ("4294967295", -1.0)] {
            machine.ctl(&["answer", "memory-temperature", "0", raw]);
            let said = gpus.iter_mut().map(|gpu| read(gpu).memory);
            let number = Ok(Celsius::new(degrees));
            let none = Err(Missing::NotSupported);
            // The A100 tells a threshold, the H100 an offset.
            assert_eq!(said.collect::<Vec<_>>(), [none, number, number], "{raw}");
        }
        // A temperature once, and it is a sensor.
        machine.ctl(&["answer", "--gpu", "0", "memory-temperature", "0", "61"]);
        assert_eq!(read(&mut gpus[0]).memory, Ok(Celsius::new(61.0)));
        machine.ctl(&["answer", "--gpu", "0", "memory-temperature", "0", "255"]);
        let reading = read(&mut gpus[0]);
        assert_eq!(reading.memory, Ok(Celsius::new(255.0)));
        let judged = reading.plausible(gpus[0].facts()).memory;
        assert_eq!(judged, Err(Missing::Implausible(255)));
    });
}

#[test]
fn a_default_limit_that_fails_is_the_maximum_until_it_is_told() {
    let test = this_test!();
    in_own_process(test, &["rtx-4090"], |machine| {
        let profile = profile::named("rtx-4090").unwrap();
        machine.ctl(&["facts", "max_w=600"]);
        machine.ctl(&["answer", "power-default-limit", "999"]);
        let mut gpu = open_one(&driver());
        let default = |gpu: &dyn Gpu| gpu.facts().power.unwrap().default;
        assert_eq!(default(&*gpu), Watts::from_watts(600));
        let before = gpu.facts().clone();
        read(&mut gpu);
        assert!(Arc::ptr_eq(&before, gpu.facts()), "nothing is new");
        machine.ctl(&["answer", "--clear"]);
        gpu.read(Moment::START, Cadence::Fast);
        assert!(
            Arc::ptr_eq(&before, gpu.facts()),
            "a fast look asks nothing"
        );
        read(&mut gpu);
        assert_eq!(default(&*gpu), profile.default_limit);
    });
}

#[test]
fn constants_that_fail_for_a_while_are_left_out_for_so_long() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let log = Log::default();
        let mut gpu = log.of(|| {
            for call in [
                "power-limit-constraints",
                "supported-memory-clocks",
                "tlimit:slowdown",
                "name",
                "pci-info",
                "index",
            ] {
                machine.ctl(&["answer", call, "999", "--times", "2"]);
            }
            let identities = driver().inventory().unwrap();
            let mut gpu = driver().open(&identities[0].uuid).unwrap();
            assert_eq!(gpu.facts().power, None);
            assert_eq!(gpu.facts().margin_offsets.slowdown, None);
            assert_eq!(gpu.identity().index, 0);
            assert!(gpu.facts().memory_clocks.is_empty());
            assert!(read(&mut gpu).core.is_ok());
            gpu
        });
        let range = "nvmlDeviceGetPowerManagementLimitConstraints";
        let error = "NVML code 999 (UNKNOWN)";
        let said = |what| log.lines(&[range, what]);
        assert_eq!(said("left out, and asked for again"), 1);
        assert_eq!(log.lines(&[range, error]), 1);
        assert_eq!(said("can be read now"), 0);
        let before = gpu.facts().clone();
        log.of(|| {
            read(&mut gpu);
            read(&mut gpu);
        });
        assert!(!Arc::ptr_eq(&before, gpu.facts()));
        check_facts(profile::named("h100").unwrap(), gpu.facts());
        assert_eq!(gpu.identity().pci_bus_id, "00000000:01:00.0");
        assert_eq!(gpu.identity().name, profile::named("h100").unwrap().name);
        assert_eq!(said("can be read now"), 1);
        assert_eq!(said("left out, and asked for again"), 1);
    });
}

#[test]
fn a_range_that_changes_is_noticed_and_one_odd_answer_is_not() {
    let test = this_test!();
    in_own_process(test, &["rtx-4090"], |machine| {
        let mut gpu = open_one(&driver());
        let before = gpu.facts().clone();
        for odd in ["0:0", "1:4294967295", "150000:200000"] {
            let call = "power-limit-constraints";
            machine.ctl(&["answer", call, "0", odd, "--times", "1"]);
            read(&mut gpu);
            assert!(Arc::ptr_eq(&before, gpu.facts()), "{odd}");
        }
        machine.ctl(&["answer", "power-limit-constraints", "3", "--times", "9"]);
        (0..9).for_each(|_| drop(read(&mut gpu)));
        assert!(Arc::ptr_eq(&before, gpu.facts()), "what was told stays");
        machine.ctl(&["facts", "min_w=200", "max_w=300"]);
        read(&mut gpu);
        let power = gpu.facts().power.unwrap();
        let [min, max] = [200, 300].map(Watts::from_watts);
        assert_eq!([power.min, power.max], [min, max]);
        let after = gpu.facts().clone();
        read(&mut gpu);
        assert!(Arc::ptr_eq(&after, gpu.facts()));
    });
}

#[test]
fn only_a_card_that_is_gone_or_has_no_uuid_cannot_be_opened() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        let uuid = driver.inventory().unwrap()[0].uuid.clone();
        machine.ctl(&["answer", "uuid", "999"]);
        let refused = driver.open(&uuid).err().unwrap();
        assert!(
            matches!(refused, DriverError::Call { code, .. } if code.number() == 999),
            "{refused}"
        );
        machine.ctl(&["answer", "uuid", "0"]);
        machine.ctl(&["answer", "threshold:shutdown", "15"]);
        assert_eq!(
            driver.open(&uuid).err(),
            Some(DriverError::GpuLost(nvml::code(15)))
        );
        machine.ctl(&["answer", "threshold:shutdown", "10"]);
        assert!(driver.open(&uuid).is_ok());
    });
}

#[test]
fn a_card_that_cannot_be_listed_is_counted_and_said_with_its_code_in_words() {
    let test = this_test!();
    in_own_process(test, &["h100", "l40s"], |machine| {
        let driver = driver();
        let log = Log::default();
        machine.ctl(&["answer", "handle-by-index:0", "999"]);
        log.of(|| {
            assert_eq!(driver.inventory().unwrap().len(), 1);
            assert_eq!(driver.inventory().unwrap().len(), 1);
        });
        assert_eq!(driver.count(), Ok(2));
        assert_eq!(Observing(Arc::new(super::driver())).count(), Ok(2));
        let call = "nvmlDeviceGetHandleByIndex_v2";
        let words = [call, "NVML code 999 (UNKNOWN)", "remedy=", "left out"];
        assert_eq!(log.lines(&words), 1, "{}", log.text());
        // Of those with one fault, each by its own number.
        machine.ctl(&["answer", "handle-by-index:0", "16"]);
        log.of(|| drop(driver.inventory()));
        let words = [call, "NVML code 16 (RESET_REQUIRED)", "nvidia-smi"];
        assert_eq!(log.lines(&words), 1, "{}", log.text());
    });
}

#[test]
fn of_two_cards_with_one_uuid_the_first_is_kept_and_both_are_named() {
    let test = this_test!();
    in_own_process(test, &["h100", "l40s"], |machine| {
        let driver = driver();
        let log = Log::default();
        machine.ctl(&["identity", "uuid=GPU-twin"]);
        log.of(|| {
            for _ in 0..2 {
                let inventory = driver.inventory().unwrap();
                assert_eq!(inventory.len(), 1);
                assert_eq!(inventory[0].index, 0);
            }
        });
        assert_eq!(driver.count(), Ok(2));
        let addresses = ["00000000:01:00.0", "00000000:02:00.0", "GPU-twin"];
        assert_eq!(log.lines(&addresses), 1, "{}", log.text());
    });
}

#[test]
fn a_driver_that_is_blocked_says_by_what_and_is_no_absent_one() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        machine.ctl(&["answer", "init", "17"]);
        let error = driver().inventory().err().unwrap();
        let said = error.to_string();
        let beginning = "nvmlInit_v2: NVML code 17 (OPERATING_SYSTEM): ";
        assert!(said.starts_with(beginning), "{said}");
        assert!(said.contains("WSL, container or VM policy"), "{said}");
        assert!(!error.is_absence());
        assert_eq!(driver().count().err(), Some(error));
    });
}

#[test]
fn a_fan_that_says_all_bits_has_no_speed() {
    let test = this_test!();
    in_own_process(test, &["rtx-4090"], |machine| {
        let mut gpu = open_one(&driver());
        machine.ctl(&["answer", "fan-speed", "0", "4294967295"]);
        let reading = read(&mut gpu).plausible(gpu.facts());
        assert!(!reading.slow.fans.is_empty());
        assert!(reading.slow.fans.iter().all(|fan| fan.speed.is_none()));
        machine.ctl(&["answer", "--clear"]);
        let reading = read(&mut gpu).plausible(gpu.facts());
        assert!(reading.slow.fans.iter().all(|fan| fan.speed.is_some()));
    });
}

/// The log lines of this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn of<T>(&self, body: impl FnOnce() -> T) -> T {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, body)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Lines that have all these words.
    fn lines(&self, words: &[&str]) -> usize {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        self.text().lines().filter(has_all).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Supported 0 and 1, requested 1, enforced 0: see `nvml-simctl answer power-profiles`.
const PROFILES: &str = "4295098371";

#[test]
fn workload_power_profiles_are_read_seldom_and_absent_where_the_card_has_none() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        assert_eq!(read(&mut gpu).slow.power_profiles, None);
        machine.ctl(&["answer", "power-profiles", "0", PROFILES]);
        let mut gpu = open_one(&driver);
        let profiles = read(&mut gpu).slow.power_profiles.unwrap();
        assert_eq!(profiles.supported.iter().collect::<Vec<_>>(), [0, 1]);
        assert_eq!(profiles.requested.iter().collect::<Vec<_>>(), [1]);
        assert_eq!(profiles.enforced.iter().collect::<Vec<_>>(), [0]);
        machine.ctl(&["answer", "power-profiles", "999"]);
        let kept = (0..5).all(|_| read(&mut gpu).slow.power_profiles == Some(profiles));
        assert!(kept, "not with each read");
        assert_eq!(
            read(&mut gpu).slow.power_profiles,
            None,
            "a failed read shows nothing"
        );
    });
}

#[test]
fn the_target_of_the_firmware_is_asked_for_again_and_one_odd_answer_moves_nothing() {
    let test = this_test!();
    in_own_process(test, &["rtx-3090"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        let mut target = || {
            read(&mut gpu);
            gpu.facts().thresholds.acoustic_current
        };
        assert_eq!(target(), Some(Celsius::new(83.0)));
        machine.ctl(&["answer", "threshold:acoustic", "0", "40", "--times", "1"]);
        assert_eq!(target(), Some(Celsius::new(83.0)));
        machine.ctl(&["answer", "threshold:acoustic", "0", "75"]);
        assert_eq!(target(), Some(Celsius::new(75.0)), "a driver dropped it");
        machine.ctl(&["answer", "threshold:acoustic", "999"]);
        assert_eq!(
            target(),
            Some(Celsius::new(75.0)),
            "what can't be read stays"
        );
    });
}
