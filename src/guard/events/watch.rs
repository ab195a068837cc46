//! From one tick to the next: what happened to a GPU. The events say what the metrics count,
//! because both look at the same [`Tick`].

use std::collections::BTreeMap;
use std::time::Duration;

use crate::guard::tally::{Action, ActionResult, Tally};
use crate::guard::tick::Tick;
use crate::policy::lease::{Holder, Turn};
use crate::policy::{self, Decision, Doubt, Level, State, Targets, Trigger};
use crate::units::{Celsius, Moment};

use super::event::{LeaseTurn, Outcome, Seen, Throttle, What, Word, trouble};

/// What was last known of one GPU.
#[derive(Debug, Default)]
pub struct Watch {
    episode: Option<Episode>,
    /// Since when, and the detail, which may be empty.
    troubles: BTreeMap<Key, (Moment, Word)>,
    paused_until: Option<Moment>,
    tally: Tally,
}

/// What became of a trouble on a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is there, or not, as before.
    Same,
    /// It began, perhaps as another one.
    Began,
    Ended,
}

/// A trouble and, for writes, sensors and knobs, which: each of them fails on its own.
pub(super) type Key = (&'static str, &'static str);

/// From the begin of a throttle until everything is given back.
#[derive(Debug)]
struct Episode {
    since: Moment,
    recovering: Option<Moment>,
    /// Spent giving back in vain: heat came again.
    relapsed: Duration,
    hottest: Option<Celsius>,
}

impl Watch {
    /// Of a worker whose counters go on: what they have counted so far is no news.
    pub fn from(tally: Tally) -> Self {
        Self {
            tally,
            ..Self::default()
        }
    }

    /// What this tick tells that the one before didn't.
    pub fn see(&mut self, tick: &Tick) -> Vec<What> {
        let mut events = Vec::new();
        self.troubles(tick, &mut events);
        self.pause(tick, &mut events);
        self.throttle(tick, &mut events);
        self.xids(tick, &mut events);
        self.tally = tick.tally.clone();
        events
    }

    /// The guard let go of a GPU on which something of its own was.
    pub fn left(&mut self, capped: bool) -> What {
        if !capped {
            self.episode = None;
        }
        What::Left { capped }
    }

    fn throttle(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let (now, decision) = (tick.reading.at, &tick.decision);
        let seen = Seen::of(tick);
        let ongoing = self.episode.is_some();
        let held = ongoing
            && self
                .episode
                .as_ref()
                .is_some_and(|it| it.recovering.is_none());
        match decision.event {
            Some(policy::Event::Throttled(level, trigger)) => {
                let throttle = Throttle::of(level, Some(trigger), why(trigger, decision), seen);
                events.push(if held {
                    What::Escalated(throttle)
                } else {
                    What::Throttled(throttle)
                });
                self.begin(now);
            }
            Some(policy::Event::Blinded) => {
                let why = "no reading";
                let level = decision.level;
                events.push(What::Blinded(Throttle::of(
                    level,
                    decision.trigger,
                    why,
                    seen,
                )));
                self.begin(now);
            }
            Some(policy::Event::Eased) => events.push(What::Eased(seen)),
            Some(policy::Event::Recovering) => {
                events.push(What::Recovering(seen));
                if let Some(episode) = &mut self.episode {
                    episode.recovering = Some(now);
                }
            }
            Some(policy::Event::Recovered) => {
                let outcome = self.episode.take().map(|episode| episode.outcome(now));
                events.push(What::Recovered(outcome.unwrap_or_default()));
            }
            None if !ongoing && is_throttled(decision) && !tick.claim.is_empty() => {
                let throttle = Throttle::of(decision.level, None, "found so", seen);
                events.push(What::Throttled(throttle));
                self.begin(now);
            }
            None => {}
        }
        if let (Some(episode), Ok(core)) = (&mut self.episode, tick.reading.core) {
            episode.hottest = Some(episode.hottest.map_or(core, |hottest| hottest.max(core)));
        }
    }

    fn begin(&mut self, now: Moment) {
        let episode = self.episode.get_or_insert(Episode {
            since: now,
            recovering: None,
            relapsed: Duration::ZERO,
            hottest: None,
        });
        if let Some(recovering) = episode.recovering.take() {
            episode.relapsed += now.since(recovering);
        }
    }

