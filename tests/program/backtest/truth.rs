//! What the backtest says of cards that ran without a guard, beside what a guard really did on the same
//! cards under the same load.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests"
)]

use std::time::Duration;

use serde_json::Value;
use thermal_guard::device::{Cadence, SlowdownReason};
use thermal_guard::policy::{Level, Settings, Transition};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::node::Node;
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile::{A100_80GB, L40S, Profile};
use thermal_guard::units::Celsius;

use crate::common::figures::tell;
use crate::common::needs::needs;
use crate::common::process::{run, stderr, stdout};
use crate::common::recorded::{Metric, Prometheus, write_openmetrics};

const HOURS: u64 = 12;
const EVERY: u64 = 15;
/// 2026-11-01T00:00:00Z.
const START: u64 = 1_793_491_200;
const END: &str = "2026-11-01T12:00:00Z";

/// Jobs of 5 to 20 minutes, and rests between them.
#[derive(Clone)]
struct Jobs {
    dice: u64,
    next: u64,
    power: f64,
}

impl Jobs {
    const fn new(seed: u64) -> Self {
        Self {
            dice: seed,
            next: 0,
            power: 0.0,
        }
    }

    fn roll(&mut self) -> f64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.dice >> 40) as f64 / 16_777_216.0
    }

    fn at(&mut self, second: u64, inlet: f64) -> Conditions {
        if second >= self.next {
            let minutes = 5.0 + 15.0 * self.roll();
            self.next = second + Duration::from_secs_f64(minutes * 60.0).as_secs();
            self.power = if self.power > 0.0 && self.roll() < 0.5 {
                0.0
            } else {
                0.6 + 0.4 * self.roll()
            };
        }
        Conditions {
            load: Load {
                power: self.power,
                ..Load::FULL
            },
            ..Conditions::full_load(Celsius::new(inlet))
        }
    }
}

/// What a guard did.
#[derive(Debug, Default)]
struct Truth {
    interventions: f64,
    throttled_seconds: f64,
    hottest: f64,
}

/// The same card without a guard and with one.
struct Twins {
    profile: &'static Profile,
    inlet: f64,
    seed: u64,
}

impl Twins {
    /// The history that an exporter left of the card without a guard.
    fn history(&self, index: usize) -> Vec<Metric> {
        let mut node = Node::new(&[self.profile], &Settings::default());
        let mut gpu = node.open(0).unwrap();
        let mut jobs = Jobs::new(self.seed);
        let labels = format!(
            "gpu=\"{index}\",UUID=\"GPU-{index}\",modelName=\"{}\",Hostname=\"node-1\"",
            self.profile.name
        );
        let names = [
            "DCGM_FI_DEV_GPU_TEMP",
            "DCGM_FI_DEV_POWER_USAGE",
            "DCGM_FI_DEV_SM_CLOCK",
            "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS",
        ];
        let mut metrics = names.map(|name| Metric {
            name,
            labels: labels.clone(),
            samples: Vec::new(),
        });
        for second in 0..HOURS * 3600 {
            node.set(0, jobs.at(second, self.inlet));
            let now = node.step_unguarded();
            if second % EVERY != 0 {
                continue;
            }
            let reading = gpu.read(now, Cadence::Full);
            let reasons = reading.slowdown_reasons.unwrap();
            let thermal = reasons.contains(SlowdownReason::SoftwareThermal);
            let values = [
                reading.core.unwrap().degrees(),
                reading.draw.unwrap().as_f64(),
                f64::from(reading.gpu_clock.unwrap().megahertz()),
                if thermal { 32.0 } else { 0.0 },
            ];
            for (metric, value) in metrics.iter_mut().zip(values) {
                metric.samples.push((START + second, value));
            }
        }
        metrics.into()
    }

