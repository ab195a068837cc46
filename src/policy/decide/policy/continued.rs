//! How a policy goes on: with a card that was opened again, with other settings, with what the guard
//! before left, and after everything was given back outside.

use crate::device::{ByClock, ClockRange, Facts};
use crate::policy::claim::Claim;
use crate::policy::sense::{Doubt, Sensor};
use crate::policy::state::{Level, State};
use crate::policy::types::decision::{Decision, Trigger};
use crate::policy::types::settings::Settings;
use crate::policy::types::targets::{FanTarget, Targets};
use crate::units::Moment;

use super::Policy;

impl Policy {
    /// The card was opened again, perhaps by another driver. Which values its knobs accept must be
    /// found out again.
    pub fn reopened(&mut self, driver_version: Option<&str>) {
        self.judge.reopened(driver_version);
        self.firmware.reopened();
        self.knobs.reopened();
    }

    /// Facts may have changed: another driver may give other limits. The state stays.
    pub fn recalibrate(&mut self, facts: &Facts) {
        self.power = facts.power;
        self.judge.recalibrate(self.settings.trips, facts);
        self.knobs.offer(&self.settings, facts);
        let means = self.knobs.means();
        let is_same = means == self.means && self.regulator.is_of(&self.settings, facts, &means);
        if is_same {
            self.regulator.replace(&self.settings, facts, &self.means);
        } else {
            // The new plan goes on from what is set: on the next tick, which knows that.
            self.replan_due = true;
        }
    }

    /// Other settings were loaded. A throttle in force stays, by the new rules.
    pub fn reconfigure(&mut self, settings: Settings, facts: &Facts) {
        self.local.set_recovery_delay(settings.recovery_delay);
        self.held.set_recovery_delay(settings.recovery_delay);
        self.ledger.set_max_hold(settings.max_hold);
        self.settings = settings;
        self.recalibrate(facts);
    }

    /// A previous guard left the GPU throttled. Continues from there, and gives back in steps. The
    /// sensors that it doubted must prove themselves first.
    /// `locks`: the slowest ones that may be on the card.
    pub fn adopt(
        &mut self,
        now: Moment,
        claim: &Claim,
        locks: &ByClock<Option<ClockRange>>,
        doubted: &[(Sensor, Doubt)],
    ) {
        // By heat, as far as is known: it isn't charged to leases.
        self.local.hold(Level::Gradual);
        self.held.hold(Level::Gradual);
        self.inherit(doubted);
        self.regulator.adopt(now, claim, locks);
        self.trigger = Some(Trigger::Local);
        self.left_so = true;
        let rung = self.regulator.targets();
        // The card doesn't tell the locked range. So the clock is no faster than in an emergency, until
        // the readings show that the card can take more. Where the clock governs, it goes on from the
        // lock in the journal.
        let emergency = self.regulator.rungs().emergency().locks;
        let by_clock = self.regulator.is_by_clock();
        self.last = Decision {
            state: State::Gradual,
            level: Level::Gradual,
            targets: Targets {
                limit: claim.limit.map(|ours| ours.next),
                locks: ByClock::of(|domain| {
                    let left = rung.locks[domain].filter(|_| by_clock);
                    let lock = left.or(emergency[domain]).or(rung.locks[domain]);
                    lock.filter(|_| claim.locks[domain])
                }),
                fans: if claim.fans.any() {
                    FanTarget::Kept
                } else {
                    FanTarget::AsBefore
                },
                app: rung.app,
            },
            ..self.last
        };
    }

    /// The sensors that a guard before this one doubted must prove themselves first.
    pub fn inherit(&mut self, doubted: &[(Sensor, Doubt)]) {
        self.judge.inherit(doubted);
    }

    /// Everything was given back outside the policy. It starts from the beginning, but remembers
    /// how long leases have held the GPU.
    pub fn released(&mut self, now: Moment) {
        self.local.recovered();
        self.held.recovered();
        self.regulator.reset(now);
        self.trigger = None;
        self.left_so = false;
        self.brought_by_leases = false;
        self.last = Decision::unseen();
    }
}
