//! Runs of good and of bad readings of one sensor. One bad read is noise, and one good read after
//! many bad ones is no proof.

use std::time::Duration;

use crate::units::{Celsius, Moment};

/// A sensor counts as lost after this long without a good reading, and at least two bad ones. Two
/// reads a second apart may fail together; a card heats up by some degrees meanwhile.
const LOST_AFTER: Duration = Duration::from_secs(2);

/// It is trusted again after this long without a bad reading, and at least two good ones.
const TRUSTED_AFTER: Duration = Duration::from_secs(9);

/// The fewest reads, however slowly the guard polls.
const READS: u32 = 2;

/// An inherited doubt ends with a move of at least this much: a sensor that stands still may have
/// stood still before.
const MOVES: Celsius = Celsius::new(1.0);

/// How far a sensor is trusted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Clear,
    /// A single read was bad, which is normal: change nothing.
    Blink,
    Lost,
}

/// The present run of one sensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    bad: Option<Streak>,
    good: Option<Streak>,
    lost: bool,
    /// A doubt of a previous guard. A move away from this reading ends it.
    inherited: Inherited,
}

#[derive(Clone, Copy, Debug)]
struct Streak {
    since: Moment,
    /// Reads at their time: a reading after a wake-up doesn't count.
    reads: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Inherited {
    #[default]
    No,
    /// It must move first.
    Still(Option<Celsius>),
}

impl Run {
    pub(crate) const NEW: Self = Self {
        bad: None,
        good: None,
        lost: false,
        inherited: Inherited::No,
    };

    /// A previous guard doubted the sensor. `still`: the sensor must move before it is trusted.
    pub(crate) fn inherit(&mut self, still: bool) {
        self.lost = true;
        self.good = None;
        self.inherited = if still {
            Inherited::Still(None)
        } else {
            Inherited::No
        };
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    pub(crate) fn good(&mut self, now: Moment, in_turn: bool, value: Celsius) -> Trust {
        self.bad = None;
        if !self.lost {
            return Trust::Clear;
        }
        match &mut self.inherited {
            Inherited::Still(first @ None) => {
                *first = Some(value);
                return Trust::Lost;
            }
            Inherited::Still(Some(first)) => {
                let moved = value - *first >= MOVES || *first - value >= MOVES;
                if !moved {
                    return Trust::Lost;
                }
                self.inherited = Inherited::No;
            }
            Inherited::No => {}
        }
        self.lost = !Streak::lasts(&mut self.good, now, in_turn, TRUSTED_AFTER);
        if self.lost { Trust::Lost } else { Trust::Clear }
    }

    /// It isn't trusted from now on, by what it did over many reads.
    pub(crate) fn lose(&mut self) -> Trust {
        (self.good, self.lost) = (None, true);
        Trust::Lost
    }

    pub(crate) fn bad(&mut self, now: Moment, in_turn: bool) -> Trust {
        self.good = None;
        self.lost |= Streak::lasts(&mut self.bad, now, in_turn, LOST_AFTER);
        if self.lost { Trust::Lost } else { Trust::Blink }
    }
}

impl Streak {
    /// Continues a streak, or begins one. True: it has lasted long enough.
    fn lasts(streak: &mut Option<Self>, now: Moment, in_turn: bool, long: Duration) -> bool {
        let streak = streak.get_or_insert(Self {
            since: now,
            reads: 0,
        });
        streak.reads = streak.reads.saturating_add(u32::from(in_turn));
        streak.reads >= READS && now.since(streak.since) >= long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Moment {
        Moment::from_secs_f64(seconds)
    }

    const WARM: Celsius = Celsius::new(60.0);

    /// How many reads, `poll` seconds apart, until `lost` is as wanted.
    fn seconds_until(
        run: &mut Run,
        from: f64,
        poll: f64,
        read: impl Fn(&mut Run, Moment) -> Trust,
        to: Trust,
    ) -> f64 {
        let mut at_seconds = from;
        while read(run, at(at_seconds)) != to {
            at_seconds += poll;
            assert!(at_seconds < from + 1000.0, "never {to:?}");
        }
        at_seconds - from
    }

    #[test]
    fn one_bad_read_is_a_blink_at_every_pace() {
        for poll in [0.1, 1.0, 10.0] {
            let mut run = Run::default();
            assert_eq!(run.bad(at(1.0), true), Trust::Blink);
            assert_eq!(run.good(at(1.0 + poll), true, WARM), Trust::Clear);
        }
    }

    #[test]
    fn a_sensor_is_lost_after_two_seconds_and_never_fewer_than_two_reads() {
        for (poll, expected) in [(0.1, 2.0), (1.0, 2.0), (3.0, 3.0), (10.0, 10.0)] {
            let mut run = Run::default();
            let bad = |run: &mut Run, now| run.bad(now, true);
            let took = seconds_until(&mut run, 1.0, poll, bad, Trust::Lost);
            assert!((took - expected).abs() < 0.15, "{poll}: {took}");
        }
    }

    #[test]
    fn a_storm_of_wakes_is_no_sample() {
        let mut run = Run::default();
        for wake in 0..1000 {
            assert_eq!(run.bad(at(f64::from(wake) * 0.005), false), Trust::Blink);
        }
    }

    #[test]
    fn a_lost_one_is_trusted_after_nine_good_seconds() {
        for (poll, expected) in [(0.1, 9.0), (1.0, 9.0), (10.0, 10.0)] {
            let mut run = Run::default();
            run.inherit(false);
            let good = |run: &mut Run, now| run.good(now, true, WARM);
            let took = seconds_until(&mut run, 1.0, poll, good, Trust::Clear);
            assert!((took - expected).abs() < 0.15, "{poll}: {took}");
        }
    }

    #[test]
    fn one_that_stood_still_under_the_guard_before_must_move_first() {
        let mut run = Run::default();
        run.inherit(true);
        for second in 0..600 {
            assert_eq!(run.good(at(f64::from(second)), true, WARM), Trust::Lost);
        }
        let moved = Celsius::new(61.0);
        let good = |run: &mut Run, now| run.good(now, true, moved);
        let took = seconds_until(&mut run, 600.0, 1.0, good, Trust::Clear);
        assert!((took - 9.0).abs() < 0.1, "{took}");
    }
}
