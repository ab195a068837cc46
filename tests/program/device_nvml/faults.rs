//! What bad cards do, seen through real calls: each kind of fault that the simulated library has for
//! a single call, setter or sensor.

use serde_json::Value;
use thermal_guard::device::{ActuatorError, ClockDomain, Driver, DriverError, Missing, nvml};
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Ratio, Watts};

use super::{assert_degrees, check_reading, driver, number, open_all, open_one, range, read};
use crate::common::nvml_sim::{Machine, in_own_process, this_test};

#[test]
fn any_call_answers_any_code_or_value_as_often_as_told() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let driver = driver();
        let mut gpu = open_one(&driver);
        // By both of its calls: if one fails, the other replaces it.
        for call in ["temperature", "temperature-v"] {
            machine.ctl(&["answer", call, "999", "--times", "1"]);
            machine.ctl(&["answer", call, "0", "4294967295", "--then"]);
        }
        machine.ctl(&["answer", "margin", "0", "-7"]);
        machine.ctl(&["answer", "memory-temperature", "0", "255"]);
        machine.ctl(&["answer", "power-usage", "23"]);
        machine.ctl(&["answer", "event-reasons", "0", "0x100000040"]);
        machine.ctl(&["answer", "utilization", "0", "100:3"]);
        assert_eq!(read(&mut gpu).core, Err(Missing::Failed(nvml::code(999))));
        let reading = read(&mut gpu);
        assert_eq!(reading.core, Ok(Celsius::new(-1.0)));
        assert_eq!(reading.margin, Ok(Celsius::new(-7.0)));
        assert_eq!(reading.memory, Ok(Celsius::new(255.0)));
        assert_eq!(reading.draw, Err(Missing::Failed(nvml::code(23))));
        assert_eq!(
            reading.slowdown_reasons,
            Ok(nvml::slowdown_reasons(0x1_0000_0040))
        );
        assert_eq!(reading.utilization, Ok(Ratio::from_percent(100)));
        assert_eq!(used(machine, "margin"), 2);
        machine.ctl(&["answer", "--clear"]);
        let reading = read(&mut gpu);
        assert!(reading.core.unwrap().degrees() > 20.0 && reading.draw.is_ok());
    });
}

/// How often a call of the first card gave an answer that it was told to give.
fn used(machine: &Machine, call: &str) -> u64 {
    let card = machine.gpu(0);
    let answers = card["answers"].as_array().unwrap();
    let own = answers.iter().filter(|answer| answer["call"] == call);
    own.map(|answer| answer["used"].as_u64().unwrap()).sum()
}

#[test]
fn a_write_comes_to_the_code_told_and_changes_nothing() {
    let test = this_test!();
    in_own_process(test, &["rtx-6000-ada"], |machine| {
        let mut gpu = open_one(&driver());
        for (code, error) in [
            ("3", ActuatorError::Unsupported),
            ("4", ActuatorError::NoPermission),
            ("15", ActuatorError::Lost),
            ("24", ActuatorError::OutOfRange),
            ("31", ActuatorError::Transient(nvml::code(31))),
        ] {
            for call in ["set-power-limit", "lock-gpu-clock", "reset-memory-clock"] {
                machine.ctl(&["answer", call, code, "--times", "1"]);
            }
            let refused = Err(error);
            assert_eq!(gpu.set_power_limit(Watts::from_watts(200)), refused);
            assert_eq!(gpu.lock_clock(ClockDomain::Gpu, range(210, 900)), refused);
            assert_eq!(gpu.reset_clock(ClockDomain::Memory), refused);
        }
        let truth = machine.gpu(0);
        assert_eq!(truth["limit_watts"], 300.0);
        assert_eq!(truth["refused_writes"], 15);
        assert_eq!(truth["sm_lock_mhz"], Value::Null);
        gpu.set_power_limit(Watts::from_watts(200)).unwrap();
        assert_eq!(machine.gpu(0)["limit_watts"], 200.0);
    });
}

#[test]
fn a_setter_quantises_clamps_ignores_and_forgets() {
    let test = this_test!();
    in_own_process(test, &["a100-80gb"], |machine| {
        machine.ctl(&["set", "load=1"]);
        let mut gpu = open_one(&driver());
        let mut set = |how, watts| {
            machine.ctl(&["setter", "power-limit", how]);
            let outcome = gpu.set_power_limit(Watts::from_watts(watts));
            (outcome, number(&machine.gpu(0)["limit_watts"]))
        };
        assert_eq!(set("quantise=7000,offset=1", 300), (Ok(()), 293.999));
        assert_eq!(set("clamp=200000:350000", 10), (Ok(()), 200.0));
        let refused = Err(ActuatorError::Transient(nvml::code(999)));
        assert_eq!(set("refuse=999:0:250000", 250), (refused, 200.0));
        assert_eq!(set("ignore", 300), (Ok(()), 200.0));
        assert_eq!(set("forget=30", 150), (Ok(()), 150.0));
        machine.ctl(&["advance", "29"]);
        assert_eq!(machine.gpu(0)["limit_watts"], 150.0);
        assert!(number(&machine.gpu(0)["draw_watts"]) < 151.0);
        machine.ctl(&["advance", "2"]);
        assert_eq!(machine.gpu(0)["limit_watts"], 200.0);

        machine.ctl(&["setter", "gpu-clock", "ignore"]);
        gpu.lock_clock(ClockDomain::Gpu, range(210, 900)).unwrap();
        assert_eq!(machine.gpu(0)["sm_lock_mhz"], Value::Null);
        assert_eq!(machine.gpu(0)["lock_writes"], 1);
    });
}

