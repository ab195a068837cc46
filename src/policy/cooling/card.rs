//! The cooling of one card, reading by reading.

use crate::units::{Celsius, Ratio, Watts};

use super::choice::Choice;
use super::fitting::{Air, Fit, Lags, Step, TARGETS, Window};
use super::health::{Health, Line, Remembered, Seen};
use super::history::{Than, median};
use super::picture::{PICTURES, Picture, Worth};
use super::receipt::{Ledger, Turn, Work};
use super::sustainable::{Headroom, agreed, typical, works};

/// A window is closed after this if its fit is good, and given up after twice this.
const WINDOW_SECONDS: f64 = 3600.0;
/// A window is fitted this often before it is closed.
const REFIT_SECONDS: f64 = 30.0;
/// A window shorter than this tells nothing.
const SHORTEST_SECONDS: f64 = 300.0;

/// The speed of fans below which they are as good as standing.
const FAN_LEAST: Ratio = Ratio::new(0.1);

/// The cooling of one card.
#[derive(Clone, Debug, Default)]
pub struct Cooling {
    draw: Lags,
    in_air: [Lags; PICTURES],
    pictures: [Picture; PICTURES],
    headrooms: [Headroom; PICTURES],
    air_offset: Option<f64>,
    measured: bool,
    /// How many pictures there are of this card.
    kinds: usize,
    choice: Choice,
    refitted: f64,
    /// The speed of fans that cool the card, as far as is known.
    fans: Option<Ratio>,
    health: Health,
    is_new: bool,
}

impl Cooling {
    pub fn of(remembered: &Remembered) -> Self {
        let mut cooling = Self {
            air_offset: remembered.air_offset.filter(|it| it.abs() < 60.0),
            kinds: if remembered.pictures[1].fits.is_empty() {
                1
            } else {
                PICTURES
            },
            ..Self::default()
        };
        for (picture, kept) in cooling.pictures.iter_mut().zip(&remembered.pictures) {
            picture.recall(kept);
        }
        cooling.choice = Choice::of(remembered.fans_score, cooling.windows());
        cooling.choice.compare(cooling.spreads());
        cooling.tell();
        cooling
    }

    pub fn remembered(&self) -> Remembered {
        Remembered {
            pictures: self.pictures.each_ref().map(|it| it.history.kept()),
            air_offset: self.air_offset,
            fans_score: self.choice.score(),
        }
    }

    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// A fit was added since the last call: it is worth remembering.
    pub fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Takes a reading.
    pub fn see(&mut self, seen: &Seen) {
        let watts = seen.draw.as_f64();
        let slow = seen
            .fans
            .map_or(1.0, |fans| 1.0 / fans.max(FAN_LEAST).value());
        let step = self.draw.take(seen.at, watts, 1.0);
        let _ = self.in_air[0].take(seen.at, watts, 1.0);
        let _ = self.in_air[1].take(seen.at, watts * slow, 1.0 / slow);
        let changed = self.measured != seen.air.is_some();
        self.measured = seen.air.is_some();
        let Step::Next(step) = step else {
            self.restart();
            return;
        };
        if changed {
            self.restart();
        }
        let over = -seen.to_alert.degrees();
        let air = seen.air.map_or(0.0, Celsius::degrees);
        let temperatures = [seen.core.degrees() - air, over];
        let kinds = if seen.fans.is_some() { PICTURES } else { 1 };
        self.kinds = kinds;
        let idle = self.is_decided() && self.best() == 0;
        self.fans = seen.fans.filter(|_| !idle);
        self.add(step, temperatures);
        self.refitted += step;
        if self.refitted >= REFIT_SECONDS {
            self.refitted = 0.0;
            self.refit(kinds);
        }
        self.estimate(step, over, seen);
    }

    fn add(&mut self, step: f64, temperatures: [f64; TARGETS]) {
        let Some(fading) = self.draw.fading() else {
            return;
        };
        let draw = *self.draw.smoothed();
        let pictures = self.pictures.iter_mut().zip(&self.in_air);
        for (picture, in_air) in pictures.take(self.kinds) {
            let in_air = in_air.smoothed();
            picture
                .window
                .add(step, &draw, in_air, fading, temperatures);
        }
    }

    /// The median of the ratios of the other cards of this model in the node.
    pub fn compare(&mut self, neighbours: Option<f64>) {
        let own = self.health.ratio;
        let ratio = own
            .zip(neighbours)
            .map(|(own, others)| own.value() / others);
        self.health.beside_neighbours = ratio.map(Ratio::new);
        self.health.judge(Than::Neighbours, ratio, self.line());
    }

    fn restart(&mut self) {
        for picture in &mut self.pictures {
            picture.window = Window::default();
        }
        self.refitted = 0.0;
    }

