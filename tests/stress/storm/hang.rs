//! One GPU of eight hangs inside the driver: how much slower are scrapes?
//!
//! The test measures in pairs, a run of scrapes with the hang and one without, each first in turn. So
//! other load of this machine falls on both. A pair's figure is the ratio of its 99th percentiles; the
//! test's figure is the median of all pairs.

use std::time::{Duration, Instant};

use super::scrape::Scraper;
use super::{ends_well, is_full, millis, p99};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::wait::PATIENCE;

/// GPUs, pairs, and scrapes in each half.
const FULL: [usize; 3] = [8, 9, 2000];
const IN_CI: [usize; 3] = [2, 1, 100];

const HUNG: usize = 1;

/// The hang may cost a scrape a fifth, at the 99th percentile.
const BAR: f64 = 1.2;

fn guarded(gpus: usize) -> Guard {
    Guard::started(Machine::create(&vec!["h100"; gpus], &[]), 1, "")
}

/// Begins or ends the hang, and waits until the guard says so.
fn hang(guard: &Guard, scraper: &Scraper, hangs: bool) {
    let fault = if hangs { "hang" } else { "none" };
    let gpu = HUNG.to_string();
    guard.machine.ctl(&["fault", "--gpu", &gpu, fault]);
    let began = Instant::now();
    loop {
        let metrics = scraper.metrics();
        let hung = |gpu| metrics.of(gpu, "thermal_guard_gpu_hung", &[]) == Some(1.0);
        let up = |gpu| metrics.of(gpu, "thermal_guard_gpu_up", &[]) == Some(1.0);
        if hung(HUNG) == hangs && up(HUNG) != hangs {
            let all = metrics.all("thermal_guard_gpu_hung", &[]);
            let hung: f64 = all.iter().sum();
            assert!(hung <= 1.0, "others hang, too");
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the guard never says: {fault}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ratio(with: &[Duration], without: &[Duration]) -> f64 {
    p99(with).as_secs_f64() / p99(without).as_secs_f64()
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

#[test]
fn a_scrape_does_not_notice_a_gpu_that_hangs() {
    let [gpus, pairs, each] = if is_full() { FULL } else { IN_CI };
    let guard = guarded(gpus);
    let scraper = Scraper::lasting(&guard);
    scraper.times(each / 4);
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let hangs_first = pair % 2 == 1;
        let [mut with, mut without] = [Vec::new(), Vec::new()];
        for hangs in [hangs_first, !hangs_first] {
            hang(&guard, &scraper, hangs);
            let half = if hangs { &mut with } else { &mut without };
            *half = scraper.times(each);
        }
        ratios.push(ratio(&with, &without));
        if is_full() {
            tell(&format!(
                "pair {pair}: p99 of {each} scrapes {:.2} ms with a hung GPU, {:.2} ms without",
                millis(p99(&with)),
                millis(p99(&without))
            ));
        }
    }
    hang(&guard, &scraper, false);
    ends_well(guard);
    if is_full() {
        let median = median(ratios);
        tell(&format!(
            "/metrics p99 with 1 of {gpus} GPUs hung, median ratio of {pairs} pairs: {median:.3} (bar {BAR})"
        ));
        assert!(median <= BAR, "{median} > {BAR}");
    }
}

/// The control: scrapes of which one in fifty waits for the GPU are over the bar.
#[test]
fn a_scrape_that_waits_now_and_then_would_be_noticed() {
    let guard = guarded(1);
    let without = Scraper::lasting(&guard).times(100);
    let slowed =
        |(number, took): (usize, &Duration)| *took * if number % 50 == 0 { 1000 } else { 1 };
    let with: Vec<_> = without.iter().enumerate().map(slowed).collect();
    assert!(median(vec![1.0, ratio(&with, &without), 9999.0]) > BAR);
    assert!(median(vec![ratio(&without, &without)]) <= BAR);
}
