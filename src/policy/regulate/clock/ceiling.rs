//! The ceiling of the SM clock as a dial. The card's draw at a ceiling isn't known, so it is read at the
//! present one, and foreseen for others by the [`Law`]. On a card whose draw can't be read, the clock
//! is the measure of heat.

use std::time::Duration;

use crate::device::ClockDomain::Gpu;
use crate::device::{ByClock, ClockRange, Facts};
use crate::policy::claim::Claim;
use crate::policy::regulate::dial::{Dial, DrawRead, Locks};
use crate::policy::regulate::drive::Drive;
use crate::policy::types::targets::Targets;
use crate::units::{Megahertz, Moment, Ratio};

use super::full_draw::FullDraw;
use super::law::{Law, Point};
use super::supported::{STEP, Supported};

/// The lowest ceiling of all, in shares of the highest clock: an emergency's.
const MINIMUM: Ratio = Ratio::new(0.5);

/// A ceiling holds a card back whose clock reaches this share of it. Cards round a lock by some steps.
const BINDS: Ratio = Ratio::new(0.97);

/// A clock follows a lock at once, a reading of the draw is an average over a second. The second
/// reading after a step shows its effect.
const SHOWS_AFTER: Duration = Duration::from_secs(2);

/// The time over which readings of the draw are averaged; and how far off two of them are if the load
/// is another.
const DRAW_TIME: Duration = Duration::from_secs(5);
const OTHER_LOAD: Ratio = Ratio::new(0.1);

/// The draw may be off the wanted one by this much, which is 0.4 °C, before a step down is worth it.
/// Up, it must fit. Between them a card stays whose steps are coarser than the set point.
const SLACK_DOWN: Ratio = Ratio::new(0.4 / 55.0);
const SLACK_UP: Ratio = Ratio::new(0.1 / 55.0);

/// A ceiling this near to the highest clock goes away in one step, in shares of that clock.
const NEAR: Ratio = Ratio::new(0.04);

/// The heat of a card whose draw can't be read: the clock, to this power.
const HEAT_OF_CLOCK: Ratio = Ratio::new(2.0);

/// A meter that shows less than this share of the full draw leaves room for any clock, so one step up adds
/// at most so much to the heat of the clock.
const TELLS_LITTLE: Ratio = Ratio::new(0.1);
const STEP_UP_HEAT: Ratio = Ratio::new(0.25);

/// The ceiling of one card.
#[derive(Clone, Debug)]
pub struct CeilingDial {
    supported: Supported,
    /// The lower end of the lock.
    lowest: Megahertz,
    floor: Megahertz,
    full: FullDraw,
    law: Law,
    /// The card's clock and draw now.
    here: Point,
    /// The ceiling as of the last reading.
    ceiling: Megahertz,
    binds: bool,
    /// Where the card was before the last step, and when that was; until its effect is read.
    step: Option<(Point, Moment)>,
    reads_draw: bool,
    /// The last reading was of another load.
    other_load: bool,
    read: Option<Moment>,
}

impl CeilingDial {
    /// `None`: the card's clock can't be locked. `floor`: the lowest ceiling while other knobs are left,
    /// as a share of the highest clock.
    pub fn new(facts: &Facts, floor: Ratio) -> Option<Self> {
        let supported = Supported::of(facts)?;
        let highest = supported.highest();
        Some(Self {
            lowest: facts.gpu_clock_min.unwrap_or(Megahertz::new(0)),
            floor: supported.floor(floor),
            full: FullDraw::new(facts.power.map(|power| power.default)),
            law: Law::default(),
            here: Point {
                clock: highest,
                draw: Ratio::WHOLE,
            },
            ceiling: highest,
            binds: false,
            step: None,
            reads_draw: false,
            other_load: false,
            read: None,
            supported,
        })
    }

    /// The lock with this ceiling.
    fn range(&self, max: Megahertz) -> ClockRange {
        let min = self.lowest.min(max);
        ClockRange { min, max }
    }

    /// Every draw so far is `factor` times as large a share.
    fn rescale(&mut self, factor: Ratio) {
        self.here.draw = self.here.draw * factor;
        if let Some((before, _)) = &mut self.step {
            before.draw = before.draw * factor;
        }
    }

    /// The last step has its effect.
    fn is_shown(&self, now: Moment) -> bool {
        self.step.is_none_or(|(_, at)| now.since(at) >= SHOWS_AFTER)
    }

    fn stepped(&mut self, now: Moment, ceiling: Megahertz) {
        let before = self.here;
        self.ceiling = ceiling;
        if self.binds || ceiling < before.clock {
            let draw = self.law.draw(before, ceiling);
            self.here = Point {
                clock: ceiling,
                draw,
            };
            self.binds = true;
            self.step = Some((before, now));
        }
    }

    /// Averages the draw, unless the load is another.
    fn follow(&mut self, now: Moment, read: Point) {
        let before = self.here.draw;
        let is_off = (read.draw - before).abs() > before * OTHER_LOAD;
        let other_load = std::mem::replace(&mut self.other_load, is_off);
        let draw = match self.read {
            _ if is_off && other_load => read.draw,
            Some(_) if is_off => before,
            Some(at) => {
                let newest = Ratio::of(now.since(at), DRAW_TIME).min(Ratio::WHOLE);
                before + (read.draw - before) * newest
            }
            None => read.draw,
        };
        self.here = Point { draw, ..read };
    }

