//! Follows a history and judges it by the card's truth: its temperatures, its slowdown, and the
//! settings that are really on it.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use thermal_guard::device::ClockRange;
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::Live;
use thermal_guard::policy::{PolicyName, Settings, State};
use thermal_guard::sim::card::{Card, Conditions};
use thermal_guard::sim::faults::{Call, CardFaults, Setter};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Moment, Ratio, Watts};

use super::faults::{Fault, Knob, Lie, Touched, Which};
use super::story::{Happening, Story};
use crate::common::virtual_node::{COOL, Node, room};

/// Past a trip by this much, a healthy sensor says so on every reading: noise 0.4 °C, and rounding.
const SURELY: f64 = 1.0;

/// From the first sign to a setting that holds: the longer of this and three polls.
const ACTS_WITHIN: f64 = 10.0;
const ACTS_WITHIN_POLLS: f64 = 3.0;

/// A draw that shows what a silent or frozen sensor doesn't: such a share of what the plant draws at full
/// load, for 10 s before it is a sign; what follows may take 40 s. A smaller move is none: readings of
/// healthy cards stand still over it, as docs/limitations.md says.
const DRAW_MOVED: f64 = 0.2;
const DRAW_MOVED_FOR: f64 = 10.0;
const ACTS_ON_DRAW_WITHIN: f64 = 40.0;

/// Over alert by more than this, and for longer, a hold that doesn't go on to the end has failed.
const STUCK_OVER: f64 = 1.5;
const STUCK_FOR: f64 = 75.0;
const STUCK_FOR_POLLS: f64 = 7.0;

/// After all is mended and cool.
const GIVEN_BACK_WITHIN: f64 = 30.0 + 300.0;

/// The values on the card.
#[derive(Clone, Copy, Debug, PartialEq)]
struct OnCard {
    limit: Watts,
    lock: Option<ClockRange>,
}

impl OnCard {
    fn of(card: &Card) -> Self {
        Self {
            limit: card.limit,
            lock: card.gpu_clock,
        }
    }

    fn is_lower_than(&self, other: &Self) -> bool {
        let lock = |it: &Self| it.lock.map_or(u32::MAX, |lock| lock.max.megahertz());
        self.limit < other.limit || lock(self) < lock(other)
    }

    fn is_higher_than(&self, other: &Self) -> bool {
        other.is_lower_than(self)
    }
}

/// Since when there is a sign of heat, and the values on the card then.
#[derive(Clone, Copy, Debug)]
struct Sign {
    since: Moment,
    within: f64,
}

struct Follower<'a> {
    story: &'a Story,
    node: Node,
    poll: Duration,
    touched: Vec<Touched>,
    /// The draw when the last thermal sensor stopped following.
    silent_from: Option<f64>,
    /// The core reads cooler than it is, and follows: the guard believes it in place of a lost margin.
    reads_cool: bool,
    /// Since when it has been well over that.
    draw_over: Option<Moment>,
    /// The highest limit that anybody but us has set.
    original: Watts,
    sign: Option<Sign>,
    hot_since: Option<(Moment, OnCard)>,
    working: BTreeSet<&'static str>,
    paused: bool,
}

pub(crate) fn follow(story: &Story) -> Result<(), TestCaseError> {
    let mut follower = Follower::new(story);
    for (what, seconds) in &story.happenings {
        follower.happen(what);
        let mut wakes = match what {
            Happening::Wakes(wakes) => *wakes,
            _ => 0,
        };
        let end = follower.node.now() + Duration::from_secs(*seconds);
        while follower.node.now() < end {
            if wakes > 0 {
                wakes -= 1;
                follower.step(Duration::from_millis(5))?;
            } else {
                let poll = follower.poll;
                follower.step(poll)?;
            }
        }
    }
    follower.mended_and_cool()
}

