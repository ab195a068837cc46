//! The report: for programs as it is, for people by the views.

use serde::Serialize;

use super::heat::{Heat, OwnSlowdown};
use super::verdict::Verdict;
use super::whatif::WhatIf;

/// All GPUs of a backtest.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The server's URL, or the files.
    pub source: String,
    /// Seconds since 1970; for files, since the first sample.
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub seen: Seen,
    pub fleet: Fleet,
    pub gpus: Vec<GpuReport>,
    /// What can't be known from this history.
    pub unknown: Vec<String>,
}

/// What was read, and what was missing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    pub samples: u64,
    pub requests: u64,
    pub repeated_requests: u64,
    /// Parts of the period that the server didn't give.
    pub gaps: Vec<SeenGap>,
    /// What the server said beside its answers.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeenGap {
    pub start_seconds: f64,
    pub end_seconds: f64,
    pub gpus: usize,
    pub why: String,
}

/// The GPUs together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fleet {
    pub gpus: usize,
    pub not_needed: usize,
    /// The guard would keep more work than the card's own slowdown does.
    pub keeps_work: usize,
    /// It would hold the card cooler, for about as much work or for some more.
    pub cooler: usize,
    pub look_at_cooling: usize,
    pub unknown: usize,
    pub interventions: f64,
    pub throttled_seconds: f64,
    /// Full seconds of work, as far as known: with the guard, and by the cards' own slowdown.
    pub lost_seconds: f64,
    pub own_lost_seconds: f64,
    pub verdict: String,
}

/// One GPU.
#[derive(Clone, Debug, Serialize)]
pub struct GpuReport {
    pub gpu: String,
    pub uuid: String,
    pub model: Option<String>,
    pub scrape_seconds: Option<f64>,
    pub scrapes: usize,
    pub alert_celsius: f64,
    pub critical_celsius: f64,
    /// Neither exporter nor model tell the thresholds.
    pub thresholds_assumed: bool,
    pub default_limit_watts: Option<f64>,
    pub heat: Option<Heat>,
    pub own_slowdown: Option<OwnSlowdown>,
    /// How long a guard that ran already throttled the card.
    pub guarded_seconds: Option<f64>,
    pub fit: Option<FitReport>,
    /// Why there is no fit.
    pub unfit: Option<String>,
    pub what_if: Option<WhatIf>,
    pub verdict: Verdict,
    /// The verdict in a sentence or two.
    pub words: String,
    /// For the drawing: the hottest and the mean of each part of the period.
    pub course: Vec<Slice>,
}

/// A part of the period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slice {
    pub hottest_celsius: f64,
    pub mean_celsius: f64,
}

/// The thermal picture of a card.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitReport {
    /// °C per watt, settled, to whatever air there was.
    pub resistance_celsius_per_watt: f64,
    pub masses: Vec<Mass>,
    /// The slower masses' resistance is for the fan at its highest speed, and goes with one over it.
    pub by_fan: bool,
    pub fitted_rms_celsius: f64,
    /// On scrapes that the fit hadn't seen.
    pub held_out_rms_celsius: f64,
    pub held_out_worst_celsius: f64,
    /// Those scrapes have powers or fan speeds that the fitted ones hadn't.
    pub beyond: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mass {
    pub celsius_per_watt: f64,
    /// 0: faster than the scrapes.
    pub seconds: f64,
}
