//! Which draw to allow next: down before it gets too hot, up where there is room, and a trim where the
//! temperature rests off the set point.
//!
//! Forecasts take the present draw as lasting. Under a load that comes and goes they are as much too
//! high as they were in the last minutes, and the peaks that were seen count instead: they lower the
//! limit, and they raise it, whatever is foreseen.

mod down;

use std::time::Duration;

use crate::policy::regulate::dial::Dial;
use crate::policy::regulate::drive::Drive;
use crate::policy::regulate::observer::Observer;
use crate::policy::regulate::steps::UP_DWELL;
use crate::units::{CelsiusDelta, Moment, Ratio};

use super::{Governor, OVERSHOOTS, ROOM, ROOM_AHEAD};

/// The peaks of the last minute want this much room, too.
const ROOM_SEEN: CelsiusDelta = CelsiusDelta::new(0.5);
const STEP_UP_MAX: Ratio = Ratio::new(0.08);
/// More room than this makes a step up wait less, by the square of how much more.
const NEAR: CelsiusDelta = CelsiusDelta::new(2.0);
/// A steady temperature this far off the set point, and by half a deviation of a reading's noise, is
/// trimmed.
const TRIM: CelsiusDelta = CelsiusDelta::new(0.3);
const TRIM_NOISE: f64 = 0.5;
const TRIM_DWELL: Duration = Duration::from_secs(90);
/// The time over which the estimate is averaged for a trim. Noise of more than this makes it longer.
const TRIM_TIME: Duration = Duration::from_secs(20);
const TRIM_AVERAGES: CelsiusDelta = CelsiusDelta::new(0.4);
const TRIM_TIME_MOST: Ratio = Ratio::new(4.0);

/// The half minute behind, and what its second highest reading has of the noise; the same of longer ones.
const RECENT: Duration = Duration::from_secs(30);
const RECENT_NOISE: f64 = 1.54;
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const MINUTE_NOISE: f64 = 1.9;
const LONG: Duration = Duration::from_secs(120);
const LONG_NOISE: f64 = 2.1;

/// A step up by seen peaks wants this much room; under a steady load, which trims bring to the set point, more.
const SEEN_ROOM: CelsiusDelta = CelsiusDelta::new(0.5);
const SEEN_ROOM_STEADY: CelsiusDelta = CelsiusDelta::new(1.0);
const SEEN_ROOM_NOISE: f64 = 0.8;

/// A setting is used if the highest draw of the last minute reached this share of it.
pub(super) const USES: Ratio = Ratio::new(0.85);

/// What a plan starts from.
#[derive(Clone, Copy, Debug)]
struct Scene {
    now: Moment,
    /// Since the last move.
    dwelt: Duration,
    /// What the setting on the card allows.
    limit: Ratio,
    draw: Ratio,
    set_point: CelsiusDelta,
    hold: Hold,
    load: Load,
}

/// How the setting on the card holds it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The draw reaches it now.
    Binds,
    /// The driver says that it does. The draw is lower: there are gaps in it.
    Caps,
    /// It did within the last minute.
    Bound,
    Loose,
}

/// How the load behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Steady,
    /// It begins to come and go.
    Flickers,
    ComesAndGoes,
}

impl Scene {
    fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Binds | Hold::Caps)
    }

    /// The draw if it stays as it is.
    fn power(&self) -> Ratio {
        match self.hold {
            Hold::Binds => self.limit,
            Hold::Caps | Hold::Bound | Hold::Loose => self.draw,
        }
    }
}

impl<D: Dial> Governor<D> {
    /// The draw to allow from now on, as a share of the full draw. `None`: no change.
    pub(super) fn wanted(&self, now: Moment, drive: Drive) -> Option<Ratio> {
        let current = self.on_card(drive);
        let scene = self.scene(now, current, drive);
        let wanted = self.wanted_in(&scene);
        wanted.filter(|&share| self.dial.has_step(current, share))
    }

    fn scene(&self, now: Moment, current: D::Setting, drive: Drive) -> Scene {
        let limit = self.dial.share(current);
        let draw = self.observer.draw();
        let hold = if self.dial.binds(current, draw) {
            Hold::Binds
        } else if !self.ladder.is_released() {
            // The rungs hold it, and not the setting.
            Hold::Loose
        } else if D::IS_EXACT && drive.capped {
            Hold::Caps
        } else if self.seen_lately.draw(MINUTE) >= limit * USES {
            Hold::Bound
        } else {
            Hold::Loose
        };
        let load = if self.seen_lately.comes_and_goes() {
            Load::ComesAndGoes
        } else if self.seen_lately.flickers() {
            Load::Flickers
        } else {
            Load::Steady
        };
        Scene {
            now,
            dwelt: now.since(self.moved),
            limit,
            draw,
            set_point: self.set_point(),
            hold,
            load,
        }
    }