    /// How far one step up from there may lead.
    fn highest_step(&self, from: Megahertz) -> Megahertz {
        let highest = self.supported.highest();
        if self.here.draw >= TELLS_LITTLE {
            return highest;
        }
        let heat = from.share_of(highest).pow(HEAT_OF_CLOCK) + STEP_UP_HEAT;
        let share = heat.pow(Ratio::WHOLE.share_of(HEAT_OF_CLOCK));
        self.supported.at_or_below(highest.scaled(share))
    }

    fn clock_for(&self, share: Ratio) -> Megahertz {
        let clock = self.law.clock(self.here, share);
        self.supported.at_or_below(clock)
    }
}

impl Dial for CeilingDial {
    type Setting = Megahertz;

    const IS_EXACT: bool = false;

    fn read(&mut self, now: Moment, drive: &Drive, own: Option<Megahertz>) -> DrawRead {
        let ceiling = self.on_card(drive, own);
        let clock = drive.clock.unwrap_or(ceiling);
        self.reads_draw = drive.measured.is_some();
        let of_clock = clock.share_of(self.supported.highest());
        let (share, factor) = drive
            .measured
            .map_or((of_clock.pow(HEAT_OF_CLOCK), None), |draw| {
                self.full.share(draw)
            });
        if let Some(factor) = factor {
            self.rescale(factor);
        }
        let here = Point { clock, draw: share };
        if self.read.is_none() {
            self.ceiling = ceiling;
            self.here = here;
        } else if ceiling != self.ceiling {
            self.stepped(now, ceiling);
        }
        if self.is_shown(now) {
            if let Some((before, _)) = self.step.take() {
                if self.reads_draw && drive.clock.is_some() {
                    self.law.learn(before, here);
                }
                self.here = here;
            }
            self.binds = clock >= ceiling.scaled(BINDS);
            if self.binds {
                self.follow(now, here);
            } else {
                self.here = here;
            }
        }
        self.read = Some(now);
        DrawRead {
            share: Some(share),
            factor,
        }
    }

    fn replace(&mut self, new: &Self) {
        self.supported = new.supported.clone();
        self.lowest = new.lowest;
        self.floor = new.floor;
        if !new.full.is_learned() || !self.full.is_learned() {
            self.full = new.full.clone();
        }
    }

    fn floor(&self) -> Megahertz {
        self.floor
    }

    fn minimum(&self) -> Megahertz {
        self.supported.lowest(MINIMUM).min(self.floor)
    }

    fn original(&self, _drive: &Drive) -> Megahertz {
        self.supported.highest()
    }

    fn on_card(&self, drive: &Drive, own: Option<Megahertz>) -> Megahertz {
        let highest = self.supported.highest();
        drive.ceiling.or(own).unwrap_or(highest).min(highest)
    }

    fn share(&self, ceiling: Megahertz) -> Ratio {
        if self.binds || ceiling < self.here.clock {
            self.law.draw(self.here, ceiling)
        } else {
            self.here.draw
        }
    }

    fn setting(&self, from: Megahertz, share: Ratio) -> Megahertz {
        if share < self.share(from) {
            self.clock_for(share + SLACK_DOWN).min(from)
        } else {
            let wanted = self.clock_for(share + SLACK_UP);
            wanted.min(self.highest_step(from)).max(from)
        }
    }

    fn knows_draw(&self) -> bool {
        self.reads_draw
    }

    fn has_step(&self, from: Megahertz, share: Ratio) -> bool {
        self.setting(from, share) != from
    }

    fn binds(&self, _on_card: Megahertz, _draw: Ratio) -> bool {
        self.binds
    }

    fn is_floored(&self, ceiling: Megahertz) -> bool {
        ceiling <= self.floor
    }

    fn is_under_floor(&self, ceiling: Megahertz) -> bool {
        self.floor.saturating_sub(ceiling) > Megahertz::new(STEP)
    }

    fn halfway(&self, ceiling: Megahertz, original: Megahertz) -> Option<Megahertz> {
        let gap = original.saturating_sub(ceiling);
        let halfway = Megahertz::new(ceiling.megahertz() + gap.megahertz() / 2);
        let halfway = self.supported.at_or_below(halfway).max(ceiling);
        (gap > original.scaled(NEAR) && halfway > ceiling).then_some(halfway)
    }

    fn targets(&self, ceiling: Option<Megahertz>, rung: Targets) -> Targets {
        let lock = ceiling.map(|ceiling| self.range(ceiling));
        Targets {
            locks: rung.locks.with(Gpu, lock),
            ..rung
        }
    }

    fn wanted(&self, targets: &Targets) -> Option<Megahertz> {
        targets.locks[Gpu].map(|range| range.max)
    }

    fn left(&self, claim: &Claim, locks: &Locks) -> Option<Megahertz> {
        let left = locks[Gpu].map_or(self.minimum(), |range| range.max);
        claim.locks[Gpu].then_some(left)
    }

    fn has_other_lock(&self, locks: &ByClock<bool>) -> bool {
        let mut others = locks.iter().filter(|(domain, _)| *domain != Gpu);
        others.any(|(_, held)| *held)
    }
}

#[cfg(test)]
mod tests;
