//! A fleet as dcgm-exporter would have shown it: a card in ten is in a hot place, the others are cool, and
//! each has jobs of its own.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use thermal_guard::thermal_fit::Filter;

const EVERY: u64 = 30;
/// 2026-12-01T00:00:00Z.
const END_SECONDS: u64 = 1_796_083_200;
pub(crate) const END: &str = "2026-12-01T00:00:00Z";

pub(crate) struct Fleet {
    pub(crate) gpus: usize,
    pub(crate) days: usize,
}

/// One card and its jobs.
struct Card {
    dice: u64,
    air: f64,
    left: u32,
    watts: f64,
    masses: [(f64, Filter); 2],
}

impl Card {
    fn new(number: usize) -> Self {
        let is_hot = number.is_multiple_of(10);
        let mut card = Self {
            dice: number as u64 * 2 + 1,
            air: if is_hot { 41.0 } else { 24.0 },
            left: 0,
            watts: 60.0,
            masses: [
                (0.08, Filter::at_rest(45.0, 60.0)),
                (0.03, Filter::at_rest(300.0, 60.0)),
            ],
        };
        for _ in 0..8 {
            card.roll();
        }
        card
    }

    fn roll(&mut self) -> f64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.dice >> 40) as f64 / 16_777_216.0
    }

    /// The next scrape's temperature, draw and clock.
    fn scrape(&mut self) -> (f64, f64, f64) {
        let before = self.watts;
        if self.left == 0 {
            self.left = 10 + (self.roll() * 240.0) as u32;
            // Most of the day is full load of one kind or another.
            self.watts = if self.roll() < 0.4 {
                60.0
            } else {
                200.0 + 200.0 * self.roll()
            };
        }
        self.left -= 1;
        for (_, filter) in &mut self.masses {
            filter.pass(EVERY as f64, before, self.watts);
        }
        let rise: f64 = self
            .masses
            .iter()
            .map(|(r, filter)| r * filter.state())
            .sum();
        let core = self.air + 0.02 * self.watts + rise + 0.8 * self.roll() - 0.4;
        let clock = if self.watts > 100.0 { 1410.0 } else { 210.0 };
        (
            core.round(),
            (self.watts * 10.0 + self.roll() * 20.0).round() / 10.0,
            clock,
        )
    }
}

impl Fleet {
    /// Writes the history as `promtool` imports it: series by series, all of one name together.
    pub(crate) fn write(&self, path: &Path) {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(path).expect("file"));
        let scrapes = self.days as u64 * 86_400 / EVERY;
        let start = END_SECONDS - scrapes * EVERY;
        for (place, name) in [
            "DCGM_FI_DEV_GPU_TEMP",
            "DCGM_FI_DEV_POWER_USAGE",
            "DCGM_FI_DEV_SM_CLOCK",
        ]
        .into_iter()
        .enumerate()
        {
            writeln!(out, "# TYPE {name} unknown").expect("written");
            for number in 0..self.gpus {
                let mut card = Card::new(number);
                let labels = format!(
                    "gpu=\"{}\",UUID=\"GPU-{number:05}\",Hostname=\"node-{:03}\",modelName=\"NVIDIA A100-SXM4-80GB\"",
                    number % 8,
                    number / 8
                );
                for scrape in 0..scrapes {
                    let (core, draw, clock) = card.scrape();
                    let value = [core, draw, clock][place];
                    let at = start + scrape * EVERY;
                    writeln!(out, "{name}{{{labels}}} {value} {at}").expect("written");
                }
            }
        }
        writeln!(out, "# EOF").expect("written");
        out.flush().expect("written");
    }
}
