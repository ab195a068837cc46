//! The last hour of one GPU in points of ten seconds, for the charts and for the status board's highest
//! and mean. It is a ring of fixed size that each tick adds to; it ends with the process.

use std::time::Duration;

use crate::policy::State;
use crate::units::{Celsius, Moment, Watts};

use crate::guard::tick::Tick;

/// The length of a point, in the time of the sampling.
pub const POINT: Duration = Duration::from_secs(10);

/// An hour.
pub const POINTS: u32 = 360;

/// All samples of the last hour, condensed.
#[derive(Clone, Debug)]
pub struct History {
    ring: Box<[Point]>,
}

/// The samples of ten seconds.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Its number, counted from the start.
    pub slot: u32,
    core: Span,
    memory: Span,
    draw: Span,
    limit: Option<Watts>,
    state: Option<State>,
}

// 23 kB for each GPU.
const _: () = assert!(size_of::<Point>() <= 64);

/// The number of the point that `now` falls into.
pub fn slot(now: Moment) -> u32 {
    let slot = now.since_start().as_secs() / POINT.as_secs();
    u32::try_from(slot).unwrap_or(u32::MAX)
}

impl Default for History {
    fn default() -> Self {
        Self {
            ring: vec![Point::new(0); POINTS as usize].into(),
        }
    }
}

impl History {
    pub fn record(&mut self, tick: &Tick) {
        // A GPU that doesn't answer leaves a gap.
        if !tick.up {
            return;
        }
        let slot = slot(tick.reading.at);
        let point = &mut self.ring[(slot % POINTS) as usize];
        if point.slot != slot {
            *point = Point::new(slot);
        }
        point.add(tick);
    }

    /// The points of the hour before `now`, oldest first. Points without a sample are left out.
    pub fn points(&self, now: Moment) -> impl Iterator<Item = &Point> {
        let newest = slot(now);
        let oldest = newest.saturating_sub(POINTS - 1);
        (oldest..=newest).filter_map(|slot| {
            let point = &self.ring[(slot % POINTS) as usize];
            (point.slot == slot && point.state.is_some()).then_some(point)
        })
    }

    /// Highest and mean core temperature, or `None` without a sample in the last hour.
    pub fn max_and_mean(&self, now: Moment) -> Option<(Celsius, Celsius)> {
        let spans = self.points(now).map(|point| point.core);
        let hour = spans.reduce(Span::and)?;
        Some((Celsius::new(hour.max()?), Celsius::new(hour.mean()?)))
    }
}

impl Point {
    const fn new(slot: u32) -> Self {
        Self {
            slot,
            core: Span::EMPTY,
            memory: Span::EMPTY,
            draw: Span::EMPTY,
            limit: None,
            state: None,
        }
    }

    fn add(&mut self, tick: &Tick) {
        let reading = &tick.reading;
        self.core.add(reading.core.ok().map(Celsius::degrees));
        self.memory.add(reading.memory.ok().map(Celsius::degrees));
        self.draw.add(reading.draw.ok().map(Watts::as_f64));
        let limits = [self.limit, reading.limit.ok()];
        self.limit = limits.into_iter().flatten().min();
        let states = [self.state, Some(tick.decision.state)];
        self.state = states
            .into_iter()
            .flatten()
            .max_by_key(|state| gravity(*state));
    }

    /// Lowest, mean and highest core temperature in °C.
    pub fn core(&self) -> Option<[f64; 3]> {
        let span = &self.core;
        Some([span.min()?, span.mean()?, span.max()?])
    }

    /// The highest memory temperature in °C.
    pub fn memory(&self) -> Option<f64> {
        self.memory.max()
    }

    /// The mean draw in watts.
    pub fn draw(&self) -> Option<f64> {
        self.draw.mean()
    }

    /// The lowest limit.
    pub const fn limit(&self) -> Option<Watts> {
        self.limit
    }

    /// The gravest state.
    pub const fn state(&self) -> Option<State> {
        self.state
    }
}

/// A point shows its gravest state.
const fn gravity(state: State) -> u8 {
    match state {
        State::Normal => 0,
        State::Recovering => 1,
        State::Gradual => 2,
        State::Blind => 3,
        State::Emergency => 4,
        State::Unguarded => 5,
    }
}

/// Samples of one quantity. Single precision: NVML's numbers have three or four digits.
#[derive(Clone, Copy, Debug)]
struct Span {
    min: f32,
    max: f32,
    sum: f32,
    count: u32,
}

impl Span {
    const EMPTY: Self = Self {
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
        sum: 0.0,
        count: 0,
    };

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded, as the type's documentation says"
    )]
    fn add(&mut self, sample: Option<f64>) {
        if let Some(sample) = sample {
            let sample = sample as f32;
            *self = self.and(Self {
                min: sample,
                max: sample,
                sum: sample,
                count: 1,
            });
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
            sum: self.sum + other.sum,
            count: self.count.saturating_add(other.count),
        }
    }

    fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(f64::from(self.min))
    }

    fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(f64::from(self.max))
    }

    fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| f64::from(self.sum) / f64::from(self.count))
    }
}