    fn truth(&self) -> Truth {
        let mut node = Node::new(&[self.profile], &Settings::default());
        let mut jobs = Jobs::new(self.seed);
        let mut truth = Truth::default();
        for second in 0..HOURS * 3600 {
            node.set(0, jobs.at(second, self.inlet));
            let decision = node.step()[0].decision;
            if matches!(decision.transition, Some(Transition::Throttled(..))) {
                truth.interventions += 1.0;
            }
            if decision.level > Level::None {
                truth.throttled_seconds += 1.0;
            }
            truth.hottest = truth.hottest.max(node.rack.card(0).state.core().degrees());
        }
        truth
    }
}

fn number(value: &Value, path: &str) -> f64 {
    let found = value.pointer(path).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("{path} in {value:#}"))
}

const HOT: [Twins; 2] = [
    Twins {
        profile: &A100_80GB,
        inlet: 35.0,
        seed: 1,
    },
    Twins {
        profile: &L40S,
        inlet: 40.0,
        seed: 4,
    },
];

const COOL: [Twins; 1] = [Twins {
    profile: &L40S,
    inlet: 16.0,
    seed: 6,
}];

/// The share by which interventions and throttled time may be off. Operators are promised this much.
const OFF: f64 = 0.2;

#[test]
fn a_backtest_says_what_a_guard_really_did_on_the_same_cards() {
    needs!("prometheus", "promtool");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.om");
    let all = HOT.iter().chain(&COOL).enumerate();
    let metrics = all
        .flat_map(|(index, twins)| twins.history(index))
        .collect();
    write_openmetrics(&file, metrics);
    let prometheus = Prometheus::with(&file, &[]);
    let hours = format!("{HOURS}h");
    let arguments = [
        "backtest",
        "--prometheus",
        &prometheus.url,
        "--last",
        &hours,
        "--until",
        END,
        "--rate=0",
    ];
    let output = run(&[&arguments[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let gpus = report["gpus"].as_array().unwrap();
    assert_eq!(gpus.len(), HOT.len() + COOL.len());
    let (mut really, mut said) = (Truth::default(), Truth::default());
    for (twins, gpu) in HOT.iter().zip(gpus) {
        let truth = twins.truth();
        let what_if = |path: &str| number(gpu, &format!("/what_if/{path}"));
        let (interventions, throttled) = (what_if("interventions"), what_if("throttled_seconds"));
        tell(&format!(
            "backtest of {} in {} °C: {interventions} interventions, {throttled} s; really {} and {} s; hottest {:.1}, really {:.1}; fit {:.2} °C off",
            twins.profile.key,
            twins.inlet,
            truth.interventions,
            truth.throttled_seconds,
            what_if("hottest_celsius"),
            truth.hottest,
            number(gpu, "/fit/held_out_rms_celsius"),
        ));
        really.interventions += truth.interventions;
        really.throttled_seconds += truth.throttled_seconds;
        said.interventions += interventions;
        said.throttled_seconds += throttled;
        let off = (throttled / truth.throttled_seconds - 1.0).abs();
        assert!(off <= OFF, "throttled time: {off:.2} off");
        assert!((what_if("hottest_celsius") - truth.hottest).abs() <= 2.0);
    }
    assert!(really.interventions >= 20.0, "{really:?}");
    let off = (said.interventions / really.interventions - 1.0).abs();
    assert!(off <= OFF, "interventions: {said:?}, really {really:?}");
    for gpu in &gpus[HOT.len()..] {
        assert_eq!(gpu["verdict"], "not_needed", "{gpu:#}");
        assert_eq!(number(gpu, "/what_if/interventions"), 0.0);
    }
    people(&[&arguments[..], &["--match", "UUID=\"GPU-2\""]].concat());
}

/// The cool one, for people.
fn people(arguments: &[&str]) {
    let output = run(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let lines = text.lines();
    let wide: Vec<_> = lines.filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(
        text.contains("node-1/2") && text.contains("Not needed"),
        "{text}"
    );
}