    fn troubles(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let (now, decision) = (tick.reading.at, &tick.decision);
        let mut tell = |name, active: bool, detail: &'static str| {
            self.trouble(now, (name, ""), active.then_some(detail.into()), events);
        };
        tell(trouble::GPU_LOST, !tick.up, "");
        tell(trouble::INFEASIBLE, decision.infeasible, "");
        tell(trouble::CONTESTED, decision.contested, "");
        tell(trouble::OVERHELD, decision.overheld, "");
        // A card that is gone has no sensors to doubt.
        let doubt = decision.doubt.filter(|_| tick.up).map(Doubt::name);
        tell(trouble::DOUBT, doubt.is_some(), doubt.unwrap_or_default());
        self.faulty(tick, events);
        self.failing(tick, events);
    }

    /// Writes that fail, until one of the same kind is taken or there is nothing left to write.
    fn failing(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let now = tick.reading.at;
        let nothing_asked = tick.decision.targets == Targets::default();
        let idle = !is_throttled(&tick.decision) && nothing_asked && tick.claim.is_empty();
        let mut wrote = false;
        for (index, action) in Action::ALL.into_iter().enumerate() {
            let (before, counts) = (self.tally.actions[index], tick.tally.actions[index]);
            let more = |result: ActionResult| counts[result as usize] > before[result as usize];
            wrote |= more(ActionResult::Ok);
            let failed = ActionResult::ALL
                .into_iter()
                .filter(|result| !matches!(result, ActionResult::Ok | ActionResult::Observed))
                .find(|result| more(*result));
            match failed {
                Some(result) => {
                    let detail = format!("{}: {}", action.name(), result.name()).into();
                    self.trouble(now, (trouble::ACTION, action.name()), Some(detail), events);
                }
                None if more(ActionResult::Ok) || idle => {
                    self.trouble(now, (trouble::ACTION, action.name()), None, events);
                }
                None => {}
            }
        }
        if tick.tally.journal_failures > self.tally.journal_failures {
            self.trouble(now, (trouble::JOURNAL, ""), Some(Word::default()), events);
        } else if wrote || idle {
            self.trouble(now, (trouble::JOURNAL, ""), None, events);
        }
    }

    /// `current`: it is there, with its detail. Another detail is another trouble.
    pub(super) fn trouble(
        &mut self,
        now: Moment,
        key: Key,
        current: Option<Word>,
        events: &mut Vec<What>,
    ) -> Phase {
        let before = self.troubles.get(&key);
        if before.map(|(_, detail)| detail) == current.as_ref() {
            return Phase::Same;
        }
        let trouble = Word::from(key.0);
        let told = |detail: Word| Some(detail).filter(|detail| !detail.is_empty());
        if let Some((since, detail)) = self.troubles.remove(&key) {
            events.push(What::TroubleEnded {
                trouble: trouble.clone(),
                detail: told(detail),
                seconds: seconds(now.since(since)),
            });
        }
        if let Some(detail) = current {
            self.troubles.insert(key, (now, detail.clone()));
            let detail = told(detail);
            events.push(What::TroubleBegan { trouble, detail });
            return Phase::Began;
        }
        Phase::Ended
    }

    fn pause(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let before = std::mem::replace(&mut self.paused_until, tick.paused_until);
        match tick.paused_until {
            until if until == before => {}
            Some(until) => events.push(What::Paused {
                for_seconds: seconds(until.since(tick.at)),
            }),
            None => events.push(What::Resumed),
        }
    }

    fn xids(&self, tick: &Tick, events: &mut Vec<What>) {
        for (&xid, counted) in &*tick.tally.xids {
            let before = self.tally.xids.get(&xid).map_or(0, |before| before.count);
            if counted.count > before {
                let count = counted.count - before;
                events.push(What::Xid { xid, count });
            }
        }
    }
}

impl Episode {
    fn outcome(&self, now: Moment) -> Outcome {
        let recovering = self.recovering.unwrap_or(now);
        Outcome {
            seconds: seconds(now.since(self.since)),
            recovery_seconds: seconds(self.relapsed + now.since(recovering)),
            hottest_celsius: self.hottest.map(Celsius::degrees),
        }
    }
}

impl Seen {
    fn of(tick: &Tick) -> Self {
        let heat = tick.decision.heat;
        Self {
            temperature_celsius: tick.reading.core.ok().map(Celsius::degrees),
            memory_temperature_celsius: tick.reading.memory.ok().map(Celsius::degrees),
            margin_to_alert_celsius: heat.map(|heat| round(heat.to_alert.degrees())),
        }
    }
}

impl Throttle {
    fn of(level: Level, trigger: Option<Trigger>, why: &'static str, seen: Seen) -> Self {
        Self {
            level: level.name().into(),
            trigger: trigger.map(|trigger| trigger.name().into()),
            why: why.into(),
            seen,
        }
    }
}

impl LeaseTurn {
    pub fn of(holder: Holder, level: Level, turn: Turn) -> What {
        let (source, fingerprint) = match holder {
            Holder::Alert(fingerprint) => ("alert", Some(format!("{fingerprint:016x}"))),
            Holder::Manual => ("manual", None),
        };
        What::Lease(Self {
            turn: turn.name().into(),
            source: source.into(),
            fingerprint,
            level: level.name().into(),
        })
    }
}

/// Held, or being given back.
const fn is_throttled(decision: &Decision) -> bool {
    !matches!(decision.state, State::Normal | State::Unguarded)
}

fn why(trigger: Trigger, decision: &Decision) -> &'static str {
    match (trigger, decision.heat) {
        (Trigger::Alert | Trigger::Manual, _) => "lease",
        (_, Some(heat)) if heat.is_critical() => "critical",
        (_, Some(heat)) if heat.is_hot() => "alert",
        (_, Some(_)) => "set point",
        (_, None) => "no reading",
    }
}

fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
