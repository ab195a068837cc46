//! How much full fans cool a card, as it showed when the guard took them, and whether the card would
//! come back to its set point without them.
//!
//! A card under safe that full fans keep there isn't released: its own curve would let it get hot
//! again, and the fans and its applications would go up and down for hours.

use std::time::Duration;

use crate::policy::regulate::regulator::Regulator;
use crate::units::{CelsiusDelta, Moment, Ratio};

/// The set point, over alert.
const SET_POINT: CelsiusDelta = CelsiusDelta::new(-1.0);

/// By then the heat sink is steady.
const REST_AHEAD: Duration = Duration::from_secs(180);

/// Loads come and go within this: their average counts.
const LOAD_TIME: Duration = Duration::from_secs(60);

/// While the fans speed up, the card gets as hot as it would have been without them.
const SPEED_UP: Duration = Duration::from_secs(20);

/// So long after the fans were taken, the card shows their effect: three times the heat sink's time.
const SHOWS: Duration = Duration::from_secs(180);

/// Without the fans, the card must stay this far under the set point. The estimate is off by about a
/// degree; where the fans were given back too early, the next time needs twice as much, up to the most.
const ROOM: CelsiusDelta = CelsiusDelta::new(1.5);
const ROOM_MOST: CelsiusDelta = CelsiusDelta::new(6.0);

/// Fans that are needed again within this, at the same load, were given back too early.
const REGRET: Duration = Duration::from_secs(900);
const SAME_LOAD: Ratio = Ratio::new(1.1);

/// Under this share of the load, the card isn't the one whose fans were taken.
const OTHER_LOAD: Ratio = Ratio::new(0.5);

/// What is known of the fans of one card.
#[derive(Clone, Debug)]
pub(super) struct FanGain {
    /// The draw, averaged, as a share of the full draw.
    draw: Ratio,
    seen: Option<Moment>,
    taken: Option<Taken>,
    returned: Option<Returned>,
    room: CelsiusDelta,
}

/// The fans are at full speed since then.
#[derive(Clone, Copy, Debug)]
struct Taken {
    at: Moment,
    /// Where the card would have rested with its own curve, over alert, and its draw.
    rest: CelsiusDelta,
    draw: Ratio,
    /// How much cooler it rests at that draw. `None`: not known yet.
    gain: Option<CelsiusDelta>,
}

#[derive(Clone, Copy, Debug)]
struct Returned {
    at: Moment,
    draw: Ratio,
}

impl Default for FanGain {
    fn default() -> Self {
        Self {
            draw: Ratio::ZERO,
            seen: None,
            taken: None,
            returned: None,
            room: ROOM,
        }
    }
}

/// Who has the fans on this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FansAre {
    /// The guard wants none of them.
    Free,
    /// The guard is about to take them.
    Wanted,
    /// The guard has set them.
    Ours,
}

impl FanGain {
    /// Call this on every tick with a temperature. A guard that follows another one finds the fans
    /// taken: it learns their effect the next time.
    pub(super) fn note(&mut self, now: Moment, regulator: &Regulator, fans: FansAre) {
        let Some(draw) = regulator.draw() else {
            return;
        };
        let step = self.seen.replace(now).map(|seen| now.since(seen));
        let newest = step.map_or(Ratio::WHOLE, |step| Ratio::of(step, LOAD_TIME));
        self.draw = self.draw + (draw - self.draw) * newest.min(Ratio::WHOLE);
        match fans {
            FansAre::Free => self.give_back(now),
            FansAre::Wanted if self.taken.is_none() => self.take(now, regulator),
            FansAre::Wanted | FansAre::Ours => self.learn(now, regulator),
        }
    }

    /// Without full fans, the card would come back to its set point.
    pub(super) fn is_needed(&self, regulator: &Regulator) -> bool {
        let Some(taken) = self.taken else {
            return false;
        };
        let Some(gain) = taken.gain else {
            return self.draw >= taken.draw * OTHER_LOAD;
        };
        let gain = gain * self.draw.share_of(taken.draw);
        let rests = rest(regulator, self.draw);
        rests.is_some_and(|rests| rests + gain >= SET_POINT - self.room)
    }

    fn take(&mut self, now: Moment, regulator: &Regulator) {
        let Some(rest) = rest(regulator, self.draw) else {
            return;
        };
        let regrets = self.returned.take().is_some_and(|returned| {
            now.since(returned.at) < REGRET && self.draw <= returned.draw * SAME_LOAD
        });
        let twice = self.room * Ratio::new(2.0);
        self.room = match regrets {
            true if twice < ROOM_MOST => twice,
            true => ROOM_MOST,
            false => ROOM,
        };
        self.taken = Some(Taken {
            at: now,
            rest,
            draw: self.draw,
            gain: None,
        });
    }

    fn learn(&mut self, now: Moment, regulator: &Regulator) {
        let Some(taken) = self.taken.as_mut().filter(|taken| taken.gain.is_none()) else {
            return;
        };
        let since = now.since(taken.at);
        if since < SPEED_UP {
            let rest = rest(regulator, self.draw).filter(|rest| *rest > taken.rest);
            if let Some(rest) = rest {
                (taken.rest, taken.draw) = (rest, self.draw);
            }
        } else if since >= SHOWS {
            let cooler = rest(regulator, taken.draw).map(|rest| taken.rest - rest);
            taken.gain = cooler.map(|gain| gain.max(CelsiusDelta::ZERO));
        }
    }

    fn give_back(&mut self, now: Moment) {
        if self.taken.take().is_some() {
            self.returned = Some(Returned {
                at: now,
                draw: self.draw,
            });
        }
    }
}

/// Where the card rests at this draw, over alert, with the fans as they are.
fn rest(regulator: &Regulator, draw: Ratio) -> Option<CelsiusDelta> {
    regulator.forecast_at(draw, REST_AHEAD)
}