    fn air(&self) -> Air {
        match self.air_offset {
            _ if !self.measured => Air::Unmeasured,
            Some(offset) => Air::Known(offset),
            None => Air::Measured,
        }
    }

    fn refit(&mut self, kinds: usize) {
        let seconds = self.pictures[0].window.seconds();
        if seconds < SHORTEST_SECONDS {
            return;
        }
        let air = [self.air(), Air::Unmeasured];
        let mut worth = Worth::Nothing;
        for picture in self.pictures.iter_mut().take(kinds) {
            worth = worth.max(picture.refit(air));
        }
        if seconds >= WINDOW_SECONDS && worth == Worth::Good {
            self.close(kinds);
        } else if worth == Worth::Nothing || seconds >= 2.0 * WINDOW_SECONDS {
            self.restart();
        }
    }

    fn close(&mut self, kinds: usize) {
        let air = self.air();
        let mut fits = [None; PICTURES];
        for (fit, picture) in fits.iter_mut().zip(&mut self.pictures).take(kinds) {
            *fit = picture.close(air);
        }
        let misfits = fits.map(|fit: Option<Fit>| fit.map(|fit| fit.misfit));
        self.choice.take(misfits, self.windows());
        self.choice.compare(self.spreads());
        if let Some(fit) = fits[self.best()].filter(|_| self.measured) {
            let before = self.air_offset.unwrap_or(fit.rest);
            self.air_offset = Some(before + (fit.rest - before) * 0.2);
        }
        self.is_new = true;
        self.restart();
        self.tell();
    }

    /// The picture that explains the readings best.
    fn best(&self) -> usize {
        if self.kinds == 1 {
            0
        } else {
            self.choice.best()
        }
    }

    fn line(&self) -> Line {
        if self.kinds == 1 {
            Line::WITHOUT_FANS
        } else {
            Line::WITH_FANS
        }
    }

    fn spreads(&self) -> [Option<f64>; PICTURES] {
        self.pictures.each_ref().map(|it| it.history.spread())
    }

    fn windows(&self) -> [usize; PICTURES] {
        self.pictures.each_ref().map(|it| it.history.len())
    }

    /// One of the pictures explains the readings clearly better, or there is only one.
    fn is_decided(&self) -> bool {
        self.kinds == 1 || self.choice.is_made()
    }

    fn tell(&mut self) {
        let history = &self.pictures[self.best()].history;
        let known = (history.resistance(), history.baseline());
        let (resistance, baseline) = if self.is_decided() {
            known
        } else {
            (None, None)
        };
        let ratio = resistance.zip(baseline).map(|(now, before)| now / before);
        self.health.resistance = resistance;
        self.health.baseline = baseline;
        self.health.ratio = ratio.map(Ratio::new);
        self.health.judge(Than::Before, ratio, self.line());
    }

    /// The power that the card can draw for good. While it isn't known what the fans do, each picture
    /// has its own.
    fn estimate(&mut self, step: f64, over: f64, seen: &Seen) {
        let default = seen.default_limit.map_or(0.0, Watts::as_f64);
        let limit = seen.limit.or(seen.default_limit);
        let most = limit.map_or(f64::INFINITY, Watts::as_f64);
        let mut watts = [None; PICTURES];
        for (picture, watts) in watts.iter_mut().enumerate().take(self.kinds) {
            let Some(fit) = self.fit(picture, seen.default_limit) else {
                continue;
            };
            let lags = [self.draw, self.in_air[picture]];
            let headroom = &mut self.headrooms[picture];
            headroom.take(step, &fit, over, &lags);
            *watts = headroom.watts(&fit, &slope(fit, self.fans), &lags, most);
        }
        let watts = if self.is_decided() {
            watts[self.best()]
        } else {
            agreed(watts)
        };
        let watts = watts.filter(|_| works(&self.draw, default));
        self.health.sustainable = watts.map(Watts::from_f64);
    }

    /// The account of what a throttle costs takes a tick.
    pub fn charge(&self, ledger: &mut Ledger, turn: &Turn, default_limit: Option<Watts>) -> Work {
        let fit = self.fit(self.best(), default_limit);
        let fit = fit.map(|fit| slope(fit, self.fans));
        ledger.take(turn, fit.as_ref())
    }

    /// The fit for forecasts of the margin.
    fn fit(&self, picture: usize, default_limit: Option<Watts>) -> Option<Fit> {
        let typical = || default_limit.map(|limit| typical(limit.as_f64()));
        self.pictures[picture].fits[1].or_else(typical)
    }
}

/// The fit for the consequences of another draw.
fn slope(fit: Fit, fans: Option<Ratio>) -> Fit {
    fans.map_or(fit, |speed| {
        fit.with_fans(speed.clamp(FAN_LEAST, Ratio::new(1.0)).value())
    })
}

/// The median ratio of some cards.
pub fn median_ratio(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    median(ratios)
}

#[cfg(test)]
mod tests;
