#[path = "../tests/common/virtual_node.rs"]
mod virtual_node;
use std::time::Duration;
use thermal_guard::device::plant::{self, Inputs, Load, State};
use thermal_guard::device::profile::{self, Profile};
use thermal_guard::device::sim::Conditions;
use thermal_guard::policy::{RegulatorName, Settings};
use thermal_guard::units::*;
use virtual_node::*;
fn oracle(p: &'static Profile, world: &dyn Fn(f64) -> Conditions, secs: u64) -> f64 {
    let alert = |s: &State| (s.margin(p).degrees()) - 7.0;
    let mut s = State::idle_at(p, world(0.0).inlet);
    for t in 0..secs {
        let c = world(t as f64);
        let run = |s: &State, l: f64| {
            let mut n = *s;
            plant::advance(
                p,
                &mut n,
                &Inputs {
                    load: c.load,
                    inlet: c.inlet,
                    airflow_resistance: c.airflow_resistance,
                    hbm_resistance: c.hbm_resistance,
                    limit: Watts::from_f64(l),
                    gpu_clock_lock: None,
                },
                Duration::from_secs(1),
            );
            n
        };
        let (mut lo, mut hi) = (p.min_limit.as_f64(), p.default_limit.as_f64());
        if alert(&run(&s, hi)) >= 0.0 {
            lo = hi
        } else {
            for _ in 0..14 {
                let m = (lo + hi) / 2.0;
                if alert(&run(&s, m)) >= 0.0 {
                    lo = m
                } else {
                    hi = m
                }
            }
        }
        s = run(&s, lo);
    }
    s.work_done
}
fn main() {
    let only = std::env::args().nth(1);
    for key in [
        "a100-80gb",
        "v100-32gb",
        "h100",
        "l40s",
        "rtx-4090",
        "h200",
        "rtx-6000-ada",
        "a100-40gb",
    ] {
        let p = profile::named(key).unwrap();
        if only.as_deref().is_some_and(|o| o != key) {
            continue;
        }
        // inlet such that alert needs ~72 % of default
        let hot = {
            let mut lo = 20.0;
            let mut hi = 80.0;
            for _ in 0..40 {
                let m = (lo + hi) / 2.0;
                let mut s = State::idle_at(p, Celsius::new(m));
                plant::advance(
                    p,
                    &mut s,
                    &Inputs {
                        load: Load::FULL,
                        inlet: Celsius::new(m),
                        airflow_resistance: 1.0,
                        hbm_resistance: 1.0,
                        limit: p.default_limit.scaled(Ratio::new(0.72)).max(p.min_limit),
                        gpu_clock_lock: None,
                    },
                    Duration::from_secs(1500),
                );
                if s.margin(p).degrees() > 7.0 {
                    lo = m
                } else {
                    hi = m
                }
            }
            lo
        };
        for (name, world) in [
            (
                "hot",
                Box::new(move |_t: f64| Conditions::full_load(Celsius::new(hot)))
                    as Box<dyn Fn(f64) -> Conditions>,
            ),
            (
                "ramp",
                Box::new(move |t: f64| {
                    Conditions::full_load(Celsius::new(
                        hot - 8.0 + 10.0 * (1.0 - ((t - 3600.0) / 3600.0).abs()),
                    ))
                }),
            ),
            (
                "airflow",
                Box::new(move |t: f64| Conditions {
                    airflow_resistance: if t > 3600.0 { 1.6 } else { 1.0 },
                    ..Conditions::full_load(Celsius::new(hot - 14.0))
                }),
            ),
            (
                "bursty",
                Box::new(move |t: f64| Conditions {
                    load: if (t as u64 % 120) < 80 {
                        Load::FULL
                    } else {
                        Load {
                            power: 0.3,
                            compute_bound: 1.0,
                        }
                    },
                    ..Conditions::full_load(Celsius::new(hot + 4.0))
                }),
            ),
            (
                "decode",
                Box::new(move |_t: f64| Conditions {
                    load: Load {
                        power: 0.46,
                        compute_bound: 0.3,
                    },
                    ..Conditions::full_load(Celsius::new(hot + 17.0))
                }),
            ),
        ] {
            let bound = oracle(p, &*world, 7200);
            for reg in [RegulatorName::Ladder, RegulatorName::Governor] {
                let mut node = Node::new(
                    &[p],
                    &Settings {
                        regulator: reg,
                        ..Settings::default()
                    },
                );
                let verbose = std::env::args().nth(2).is_some_and(|s| s == name)
                    && reg == RegulatorName::Governor;
                let (mut over, mut above): (f64, u32) = (-99.0, 0);
                let mut base = None;
                for t in 0..7200u64 {
                    node.set(0, world(t as f64));
                    if t == 0 {
                        let c = world(0.0);
                        node.rack.card(0).state = State::idle_at(p, c.inlet);
                    }
                    let tick = node.step().remove(0);
                    let card = node.rack.card(0);
                    if base.is_none() {
                        base = Some(card.state.work_done);
                    }
                    let a = 7.0 - card.state.margin(p).degrees();
                    over = over.max(a);
                    if a > 0.0 {
                        above += 1
                    }
                    if verbose && (t < 600 || t % 60 == 0) {
                        println!(
                            "{t} a {a:.2} limit {} draw {} {:?}",
                            card.limit,
                            tick.reading.draw.unwrap(),
                            tick.decision.state
                        );
                    }
                }
                let card = node.rack.card(0);
                println!(
                    "{key:12} {name:8} {reg:?}\tof_bound {:.4} over {over:.2} above {:.2}% writes/h {:.1}",
                    card.state.work_done / bound,
                    above as f64 / 72.0,
                    card.limit_writes as f64 / 2.0
                );
            }
        }
    }
}
