//! What a thermometer doesn't show: how warm the heat sink is, how much heat comes from outside,
//! and where the temperature is going.
//!
//! The observer pictures every card as the same two masses, in units of the card's full draw: a die that follows the power, and a heat sink that follows within a minute or two.
//! Dies differ by more than sinks do: some follow within a fifth of a second, others within seconds. So
//! the observer keeps a [`Picture`] for each of three speeds, and believes the one that was right most
//! lately when the draw changed.
//! Everything else, from the inlet air to the errors of this crude model, is one disturbance. The
//! observer estimates it from the difference between the model and the readings. So nothing needs
//! tuning for a card: an error of the model becomes a disturbance, and is regulated away.

mod noise;
mod picture;

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::units::{CelsiusDelta, Moment, Ratio};

use noise::Noise;
use picture::{Belief, GAIN, Picture};

/// The speeds of the die that are tried. A data-centre card's die was recorded to follow within 0.3 s,
/// others within 1 to 7 s.
const DIES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(1500),
    Duration::from_secs(5),
];
/// The one to begin with foresees the most.
const SLOWEST: usize = 2;
/// Another picture is believed if its errors are smaller than this share of the present one's.
const BETTER: Ratio = Ratio::new(0.9);
/// Pictures are judged while the draw changes by more than this, and shortly after.
const MOVES: Ratio = Ratio::new(0.05);
const MOVED_FADES: Ratio = Ratio::new(0.8);
/// No picture is left for another before so many seconds of judging.
const JUDGED: Duration = Duration::from_secs(20);

/// A draw that is a mean over a second comes later than the temperature, and one of a moment tells
/// little of the second. So when the draw changes by this much, the reading hardly corrects anything.
const UNSURE: Ratio = Ratio::new(0.2);
const HARDLY: Ratio = Ratio::new(0.2);

/// The readings stay off the estimate if their error, averaged over about four seconds, exceeds this,
/// and so many deviations of their noise.
const SURPRISING: CelsiusDelta = CelsiusDelta::new(0.6);
const SURPRISING_NOISE: f64 = 1.4;

/// A gap in the readings counts as no more than this.
const STEP_MAX: Duration = Duration::from_secs(10);

/// How much the noise of the readings excuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Phase {
    /// The card heats up: every surprise counts.
    #[default]
    Arriving,
    /// The card is held for a while: what is within the noise is noise.
    Held,
}

/// The draw of one tick.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    pub told: Ratio,
    /// Without a fall of a single tick.
    pub lasting: Ratio,
}

impl Draws {
    pub const fn steady(draw: Ratio) -> Self {
        Self {
            told: draw,
            lasting: draw,
        }
    }
}

/// The estimate. Temperatures count from alert: 0 is at alert, negative is under it. Power is a
/// share of the full draw: of the card's default limit, if it has one.
#[derive(Clone, Debug)]
pub struct Observer {
    pictures: [Picture; DIES.len()],
    believed: usize,
    /// How much the draw changed lately.
    moved: Ratio,
    judged: Duration,
    noise: Noise,
    phase: Phase,
    draw: Ratio,
    lasting: Ratio,
    at: Option<Moment>,
}

impl Default for Observer {
    fn default() -> Self {
        Self {
            pictures: DIES.map(Picture::with_die),
            believed: SLOWEST,
            moved: Ratio::ZERO,
            judged: Duration::ZERO,
            noise: Noise::default(),
            phase: Phase::default(),
            draw: Ratio::ZERO,
            lasting: Ratio::ZERO,
            at: None,
        }
    }
}

impl Observer {
    /// Takes one reading, in every state of the GPU: the estimate must be ready when it is needed.
    pub fn observe(&mut self, now: Moment, heat: &Heat, draws: Draws) {
        let read = -CelsiusDelta::new(heat.to_alert.degrees());
        let Some(before) = self.at.replace(now) else {
            (self.draw, self.lasting) = (draws.told, draws.lasting);
            for picture in &mut self.pictures {
                picture.begin(read, draws.told);
            }
            return;
        };
        let step = now.since(before).min(STEP_MAX);
        let power = Ratio::new(0.5) * (self.lasting + draws.lasting);
        let moved = (draws.told - self.draw).abs();
        self.moved = moved.max(self.moved * MOVED_FADES);
        (self.draw, self.lasting) = (draws.told, draws.lasting);
        let belief = Belief {
            share: (Ratio::WHOLE - moved.share_of(UNSURE)).max(HARDLY),
            surprising: self.surprising(),
        };
        let changing = self.moved > MOVES;
        for picture in &mut self.pictures {
            let error = picture.observe(step, power, read, belief);
            if changing {
                picture.judge(step, error);
            }
        }
        self.noise.add(read, draws.told);
        if changing {
            self.judged = (self.judged + step).min(JUDGED);
            self.choose();
        }
    }

    /// Believes the picture with the smallest errors, if it is clearly better.
    fn choose(&mut self) {
        let miss = |place: &usize| self.pictures[*place].miss.degrees();
        let best = (0..DIES.len()).min_by(|one, other| miss(one).total_cmp(&miss(other)));
        let best = best.unwrap_or(SLOWEST);
        let present = self.pictures[self.believed].miss;
        if self.judged >= JUDGED && self.pictures[best].miss < present * BETTER {
            self.believed = best;
        }
    }

    fn believed(&self) -> &Picture {
        &self.pictures[self.believed]
    }

    pub fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// So many standard deviations of a reading's noise.
    pub fn noise(&self, deviations: f64) -> CelsiusDelta {
        self.noise.times(deviations)
    }

    fn surprising(&self) -> CelsiusDelta {
        match self.phase {
            Phase::Arriving => SURPRISING,
            Phase::Held => SURPRISING.max(self.noise(SURPRISING_NOISE)),
        }
    }

    /// The full draw is another than was thought: every share so far is `factor` times as large. The
    /// temperature stays where it is.
    pub fn rescale(&mut self, factor: Ratio) {
        for picture in &mut self.pictures {
            picture.rescale(factor);
        }
        self.draw = self.draw * factor;
        self.lasting = self.lasting * factor;
    }

    /// Where the temperature is now.
    pub fn level(&self) -> CelsiusDelta {
        self.believed().level()
    }

    /// Where it will be after `ahead` at a draw of `power`.
    pub fn predict(&self, power: Ratio, ahead: Duration) -> CelsiusDelta {
        self.believed().predict(power, ahead)
    }

    /// The draw at which it will be at `target` after `ahead`.
    pub fn power_for(&self, target: CelsiusDelta, ahead: Duration) -> Ratio {
        self.believed().power_for(target, ahead)
    }

    /// The change of draw that moves the steady temperature by `change`.
    pub fn power_per(change: CelsiusDelta) -> Ratio {
        change / GAIN
    }

    pub const fn draw(&self) -> Ratio {
        self.draw
    }

    /// The disturbance is steady: what changes is the regulator's own doing.
    pub fn is_steady(&self) -> bool {
        self.believed().is_steady(self.surprising())
    }
}

#[cfg(test)]
mod tests;
