//! `thermal-guard backtest` of a large fleet in a real Prometheus: a hundred GPUs over thirty days at 30 s,
//! three series each, 26 million samples. How long it takes and how much memory, beside parts of the
//! fleet: the cost must grow with the fleet, and no faster. `make backtest-bench`; ten minutes, most of
//! them promtool's.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark: what doesn't start can't be measured"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod fleet;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use common::process::program;
use common::recorded::Prometheus;
use fleet::{END, Fleet};

/// Others for a trial.
const GPUS: &str = "THERMAL_GUARD_BACKTEST_GPUS";
const DAYS: &str = "THERMAL_GUARD_BACKTEST_DAYS";

/// Bars for a hundred GPUs over thirty days.
const MOST_SECONDS: f64 = 40.0;
const MOST_MIB: f64 = 512.0;
/// Of the cost of a GPU, in the whole fleet and in a quarter of it.
const MOST_GROWTH: f64 = 1.3;

struct Cost {
    gpus: usize,
    samples: f64,
    seconds: f64,
    mib: f64,
}

fn main() {
    let number = |name: &str, usual: usize| {
        let given = env::var(name).ok().and_then(|text| text.parse().ok());
        given.unwrap_or(usual)
    };
    let fleet = Fleet {
        gpus: number(GPUS, 100),
        days: number(DAYS, 30),
    };
    let begun = Instant::now();
    let file = directory().join("backtest.om");
    fleet.write(&file);
    println!("history written: {:.0} s", begun.elapsed().as_secs_f64());
    let prometheus = Prometheus::with(&file, &[]);
    fs::remove_file(&file).unwrap();
    println!("imported: {:.0} s", begun.elapsed().as_secs_f64());
    let quarter = backtest(&prometheus, &fleet, ".*0[0-9]*[048]");
    let whole = backtest(&prometheus, &fleet, ".*");
    for cost in [&quarter, &whole] {
        println!(
            "{} GPUs, {:.1} million samples: {:.1} s, {:.0} MiB",
            cost.gpus,
            cost.samples / 1e6,
            cost.seconds,
            cost.mib
        );
    }
    let usual = fleet.gpus == 100 && fleet.days == 30;
    let each = |cost: &Cost| cost.seconds / cost.samples;
    let growth = each(&whole) / each(&quarter);
    println!("a sample costs {growth:.2} times what it costs in a part of the fleet");
    if usual {
        assert!(whole.seconds <= MOST_SECONDS, "over {MOST_SECONDS} s");
        assert!(growth <= MOST_GROWTH, "grows by {growth:.2}");
    }
    assert!(whole.mib <= MOST_MIB, "over {MOST_MIB} MiB");
}

/// On a disk: the text is larger than many memories.
fn directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let directory = target.join("backtest-bench");
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn backtest(prometheus: &Prometheus, fleet: &Fleet, hosts: &str) -> Cost {
    let begun = Instant::now();
    let out = directory().join("report.json");
    let mut child = Command::new(program())
        .args([
            "backtest",
            "--prometheus",
            &prometheus.url,
            "--rate=0",
            "--json",
        ])
        .arg(format!("--last={}d", fleet.days))
        .args(["--until", END])
        .arg(format!("--match=Hostname=~\"{hosts}\""))
        .stdout(Stdio::from(fs::File::create(&out).unwrap()))
        .spawn()
        .unwrap();
    let mut kib = 0.0;
    let status = loop {
        kib = peak(child.id()).unwrap_or(kib).max(kib);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let report: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    Cost {
        gpus: report["gpus"].as_array().unwrap().len(),
        samples: report["seen"]["samples"].as_f64().unwrap(),
        seconds: begun.elapsed().as_secs_f64(),
        mib: kib / 1024.0,
    }
}

/// Kibibytes, at the most so far.
fn peak(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
