//! How trouble ends: faults end, stopped programs start again, everything cools down.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::node::Node;
use super::trouble::{DRIVER_ARRIVES, FAULTS};

/// Stopped programs, and until when.
#[derive(Default)]
pub(crate) struct Absences {
    pub(crate) alertmanager: Option<Instant>,
    pub(crate) prometheus: Option<Instant>,
    pub(crate) driver: Option<Instant>,
    pub(crate) guard: Option<Instant>,
    pub(crate) app: Option<Instant>,
}

/// A card that was lost while a guard began is found by its next roll call, which is every 30 s of the
/// wall's, ten times as many of the card's.
const ROLL_CALL: f64 = 330.0;

impl Node {
    fn mend(&mut self, card: usize) {
        let Some(fault) = self.cards[card].fault.take() else {
            return;
        };
        self.guard
            .machine
            .ctl(&["fault", "--gpu", &card.to_string(), "none"]);
        let excuse = FAULTS.iter().find(|(name, _)| *name == fault.name);
        let began_before = |ready: Instant| fault.since < ready;
        let unknown = fault.name == "lost" && self.ready_at.is_none_or(began_before);
        let more = if unknown { ROLL_CALL } else { 0.0 };
        let excuse = excuse.map_or(0.0, |(_, seconds)| *seconds) + more;
        // Another fault's excuse may be longer.
        let well_from = &mut self.cards[card].well_from;
        *well_from = well_from.max(self.now + excuse);
        if fault.name == "frozen-temperature" {
            self.cards[card].observer.lied_to(self.now);
        }
    }

    /// Ends the faults that are over by now; all of them, if `all`.
    pub(crate) fn end(&mut self, all: bool) {
        let now = Instant::now();
        let due = |until: Instant| all || until <= now;
        for card in 0..self.cards.len() {
            if self.cards[card].fault.is_some_and(|fault| due(fault.until)) {
                self.mend(card);
            }
        }
        if self.absences.driver.is_some_and(due) {
            self.guard.machine.ctl(&["driver-load"]);
            self.absences.driver = None;
            self.driver_from = self.now + DRIVER_ARRIVES;
        }
        if self.absences.alertmanager.is_some_and(due) {
            self.chain.alertmanager.launch();
            self.absences.alertmanager = None;
        }
        if self.absences.prometheus.is_some_and(due) {
            self.chain.prometheus.launch();
            self.absences.prometheus = None;
        }
        if self.absences.app.is_some_and(due) {
            self.mood.store(0, Ordering::SeqCst);
            self.absences.app = None;
        }
        if self.absences.guard.is_some_and(due) {
            // The last reload may have left a bad file behind, with which none would start.
            self.configure(10);
            self.guard.launch();
            // Too soon for anything, as from a script that starts it and at once changes its file.
            self.guard.signal("HUP");
            self.absences.guard = None;
            self.lives.push(Vec::new());
            self.views.begin_anew();
        }
    }

    /// No fault is left, and nothing is hot.
    pub(crate) fn calm_down(&mut self) {
        self.end(true);
        self.configure(10);
        self.guard.signal("HUP");
        for card in 0..self.cards.len() {
            self.set(card, &["load=0.05", "inlet=20", "airflow=0.6", "hbm=1"]);
        }
    }
}
