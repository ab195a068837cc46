//! What has changed from one tick to the next.

use std::collections::BTreeMap;

use crate::events::{Trouble, What};
use crate::guard::outcomes::{Action, ActionResult};
use crate::guard::tick::Tick;
use crate::policy::Targets;
use crate::units::Moment;

use super::event::seconds;
use super::fault::{Detail, Fault, Phase};
use super::firmware::own_slowdown;
use super::throttle::{Episodes, is_throttled};

/// The state of one GPU that the next events depend on.
#[derive(Debug, Default)]
pub struct Watch {
    episodes: Episodes,
    /// Each fault, since when, and its detail.
    troubles: BTreeMap<Fault, (Moment, Detail)>,
    paused_until: Option<Moment>,
}

impl Watch {
    /// The events of this tick.
    pub fn see(&mut self, tick: &Tick) -> Vec<What> {
        let mut events = Vec::new();
        self.troubles(tick, &mut events);
        self.pause(tick, &mut events);
        self.episodes.see(tick, &mut events);
        events.extend(own_slowdown(tick));
        xids(tick, &mut events);
        events
    }

    /// The events while the guard is detached from the GPU: only of its last writes.
    pub fn see_detached(&mut self, tick: &Tick) -> Vec<What> {
        let mut events = Vec::new();
        self.failing(tick, &mut events);
        events
    }

    /// A throttle is on, or being given back.
    pub const fn is_on(&self) -> bool {
        self.episodes.is_on()
    }

    /// The event of letting go of a GPU that was throttled.
    pub fn left(&mut self, capped: bool) -> What {
        if !capped {
            self.episodes.end();
        }
        What::Left { capped }
    }

    /// The events of a GPU that is guarded no more: nobody will see the end of what is on.
    pub fn end(&mut self, now: Moment) -> Vec<What> {
        let ended = |(fault, (since, detail)): (Fault, (Moment, Detail))| What::TroubleEnded {
            trouble: fault.trouble().into(),
            detail: detail.text(),
            seconds: seconds(now.since(since)),
        };
        let mut events: Vec<_> = std::mem::take(&mut self.troubles)
            .into_iter()
            .map(ended)
            .collect();
        if self.episodes.is_on() {
            events.push(self.left(false));
        }
        events
    }

    fn troubles(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let (now, decision) = (tick.reading.at, &tick.decision);
        for (trouble, active) in [
            (Trouble::GpuLost, !tick.up),
            (Trouble::Infeasible, decision.infeasible),
            (Trouble::Contested, decision.contested),
            (Trouble::Overheld, decision.overheld),
        ] {
            self.trouble(
                now,
                Fault::Gpu(trouble),
                active.then_some(Detail::Nothing),
                events,
            );
        }
        // A card that is gone has no sensors to doubt.
        let doubt = decision.doubt.filter(|_| tick.up).map(Detail::Doubt);
        self.trouble(now, Fault::Gpu(Trouble::SensorDoubt), doubt, events);
        self.faulty(tick, events);
        self.failing(tick, events);
    }

    /// Failing writes: until a write of the same kind is taken, or there is nothing left to write.
    fn failing(&mut self, tick: &Tick, events: &mut Vec<What>) {
        let now = tick.reading.at;
        let nothing_asked = tick.decision.targets == Targets::default();
        let idle = !is_throttled(&tick.decision) && nothing_asked && tick.claim.is_empty();
        let outcomes = &tick.outcomes;
        for action in Action::ALL {
            match outcomes.failure(action) {
                Some(result) => {
                    let detail = Detail::Write(action, result);
                    self.trouble(now, Fault::Write(action), Some(detail), events);
                }
                None if outcomes.has(action, ActionResult::Ok) || idle => {
                    self.trouble(now, Fault::Write(action), None, events);
                }
                None => {}
            }
        }
        let journal = Fault::Gpu(Trouble::JournalFailing);
        if outcomes.journal_failures > 0 {
            self.trouble(now, journal, Some(Detail::Nothing), events);
        } else if outcomes.took_any() || idle {
            self.trouble(now, journal, None, events);
        }
    }

    /// `current`: the fault is there, with its detail. Another detail ends one trouble and begins another.
    pub(crate) fn trouble(
        &mut self,
        now: Moment,
        fault: Fault,
        current: Option<Detail>,
        events: &mut Vec<What>,
    ) -> Phase {
        let before = self.troubles.get(&fault);
        if before.map(|(_, detail)| *detail) == current {
            return Phase::Same;
        }
        let trouble = fault.trouble().into();
        if let Some((since, detail)) = self.troubles.remove(&fault) {
            events.push(What::TroubleEnded {
                trouble: fault.trouble().into(),
                detail: detail.text(),
                seconds: seconds(now.since(since)),
            });
        }
        if let Some(detail) = current {
            self.troubles.insert(fault, (now, detail));
            let detail = detail.text();
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
}

fn xids(tick: &Tick, events: &mut Vec<What>) {
    let mut counts = BTreeMap::<u64, u64>::new();
    for xid in &tick.outcomes.xids {
        *counts.entry(xid.code).or_default() += 1;
    }
    events.extend(
        counts
            .into_iter()
            .map(|(xid, count)| What::Xid { xid, count }),
    );
}