    fn wanted_in(&self, scene: &Scene) -> Option<Ratio> {
        let excess = self.excess(scene);
        if excess > self.overshoots(scene) {
            return self.down(scene, excess);
        }
        if let Some(lower) = self.down_by_peaks(scene) {
            return Some(lower);
        }
        self.setting?;
        match scene.load {
            Load::ComesAndGoes => self
                .up_by_peaks(scene)
                .or_else(|| self.up_by_forecast(scene))
                .or_else(|| self.trim(scene)),
            Load::Flickers | Load::Steady => self
                .up_by_forecast(scene)
                .or_else(|| self.trim(scene))
                .or_else(|| self.up_by_peaks(scene)),
        }
    }

    /// The readings of the last half minute came near the set point. If they didn't, only a forecast says
    /// that it is too hot.
    pub(super) fn was_hot(&self) -> bool {
        let peak = self.seen_lately.peak(RECENT);
        let peak = peak.map(|peak| peak - self.observer.noise(RECENT_NOISE));
        peak.is_none_or(|peak| peak > self.set_point() - ROOM_SEEN)
    }

    /// How far the peaks of the last minutes stayed under the set point.
    fn room_seen(&self, scene: &Scene, window: Duration, deviations: f64) -> CelsiusDelta {
        self.room_under(scene.set_point, window, deviations)
    }

    pub(super) fn room_under(
        &self,
        target: CelsiusDelta,
        window: Duration,
        deviations: f64,
    ) -> CelsiusDelta {
        let peak = self.seen_lately.peak(window);
        peak.map_or(CelsiusDelta::ZERO, |peak| {
            target - (peak - self.observer.noise(deviations))
        })
    }

    fn up_by_peaks(&self, scene: &Scene) -> Option<Ratio> {
        let dwell = if self.dial.knows_draw() {
            self.steps.seen_dwell
        } else {
            self.steps.seen_dwell.max(self.room_dwell())
        };
        let least = match scene.load {
            Load::ComesAndGoes => SEEN_ROOM,
            Load::Flickers | Load::Steady => {
                SEEN_ROOM_STEADY + self.observer.noise(SEEN_ROOM_NOISE)
            }
        };
        let room = self.room_seen(scene, LONG, LONG_NOISE);
        let due = scene.hold != Hold::Loose && scene.dwelt >= dwell && room > least;
        due.then(|| scene.limit + Observer::power_per(room).min(STEP_UP_MAX))
    }

    /// No further than the peaks allow, too: a forecast from within a gap knows little of the next burst.
    fn up_by_forecast(&self, scene: &Scene) -> Option<Ratio> {
        let foreseen = self.observer.predict(scene.limit, ROOM_AHEAD);
        let seen = self.room_seen(scene, MINUTE, MINUTE_NOISE);
        let due = scene.is_held()
            && scene.dwelt >= self.dwell_with(seen)
            && foreseen < scene.set_point - ROOM
            && seen > ROOM_SEEN;
        let target = scene.set_point - OVERSHOOTS;
        let room = || self.observer.power_for(target, ROOM_AHEAD) - scene.limit;
        let most = Observer::power_per(seen).min(STEP_UP_MAX);
        due.then(|| scene.limit + room().min(most))
    }

    fn trim(&self, scene: &Scene) -> Option<Ratio> {
        let mut off = self.average - scene.set_point;
        if scene.load == Load::ComesAndGoes && off < CelsiusDelta::ZERO {
            // No further up than the peaks allow.
            let room = self.room_seen(scene, LONG, LONG_NOISE);
            off = off.max(-room).min(CelsiusDelta::ZERO);
        }
        let rests = scene.dwelt >= self.trim_dwell(off) && self.observer.is_steady();
        let least = TRIM.max(self.observer.noise(TRIM_NOISE));
        let due = scene.is_held() && rests && off.abs() > least;
        due.then(|| self.steps.trimmed(scene.limit, off))
    }

    /// Steps that had to be taken back make the next one wait. Far under the set point it needn't: a step
    /// fits by a wide margin.
    fn dwell_with(&self, room: CelsiusDelta) -> Duration {
        let near = (NEAR / room.max(NEAR)).value();
        let dwell = self.room_dwell().mul_f64(near * near);
        dwell.max(UP_DWELL.min(self.room_dwell()))
    }

    /// Where the draw isn't known, one step of the clock may move the card by more than the room that it
    /// was to fill, and back. The more often steps turn, the longer such a step waits.
    fn room_dwell(&self) -> Duration {
        if self.dial.knows_draw() {
            self.steps.up_dwell
        } else {
            self.steps.up_dwell * (1 + self.steps.turns)
        }
    }

    fn trim_dwell(&self, off: CelsiusDelta) -> Duration {
        let dwell = TRIM_DWELL * (1 + self.steps.turns);
        if self.dial.knows_draw() || off > CelsiusDelta::ZERO {
            dwell
        } else {
            dwell.max(self.steps.up_dwell)
        }
    }

    /// The time over which the estimate is averaged for a trim.
    pub(super) fn trim_time(&self) -> Duration {
        let noise = self.observer.noise(1.0) / TRIM_AVERAGES;
        TRIM_TIME.mul_f64(noise.clamp(Ratio::WHOLE, TRIM_TIME_MOST).value())
    }
}

#[cfg(test)]
mod tests;
