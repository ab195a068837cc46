//! Down: before it gets too hot by what is foreseen, and after peaks that were too high.

use std::time::Duration;

use crate::policy::regulate::dial::Dial;
use crate::policy::regulate::governor::{AHEAD, Governor, OVERSHOOTS, SETTLES};
use crate::policy::regulate::observer::Observer;
use crate::units::{CelsiusDelta, Ratio};

use super::{Hold, Load, MINUTE, RECENT, RECENT_NOISE, Scene};

/// Some time after a move, noisier readings excuse more.
const OVERSHOOTS_NOISE: f64 = 0.6;
const CALMS: Duration = Duration::from_secs(20);
/// If a steady GPU exceeds the set point by no more than this, the correction is for its *steady*
/// temperature: a third of the one that would work within seconds and then be too much.
const MILD: CelsiusDelta = CelsiusDelta::new(1.0);
const MILD_NOISE: f64 = 1.0;
const MILD_DWELL: Duration = Duration::from_secs(30);
/// Readings with more noise than this never look steady. A card that was held for so long is.
const NOISY: CelsiusDelta = CelsiusDelta::new(0.5);
const NOISY_CALMS: Duration = Duration::from_secs(60);
/// The time between two corrections down, unless a correction of more than [`URGENT`] of the
/// default limit is due.
const DOWN_DWELL: Duration = Duration::from_secs(4);
const URGENT: Ratio = Ratio::new(0.04);

/// If forecasts were too high by more than their noise, so much is taken off them, at most.
const OVERFORESEEN_NOISE: f64 = 0.7;
const OVERFORESEEN_MOST: CelsiusDelta = CelsiusDelta::new(2.0);
const CLEARLY_OVERFORESEEN: CelsiusDelta = CelsiusDelta::new(0.5);
/// Over the set point by this much, forecasts count in full again.
const SURELY_OVER: CelsiusDelta = CelsiusDelta::new(1.0);
/// A forecast that it cools, so long after a move, while it is over alert and doesn't: the draw is read
/// wrong, say. Then the temperature alone counts.
const DISBELIEVED: Duration = Duration::from_secs(20);
/// The dwell of a mild correction while peaks are still growing.
const GROWS_DWELL: Duration = Duration::from_secs(10);

/// The least draw whose gaps tell anything, as a share of the full draw: idle cards draw more. A meter
/// that shows less is wrong.
const LEAST_DRAW: Ratio = Ratio::new(0.03);

/// Peaks of a load that comes and goes: of the seconds since the last move, and of the last half
/// minute. So many deviations of the noise are what the second highest of so many readings has.
const LATEST_OVER: CelsiusDelta = CelsiusDelta::new(0.7);
const LATEST_NOISE: f64 = 1.0;
const LATEST_DWELL: Duration = Duration::from_secs(6);
/// Nothing is known yet of what those peaks will be at rest, so this many times as much is taken.
const LATEST_GAIN: Ratio = Ratio::new(2.5);
/// Peaks grow on for eight seconds before a correction shows in them, of the twenty in which growth is
/// seen.
const GROWS_ON: Ratio = Ratio::new(0.4);
const GROWS_MOST: CelsiusDelta = CelsiusDelta::new(2.0);
const RECENT_OVER: CelsiusDelta = CelsiusDelta::new(0.6);
const RECENT_DWELL: Duration = Duration::from_secs(30);

impl<D: Dial> Governor<D> {
    pub(super) fn overshoots(&self, scene: &Scene) -> CelsiusDelta {
        if self.setting.is_some() && scene.dwelt >= CALMS {
            OVERSHOOTS.max(self.observer.noise(OVERSHOOTS_NOISE))
        } else {
            OVERSHOOTS
        }
    }

    fn foreseen(&self, scene: &Scene) -> CelsiusDelta {
        self.observer.predict(scene.power(), AHEAD) - scene.set_point
    }

    fn over(&self, scene: &Scene) -> CelsiusDelta {
        self.observer.level() - scene.set_point
    }

    /// How far over the set point the card will be, as far as forecasts came true.
    pub(super) fn excess(&self, scene: &Scene) -> CelsiusDelta {
        let foreseen = self.foreseen(scene);
        let expected = foreseen - self.overforeseen(scene);
        let over = self.over(scene);
        let comes_back =
            scene.load == Load::ComesAndGoes && over.min(foreseen) > self.overshoots(scene);
        if comes_back || self.is_belied(scene) {
            expected.max(over)
        } else {
            expected
        }
    }