impl<'a> Follower<'a> {
    fn new(story: &'a Story) -> Self {
        let profile = story.profile;
        let node = Node::new(&[profile], &Settings::default());
        let poll = Duration::from_millis(story.poll_millis);
        let (min, max) = (profile.min_limit, profile.max_limit);
        let share = min.as_f64() + (max.as_f64() - min.as_f64()) * story.start;
        let original = Watts::from_f64(share.round());
        node.rack.card(0).limit = original;
        let mut follower = Self {
            story,
            node,
            poll,
            touched: Vec::new(),
            silent_from: None,
            reads_cool: false,
            draw_over: None,
            original,
            sign: None,
            hot_since: None,
            working: BTreeSet::new(),
            paused: false,
        };
        follower.reload(&Settings::default());
        follower
    }

    fn reload(&mut self, settings: &Settings) {
        self.node.shared.reload(Live {
            settings: settings.clone(),
            poll_interval: self.poll,
            ..Live::default()
        });
    }

    fn happen(&mut self, what: &Happening) {
        match what {
            Happening::World {
                power,
                inlet,
                airflow,
            } => {
                let load = Load {
                    power: *power,
                    compute_bound: 1.0,
                };
                let inlet = Celsius::new(*inlet);
                let conditions = Conditions {
                    load,
                    airflow_resistance: *airflow,
                    ..room(inlet)
                };
                self.node.set(0, conditions);
            }
            Happening::Fault(fault) => self.put(fault),
            Happening::Mend => self.mend(),
            Happening::Alert { level, ttl } => {
                self.node.fire(0, 7, *level, Duration::from_secs(*ttl));
            }
            Happening::Kill => {
                self.node.restart(0);
                self.forget_silence();
            }
            Happening::Stop(seconds) => {
                let before = OnCard::of(&self.node.rack.card(0));
                let hot = self.surely_hot();
                self.node.leave(0);
                let after = OnCard::of(&self.node.rack.card(0));
                assert!(
                    !(hot && after.is_higher_than(&before)),
                    "raised on the way out while hot: {before:?} -> {after:?}"
                );
                self.node.pass(Duration::from_secs(*seconds));
                self.node.restart(0);
                self.forget_silence();
                self.sign = None;
                self.hot_since = None;
            }
            Happening::Reload { floor, ladder } => {
                let settings = Settings {
                    gradual_floor: Ratio::new(*floor),
                    regulator: if *ladder {
                        PolicyName::Ladder
                    } else {
                        PolicyName::Governor
                    },
                    ..Settings::default()
                };
                self.reload(&settings);
            }
            Happening::Wakes(_) => {}
            Happening::ForeignLimit(share) => {
                let profile = self.story.profile;
                let (min, max) = (profile.min_limit.as_f64(), profile.max_limit.as_f64());
                let limit = Watts::from_f64((min + (max - min) * share).round());
                self.node.rack.card(0).limit = limit;
                self.original = self.original.max(limit);
                self.sign = None;
                self.hot_since = None;
            }
            Happening::ForeignUnlock => {
                self.node.rack.card(0).gpu_clock = None;
                self.sign = None;
                self.hot_since = None;
            }
        }
    }

    fn put(&mut self, fault: &Fault) {
        let mut card = self.node.rack.card(0);
        fault.put(&mut card);
        let draw = card.draw().as_f64();
        drop(card);
        if let Some(touched) = fault.touches() {
            self.touched.push(touched);
            let profile = self.story.profile;
            let thermal = match touched {
                Touched::Sensor(Which::Core) => {
                    !profile.has_margin || self.is_touched(Touched::Sensor(Which::Margin))
                }
                Touched::Sensor(Which::Memory) => profile.hbm.is_some(),
                Touched::Sensor(Which::Margin) => profile.has_margin,
                Touched::Sensor(Which::Draw) | Touched::Events => false,
            };
            let silent = match fault {
                Fault::Sensor(_, sensor) => sensor.freeze != 0,
                Fault::Call(_, _, times) => *times == 0,
                _ => false,
            };
            // A sensor that follows again, by an offset, shows nothing that anybody could see.
            let follows = matches!(fault, Fault::Sensor(_, sensor) if sensor.freeze == 0);
            if let (Touched::Sensor(Which::Core), Fault::Sensor(_, sensor)) = (touched, fault) {
                self.reads_cool = sensor.offset < 0.0;
            }
            // As long as another one followed, nothing needed a sign.
            if thermal && silent {
                self.forget_silence();
                self.silent_from = Some(draw);
            } else if thermal && follows {
                self.forget_silence();
            }
        }
        self.sign = None;
        self.hot_since = None;
    }