#[test]
fn each_sensor_misbehaves_on_its_own_and_the_truth_is_still_known() {
    let test = this_test!();
    in_own_process(test, &["h100"], |machine| {
        let mut gpu = open_one(&driver());
        let before = read(&mut gpu);
        machine.ctl(&["sensor", "core", "offset=-20"]);
        machine.ctl(&["sensor", "memory", "freeze"]);
        machine.ctl(&["sensor", "margin", "lag=100000"]);
        machine.ctl(&["sensor", "draw", "cache=100000"]);
        machine.ctl(&["set", "load=1", "inlet=30"]);
        machine.ctl(&["advance", "600"]);
        let (reading, truth) = (read(&mut gpu), machine.gpu(0));
        let off = reading.core.unwrap().degrees() - number(&truth["die"]);
        assert!((off + 20.0).abs() <= 0.5, "{off}");
        assert_eq!(reading.memory, before.memory);
        assert!(number(&truth["hbm"]) > before.memory.unwrap().degrees() + 20.0);
        let late = reading.margin.unwrap() - before.margin.unwrap();
        assert!(late.degrees().abs() <= 1.0, "{late}");
        assert_eq!(reading.draw, before.draw);
        assert!(number(&truth["draw_watts"]) > 500.0);
        for sensor in ["core", "memory", "margin", "draw"] {
            machine.ctl(&["sensor", sensor, "none"]);
        }
        check_reading(profile::named("h100").unwrap(), &read(&mut gpu), &truth);
    });
}

#[test]
fn a_card_tells_what_it_likes_of_itself() {
    let test = this_test!();
    in_own_process(test, &["a100-80gb"], |machine| {
        machine.ctl(&[
            "facts",
            "min_w=150",
            "max_w=300",
            "default_w=250",
            "limit_w=330",
            "slowdown=4294967295",
            "shutdown=0",
            "max_operating=80",
            "margin=on",
            "clock_lists=off",
            "max_clock=off",
            "hot_spot=12",
        ]);
        machine.ctl(&["answer", "power-limit", "3"]);
        machine.ctl(&["events", "force=0x40"]);
        let mut gpu = open_one(&driver());
        let facts = gpu.facts().clone();
        let power = facts.power.unwrap();
        let limits = [power.min, power.default, power.max];
        assert_eq!(limits, [150, 250, 300].map(Watts::from_watts));
        assert_eq!(facts.thresholds.slowdown, None);
        assert_eq!(facts.thresholds.shutdown, None);
        assert_eq!(facts.thresholds.gpu_max, Some(Celsius::new(80.0)));
        assert_eq!(facts.margin_offsets.gpu_max, Some(Celsius::new(0.0)));
        assert_eq!(facts.gpu_clock_max, None);
        assert!(facts.memory_clocks.is_empty());
        let reading = read(&mut gpu);
        assert_eq!(reading.limit, Err(Missing::NotSupported));
        assert_eq!(reading.enforced_limit, Ok(Watts::from_watts(330)));
        assert_eq!(reading.slowdown_reasons, Ok(nvml::slowdown_reasons(0x41)));
        let truth = machine.gpu(0);
        assert_degrees(reading.margin.unwrap(), &truth["margin"], "margin");
        let outside = gpu.set_power_limit(Watts::from_watts(330));
        assert_eq!(outside, Err(ActuatorError::OutOfRange));
    });
}

#[test]
fn cards_are_counted_in_any_order_and_by_any_uuid() {
    let test = this_test!();
    in_own_process(test, &["a100-80gb", "h100", "l40s"], |machine| {
        let driver = driver();
        let listed = || {
            let inventory = driver.inventory().unwrap();
            let names = inventory.iter().map(|card| (card.index, card.name.clone()));
            names.collect::<Vec<_>>()
        };
        let name = |key| profile::named(key).unwrap().name.to_owned();
        let gone = open_one(&driver).identity().uuid.clone();
        machine.ctl(&["order", "2", "1"]);
        assert_eq!(listed(), [(0, name("l40s")), (1, name("h100"))]);
        let refused = driver.open(&gone).err();
        assert_eq!(refused, Some(nvml::no_such_gpu(&gone)));
        for gpu in ["1", "2"] {
            machine.ctl(&["identity", "--gpu", gpu, "uuid=GPU-twin"]);
        }
        let twins = open_all(&driver);
        assert_eq!(twins.len(), 1, "the other can't be told from it");
        assert_eq!(twins[0].identity().name, name("l40s"));
        machine.ctl(&["order", "all"]);
        assert_eq!(listed(), [(0, name("a100-80gb")), (1, name("h100"))]);
    });
}

#[test]
fn calls_about_the_machine_answer_as_told_beside_faults_of_cards() {
    let test = this_test!();
    in_own_process(test, &["h100", "l40s"], |machine| {
        let driver = driver();
        machine.ctl(&["answer", "init", "999", "--times", "1"]);
        let refused = driver.inventory().err().unwrap();
        assert!(matches!(refused, DriverError::Call { code, .. } if code.number() == 999));
        machine.ctl(&["answer", "handle-by-index:0", "15"]);
        machine.ctl(&["fault", "--gpu", "1", "no-permission,frozen-temperature"]);
        assert_eq!(driver.inventory().unwrap().len(), 1);
        let mut gpu = open_one(&driver);
        let refused = gpu.set_power_limit(Watts::from_watts(200));
        assert_eq!(refused, Err(ActuatorError::NoPermission));
        assert_eq!(machine.gpu(1)["fault"], "no-permission,frozen-temperature");
        machine.ctl(&["answer", "count", "0", "0"]);
        assert_eq!(driver.inventory().unwrap().len(), 0);
        machine.ctl(&["answer", "--clear"]);
        assert_eq!(driver.inventory().unwrap().len(), 2);
    });
}
