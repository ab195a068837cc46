//! What guards say of themselves: that they start, stop, or are without alert chain or driver; and what
//! is open when one is gone.

use std::time::Duration;

use crate::config::Mode;
use crate::events::{Event, Weight, What, Word, span};
use crate::policy::ChainState;

use super::super::incident::Incident;
use super::{Gather, key};

impl Gather {
    pub(super) fn of_guard(&mut self, index: usize, event: &Event, what: &What, recent: bool) {
        let time = event.time;
        match what {
            What::Started { mode, pid, .. } => {
                let before = self.running.insert(mode.to_string(), (index, *pid));
                let died = before.is_some_and(|(start, _)| self.unended.contains(&start));
                self.started(event, died, recent);
                self.observes = *mode == Mode::Observe;
            }
            What::Stopped {
                refused: false,
                pid,
            } => {
                self.running.retain(|_, (_, running)| running != pid);
                if self.running.is_empty() {
                    self.end_all(time);
                }
            }
            What::Stopped { refused: true, .. } | What::StartRefused { .. } if recent => {
                self.point(event, "guard");
            }
            What::TroubleBegan { trouble, .. } => self.begin(event, trouble.as_str()),
            What::TroubleEnded { trouble, .. } => self.end(time, &key(event, trouble.as_str())),
            What::Chain {
                to: Word::Known(ChainState::Stale | ChainState::Down),
                ..
            } => self.begin(event, "chain"),
            What::Chain { .. } => self.end(time, &key(event, "chain")),
            What::Detached => self.begin(event, "detached"),
            What::Attached => self.end(time, &key(event, "detached")),
            What::Reloaded { ok: false, .. } if recent => {
                self.record.guard.reloads_refused += 1;
                self.point(event, "reload");
            }
            What::Unrecorded { count } if recent => {
                let lost = &mut self.record.unrecorded_events;
                *lost = lost.saturating_add(*count);
                self.point(event, "unrecorded");
            }
            _ => {}
        }
    }

    /// A guard that is still running never says that it stopped: it was killed, or the power was.
    fn started(&mut self, event: &Event, died: bool, recent: bool) {
        let last = self.last;
        // Beside another one that is running, nothing ends.
        if died || self.running.len() == 1 {
            self.end_all(last);
        }
        self.record.guard.starts += u32::from(recent);
        if died && recent {
            self.record.guard.deaths += 1;
            let silent = span(event.time.saturating_sub(last).as_secs_f64());
            let text = format!(
                "started; the guard before ended without a word, last heard of {silent} earlier: killed, or the machine went down"
            );
            let incident = Incident::at(event.time, None, "guard", text);
            self.record.incidents.push(incident.weighing(Weight::Error));
        }
    }

    /// The guard is gone, so the conditions that it saw end here. A throttle waits for the next guard.
    fn end_all(&mut self, time: Duration) {
        for key in self.spells.keys().cloned().collect::<Vec<_>>() {
            self.end(time, &key);
        }
        if self.observes {
            let watched: Vec<_> = self.throttles.keys().cloned().collect();
            for uuid in watched {
                self.end_throttle(time, &uuid, "only observed: nothing was set");
            }
        }
        for open in self.throttles.values_mut() {
            open.left_at(time);
        }
    }
}