    fn mend(&mut self) {
        self.node.rack.card(0).faults = CardFaults::NONE;
        self.touched.clear();
        self.reads_cool = false;
        self.forget_silence();
        self.sign = None;
        self.hot_since = None;
    }

    /// A new guard hasn't seen the draw at which a sensor stopped.
    fn forget_silence(&mut self) {
        self.silent_from = None;
        self.draw_over = None;
    }

    fn is_touched(&self, touched: Touched) -> bool {
        self.touched.contains(&touched)
    }

    /// Of each thermal sensor that the card has: whether a fault touches it, and how far it truly is
    /// past its alert.
    fn truths(&self) -> Vec<(Which, bool, f64)> {
        let card = self.node.rack.card(0);
        let profile = card.profile;
        let core = alert_of_core(profile);
        // If the card has a margin, the margin counts, and the core has no number.
        let mut truths = Vec::new();
        if !profile.has_margin {
            truths.push((Which::Core, card.state.die - core));
        }
        let covered = profile.has_margin && profile.hbm.is_some_and(|hbm| !hbm.has_threshold);
        if let Some(memory) = card.state.memory(profile).filter(|_| !covered) {
            truths.push((Which::Memory, memory.degrees() - alert_of_memory(profile)));
        }
        if profile.has_margin {
            truths.push((Which::Margin, 7.0 - card.margin().degrees()));
        }
        drop(card);
        let with = |(which, over)| (which, self.is_touched(Touched::Sensor(which)), over);
        truths.into_iter().map(with).collect()
    }

    fn over_alert(&self) -> f64 {
        let truths = self.truths();
        truths.iter().map(|it| it.2).fold(f64::MIN, f64::max)
    }

    /// A sensor that nothing is wrong with says that it is at alert.
    fn surely_hot(&self) -> bool {
        let truths = self.truths();
        truths
            .iter()
            .any(|(_, touched, over)| !touched && *over >= SURELY)
    }

    fn slows_itself(&self) -> bool {
        let card = self.node.rack.card(0);
        let hardware = card.state.die >= card.profile.slowdown.degrees();
        drop(card);
        hardware && !self.is_touched(Touched::Events)
    }

