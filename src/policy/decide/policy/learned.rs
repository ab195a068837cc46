//! What a tick tells of the card beside its heat: which knobs work, what the card does by itself, and
//! whether its fans do their part.

use crate::device::ByKnob;
use crate::policy::knobs::{self, AtEnd};
use crate::policy::sense::firmware::{Around, FirmwareReport};
use crate::policy::sense::{SuspectFans, View};
use crate::policy::state::{Level, State};
use crate::policy::types::decision::Decision;
use crate::policy::types::observation::Observation;
use crate::units::Moment;

use super::Policy;

impl Policy {
    /// What the card does about heat while the guard holds nothing. A guard that only observes never
    /// does.
    pub(super) fn watch_firmware(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        decision: &Decision,
    ) -> FirmwareReport {
        let acts = decision.level > Level::None && !seen.observes;
        let around = Around {
            reading: seen.reading,
            facts: seen.facts,
            trips: self.trips().in_force(seen.reading),
            held: acts || !seen.claim.is_empty(),
        };
        self.firmware.note(now, &around)
    }

    /// A guard that holds the card for its temperature needs more of the fans than one at rest.
    pub(super) fn watch_fans(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        view: View,
        decision: &Decision,
    ) -> SuspectFans {
        let (reading, facts) = (seen.reading, seen.facts);
        let core = reading.core.ok();
        let core = core.filter(|_| matches!(view, View::Clear(_)));
        let holds = decision.level > Level::None && decision.asks.local > Level::None;
        let trips = self.judge.trips().in_force(reading).filter(|_| holds);
        self.fans.watch(now, reading, facts, core, trips)
    }

    /// Learns about the knobs from the last tick's writes and this tick's readings. Returns the
    /// locks that must be set again.
    pub(super) fn learn(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        view: View,
    ) -> ByKnob<bool> {
        if seen.observes || !seen.open {
            return ByKnob::default();
        }
        let heat = match view {
            View::Clear(heat) => Some(heat),
            View::Blind(heat) => heat,
            View::Never | View::Blink => None,
        };
        // A knob that takes nothing lower is as good as none: those that failed before are tried again.
        let took_nothing = seen
            .writes
            .iter()
            .any(|(_, it)| it.is_some_and(knobs::Write::was_refused));
        let nothing_left =
            self.regulator.is_exhausted() || self.held.state() == State::Emergency || took_nothing;
        let blind = matches!(view, View::Blind(_));
        let hot = heat.is_some_and(|heat| heat.at_set_point());
        let hungry = blind || hot && nothing_left;
        let renew = self.knobs.add_evidence(
            now,
            &knobs::Evidence {
                reading: seen.reading,
                claim: seen.claim,
                writes: seen.writes,
                targets: &self.last.targets,
                in_turn: !seen.woken,
                hungry,
                at_end: match heat {
                    _ if !(hungry || hot && self.regulator.is_on_last_rung()) => AtEnd::No,
                    Some(heat) if heat.is_hot() => AtEnd::AtAlert,
                    _ => AtEnd::Hot,
                },
            },
        );
        let means = self.knobs.means();
        if means != self.means {
            self.means = means;
            self.replan(now, seen);
        }
        renew
    }

    /// A knob left the plan or came back. The new plan continues from the current targets.
    pub(super) fn replan(&mut self, now: Moment, seen: &Observation<'_>) {
        let released = self.regulator.is_released();
        let by_clock = self.regulator.is_by_clock();
        self.regulator
            .replace(&self.settings, seen.facts, &self.means);
        // Only a limit is tried, or failed again: the clock governs on.
        let goes_on = by_clock && self.regulator.is_by_clock();
        let limit_again = by_clock && self.means.power.is_some() && !self.means.power_failed;
        match self.held.state() {
            State::Emergency => self.regulator.bottom(now),
            _ if released || goes_on => {}
            _ if limit_again => self.regulator.resume(now, &self.after_trial()),
            _ => self.regulator.resume(now, &self.last.targets),
        }
    }
}