    /// The card is over alert, and stays there in spite of the last move.
    fn is_belied(&self, scene: &Scene) -> bool {
        let surely = self.observer.noise(OVERSHOOTS_NOISE);
        self.setting.is_some()
            && scene.dwelt >= DISBELIEVED
            && self.observer.level() > surely
            && !self.seen_lately.falls(scene.now)
    }

    /// What to take off a forecast.
    fn overforeseen(&self, scene: &Scene) -> CelsiusDelta {
        let held = self
            .held_since
            .is_some_and(|at| scene.now.since(at) >= MINUTE);
        let trusts = held && scene.load == Load::ComesAndGoes;
        if !trusts || self.over(scene) > SURELY_OVER {
            return CelsiusDelta::ZERO;
        }
        let over = self.seen_lately.overforeseen() - self.observer.noise(OVERFORESEEN_NOISE);
        over.max(CelsiusDelta::ZERO).min(OVERFORESEEN_MOST)
    }

    pub(super) fn down(&self, scene: &Scene, excess: CelsiusDelta) -> Option<Ratio> {
        let mild = MILD.max(self.observer.noise(MILD_NOISE));
        if excess < mild && scene.hold != Hold::Loose && self.rests(scene) {
            let dwell = if scene.load == Load::ComesAndGoes && !self.observer.is_steady() {
                GROWS_DWELL
            } else {
                MILD_DWELL
            };
            return (scene.dwelt >= dwell).then_some(self.steps.trimmed(scene.limit, excess));
        }
        let target = scene.set_point + (self.foreseen(scene) - excess);
        let wanted = self.observer.power_for(target, AHEAD);
        let (from, wanted) = if has_gaps(scene) {
            let share = wanted.max(Ratio::ZERO).share_of(scene.draw);
            (scene.limit, scene.limit * share)
        } else {
            (scene.power(), wanted)
        };
        let due = from - wanted > URGENT || scene.dwelt >= DOWN_DWELL;
        due.then_some(wanted)
    }

    /// What changes is noise, or peaks that grow slowly.
    fn rests(&self, scene: &Scene) -> bool {
        let noisy = self.observer.noise(1.0) > NOISY && scene.dwelt >= NOISY_CALMS;
        self.observer.is_steady()
            || (noisy && scene.load != Load::ComesAndGoes && self.setting.is_some())
            || self.overforeseen(scene) > CLEARLY_OVERFORESEEN
    }

    /// While a card heats up: what its peaks will grow by before a correction shows in them.
    fn still_growing(&self, scene: &Scene) -> CelsiusDelta {
        let arrived = self
            .held_since
            .is_some_and(|at| scene.now.since(at) >= SETTLES);
        if arrived {
            return CelsiusDelta::ZERO;
        }
        (self.seen_lately.growth() * GROWS_ON)
            .max(CelsiusDelta::ZERO)
            .min(GROWS_MOST)
    }

    /// Peaks that come back over the set point, of a load that comes and goes.
    pub(super) fn down_by_peaks(&self, scene: &Scene) -> Option<Ratio> {
        if scene.load == Load::Steady || scene.hold == Hold::Loose {
            return None;
        }
        let latest = self.seen_lately.peak_since(self.moved)?;
        let latest = latest - self.observer.noise(LATEST_NOISE) - scene.set_point;
        let latest = latest + self.still_growing(scene);
        if latest > LATEST_OVER && scene.dwelt >= LATEST_DWELL {
            let used = self.seen_lately.draw(RECENT).min(scene.limit);
            let from = scene.power().max(used);
            return Some(from - Observer::power_per(latest * LATEST_GAIN));
        }
        let recent = self.seen_lately.peak(RECENT)?;
        let recent = recent - self.observer.noise(RECENT_NOISE) - scene.set_point;
        let due = recent > RECENT_OVER && scene.dwelt >= RECENT_DWELL;
        (due && scene.load == Load::ComesAndGoes).then(|| scene.limit - Observer::power_per(recent))
    }
}

/// The draw is less than the setting allows, because it has gaps. So the setting must go down by the
/// same share as the draw.
fn has_gaps(scene: &Scene) -> bool {
    let held = match scene.hold {
        Hold::Caps => true,
        Hold::Bound => scene.load != Load::Steady,
        Hold::Binds | Hold::Loose => false,
    };
    held && scene.draw > (scene.limit * Ratio::new(0.5)).max(LEAST_DRAW)
}