    /// The knobs that would hold the card lower, of which not all is taken yet.
    fn working(&self) -> BTreeSet<&'static str> {
        let card = self.node.rack.card(0);
        let profile = card.profile;
        let answers = |call: Call| {
            let faults = &card.faults;
            let entry = faults.answers.iter().find(|it| it.call == call.number());
            entry.is_some_and(|entry| entry.answer.left > 0)
        };
        let mut working = BTreeSet::new();
        let limit = &card.faults.power_limit;
        if honest(limit) && !answers(Call::SetPowerLimit) {
            let lowest = profile.min_limit.milliwatts().max(limit.low);
            let lowest = lowest.max(refused_below(limit));
            // What rounds ends a little earlier; what refuses, halfway to the value it was tried from.
            let range = profile.max_limit.milliwatts() - profile.min_limit.milliwatts();
            let refuses = if refused_below(limit) > 0 {
                range / 2
            } else {
                0
            };
            let near = Watts::from_milliwatts(lowest + 6_000 + limit.step + refuses);
            if card.limit > near {
                working.insert("limit");
            }
        }
        let lock = &card.faults.gpu_clock;
        if honest(lock) && refused_below(lock) == 0 && !answers(Call::LockGpuClock) {
            let high = profile.gpu_clock_max.megahertz();
            let lowest = (high / 2).max(lock.low).max(refused_below(lock)) + 130;
            let clock = card.gpu_clock.map_or(high, |lock| lock.max.megahertz());
            // Where something else slows it as much, no lock shows.
            let runs = card.clock().megahertz() > high / 2 + 60;
            if clock > lowest && runs {
                working.insert("lock");
            }
        }
        working
    }

    fn step(&mut self, period: Duration) -> Result<(), TestCaseError> {
        self.node.pass(period);
        let before = OnCard::of(&self.node.rack.card(0));
        let hot = self.surely_hot();
        let tick = self.node.tick().remove(0);
        let after = OnCard::of(&self.node.rack.card(0));
        self.paused = tick.paused_until.is_some();
        self.trace(&tick);
        self.never_raised(&tick, before, after, hot)?;
        self.note_draw();
        self.note_sign(after);
        self.acted(&tick, after)?;
        self.goes_on(&tick, after)
    }

    fn trace(&self, tick: &Tick) {
        if std::env::var_os(super::TRACE).is_none() {
            return;
        }
        let knobs: Vec<_> = tick.decision.knobs.iter().map(|it| it.1.state).collect();
        let draw = self.node.rack.card(0).draw().as_f64();
        eprintln!(
            "{:?} {:?} {:.1} over alert, {draw:.0} W, reads {:?} and {:?}, doubt {:?}, {:?}, wants {:?}, claims {:?}, knobs {knobs:?}, sign {:?}",
            self.node.now(),
            tick.decision.state,
            self.over_alert(),
            tick.reading.core,
            tick.reading.draw,
            tick.decision.doubt,
            OnCard::of(&self.node.rack.card(0)),
            tick.decision.targets,
            tick.claim,
            self.sign,
        );
    }

    fn never_raised(
        &self,
        tick: &Tick,
        before: OnCard,
        after: OnCard,
        hot: bool,
    ) -> Result<(), TestCaseError> {
        // A card that stores more than it was asked for raises itself.
        let faults = self.node.rack.card(0).faults;
        // Nor does one that did so before, and goes back to it.
        let low = |(what, _): &(Happening, u64)| {
            matches!(
                what,
                Happening::Fault(Fault::Setter(Knob::Limit, Lie::ClampLow(_)))
            )
        };
        let clamps_up = faults.power_limit.low > 0 || self.story.happenings.iter().any(low);
        // Nor is it the guard that raises a lock that the card stored lower than asked, and stores
        // as asked when it has to be set again.
        let rounded = |(what, _): &(Happening, u64)| {
            matches!(
                what,
                Happening::Fault(Fault::Setter(Knob::Clock, lie))
                    if !matches!(lie, Lie::Ignore | Lie::Refuse(_) | Lie::Forget(_))
            )
        };
        let same_limit = after.limit == before.limit;
        let clamps = clamps_up
            || faults.gpu_clock.low > 0
            || (same_limit && self.story.happenings.iter().any(rounded));
        let raised = after.is_higher_than(&before) && !after.is_lower_than(&before);
        let raised = raised && !clamps;
        let state = tick.decision.state;
        prop_assert!(
            !(raised && hot),
            "raised while hot: {before:?} -> {after:?}, {state:?}"
        );
        prop_assert!(
            !(raised && state == State::Blind),
            "raised while blind: {before:?} -> {after:?}"
        );
        prop_assert!(
            clamps_up || after.limit <= self.original.max(before.limit),
            "over the original {}: {after:?}",
            self.original
        );
        Ok(())
    }

    fn note_draw(&mut self) {
        let now = self.node.now();
        let draw = self.node.rack.card(0).draw().as_f64();
        let moved = DRAW_MOVED * self.story.profile.default_limit.as_f64();
        let over = self.silent_from.is_some_and(|level| draw > level + moved);
        self.draw_over = if over {
            self.draw_over.or(Some(now))
        } else {
            None
        };
    }

    fn note_sign(&mut self, on_card: OnCard) {
        let now = self.node.now();
        let working = self.working();
        if !working.is_subset(&self.working) {
            // One more works from now on.
            self.sign = None;
            self.hot_since = None;
        }
        self.working = working;
        let over = self.over_alert() > 0.0;
        let draw = !self.is_touched(Touched::Sensor(Which::Draw))
            && !self.reads_cool
            && self
                .draw_over
                .is_some_and(|since| now.since(since).as_secs_f64() >= DRAW_MOVED_FOR);
        let within = if self.surely_hot() || self.slows_itself() {
            Some(ACTS_WITHIN)
        } else if draw {
            Some(ACTS_ON_DRAW_WITHIN)
        } else {
            None
        };
        self.sign = match (within.filter(|_| over), self.sign) {
            (Some(within), Some(sign)) => Some(Sign {
                within: sign.within.min(within.max(sign.within)),
                ..sign
            }),
            (Some(within), None) => Some(Sign { since: now, within }),
            (None, _) => None,
        };
        let stuck = self.surely_hot() && self.over_alert() > STUCK_OVER;
        self.hot_since = match self.hot_since {
            Some((since, best)) if stuck => Some(if on_card.is_lower_than(&best) {
                (now, on_card)
            } else {
                (since, best)
            }),
            None if stuck => Some((now, on_card)),
            _ => None,
        };
    }

    /// Within its time, something that works holds the card, and the state says so.
    fn acted(&self, tick: &Tick, on_card: OnCard) -> Result<(), TestCaseError> {
        let Some(sign) = self.sign.filter(|_| !self.paused) else {
            return Ok(());
        };
        let polls = self.poll.as_secs_f64() * ACTS_WITHIN_POLLS;
        let within = sign.within.max(polls) + self.poll.as_secs_f64() * 0.5;
        let age = self.node.now().since(sign.since).as_secs_f64();
        if age <= within || self.working.is_empty() {
            return Ok(());
        }
        let state = tick.decision.state;
        let free = OnCard {
            limit: self.original,
            lock: None,
        };
        // Blind, it is held at the safe cap at the most, which its own limit may have been under.
        let floor = self.story.profile.default_limit.scaled(Ratio::new(0.8));
        let capped = state == State::Blind && on_card.limit <= floor;
        let held = on_card.is_lower_than(&free) || capped;
        let why = format!(
            "{state:?}, {age:.1} s after a sign, {:.1} °C over alert, {on_card:?}, works: {:?}, knobs {:?}, sensors {:?}, doubt {:?}",
            self.over_alert(),
            self.working,
            tick.decision.knobs,
            tick.decision.sensors,
            tick.decision.doubt,
        );
        prop_assert!(held, "nothing on the card: {why}");
        let says = matches!(state, State::Gradual | State::Emergency | State::Blind);
        prop_assert!(says, "the state hides it: {why}");
        Ok(())
    }

    /// Over alert, it is held lower and lower until all that works is taken.
    fn goes_on(&self, tick: &Tick, on_card: OnCard) -> Result<(), TestCaseError> {
        let Some((since, _)) = self.hot_since.filter(|_| !self.paused) else {
            return Ok(());
        };
        let age = self.node.now().since(since).as_secs_f64();
        let longest = STUCK_FOR.max(self.poll.as_secs_f64() * STUCK_FOR_POLLS);
        prop_assert!(
            age <= longest || self.working.is_empty(),
            "{:?}: {:.1} °C over alert, and nothing lower for {age:.0} s: {on_card:?}, works: {:?}, targets {:?}, knobs {:?}",
            tick.decision.state,
            self.over_alert(),
            self.working,
            tick.decision.targets,
            tick.decision.knobs,
        );
        Ok(())
    }

    fn mended_and_cool(mut self) -> Result<(), TestCaseError> {
        self.mend();
        let profile = self.story.profile;
        let foreign = self
            .story
            .happenings
            .iter()
            .any(|(what, _)| matches!(what, Happening::ForeignLimit(_)));
        let idle = Conditions {
            load: Load::IDLE,
            ..room(COOL)
        };
        self.node.set(0, idle);
        // The longest lease, and until it is cool.
        self.run(300.0 + 200.0)?;
        let tick = self.run(GIVEN_BACK_WITHIN)?;
        let on_card = OnCard::of(&self.node.rack.card(0));
        let state = tick.decision.state;
        let journal = self.node.journal(0);
        let names_it = journal.is_some() && state != State::Normal;
        // A driver that rounds can't have it more exactly.
        let rounds = self.story.happenings.iter().any(|(what, _)| {
            matches!(
                what,
                Happening::Fault(Fault::Setter(Knob::Limit, Lie::Quantise(..)))
            )
        });
        let short = self.original.saturating_sub(on_card.limit);
        let same = on_card.limit == self.original
            || (on_card.limit < self.original && short <= Watts::from_watts(1))
            || (rounds && on_card.limit < self.original && short <= self.one_step_for_each_guard());
        // Nobody can see a lock that a card says it has reset: NVML doesn't read locks back.
        let unseen = self.story.happenings.iter().any(|(what, _)| {
            matches!(
                what,
                Happening::Fault(Fault::Setter(Knob::Clock, Lie::Ignore))
            )
        });
        // A card that forgets, later, shows a limit that a dead guard had set long before its end.
        let is =
            |wanted: fn(&Happening) -> bool| self.story.happenings.iter().any(|(it, _)| wanted(it));
        let forgets = is(|it| {
            matches!(
                it,
                Happening::Fault(Fault::Setter(Knob::Limit, Lie::Forget(_)))
            )
        });
        // Or later than an operator may have set the same: each write of ours puts off that a card
        // forgets, so what it goes back to may have been ours some times as long ago.
        let late = is(
            |it| matches!(it, Happening::Fault(Fault::Setter(Knob::Limit, Lie::Forget(after))) if *after > 20.0),
        );
        let nobodys =
            forgets && (late || is(|it| matches!(it, Happening::Kill | Happening::Stop(_))));
        let back = (unseen || on_card.lock.is_none()) && (foreign || nobodys || same);
        // Named values must be there, exempt or not; but for a lock that a card said it had set.
        let all_back = on_card.lock.is_none() && same && !unseen;
        let limit = on_card.limit;
        prop_assert!(
            (state == State::Normal && back && journal.is_none()) || (names_it && !all_back),
            "{state:?} with {limit} of {} and {:?} on the card of {}..{}; journal {journal:?}; {:?}; targets {:?}",
            self.original,
            on_card.lock,
            profile.min_limit,
            profile.max_limit,
            tick.decision.doubt,
            tick.decision.targets,
        );
        Ok(())
    }

    /// A guard takes the state that the one before it left for the original state.
    fn one_step_for_each_guard(&self) -> Watts {
        let ends =
            |(what, _): &&(Happening, u64)| matches!(what, Happening::Kill | Happening::Stop(_));
        let guards = 1 + self.story.happenings.iter().filter(ends).count();
        Watts::from_watts(5 * u32::try_from(guards).unwrap_or(1))
    }

    fn run(&mut self, seconds: f64) -> Result<Tick, TestCaseError> {
        let end = self.node.now() + Duration::from_secs_f64(seconds);
        let mut last = None;
        while last.is_none() || self.node.now() < end {
            self.node.pass(self.poll);
            last = self.node.tick().pop();
            if let Some(tick) = &last {
                self.trace(tick);
            }
        }
        last.ok_or_else(|| TestCaseError::fail("no tick"))
    }
}

fn alert_of_core(profile: &Profile) -> f64 {
    if profile.has_thresholds {
        profile.max_operating.degrees() - 7.0
    } else if profile.has_margin {
        // The margin counts there.
        profile.max_operating.degrees() - 7.0
    } else {
        78.0
    }
}

fn alert_of_memory(profile: &Profile) -> f64 {
    match profile.hbm {
        Some(hbm) if hbm.has_threshold || profile.has_margin => hbm.max.degrees() - 7.0,
        _ => 78.0,
    }
}

/// In the end it does what it was asked.
fn honest(setter: &Setter) -> bool {
    let refuses_all = setter.refuse != 0 && setter.refuse_from == 0 && setter.refuse_to == u32::MAX;
    !refuses_all && setter.ignore == 0 && setter.forget_seconds == 0.0
}

fn refused_below(setter: &Setter) -> u32 {
    if setter.refuse != 0 && setter.refuse_to != u32::MAX {
        setter.refuse_to
    } else {
        0
    }
}
