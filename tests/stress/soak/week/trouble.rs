//! Random events of the week.

use std::time::Duration;

use thermal_guard::policy::Level;
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::plant::Load;
use thermal_guard::units::Celsius;

use super::Week;
use crate::soak::odd_limit;

/// Between two ticks of a storm of wakes.
const WAKE: Duration = Duration::from_millis(5);

impl Week {
    pub(super) fn happen(&mut self) {
        let card = self.dice.index(self.cards.len());
        self.happened += 1;
        match self.dice.below(100) {
            0..45 => self.change_the_room(card),
            45..62 => self.break_or_mend(card),
            62..80 => self.fire(card),
            80..84 => self.pause(card),
            84..88 => self.meddle(card),
            88..91 => self.node.restart(card),
            91..93 => self.wake(),
            93..97 => self.alertmanager = self.ticks + self.dice.below(300),
            _ => self.prometheus = self.ticks + self.dice.below(300),
        }
    }

    fn change_the_room(&mut self, card: usize) {
        let dice = &mut self.dice;
        let inlet = match dice.below(10) {
            0..6 => dice.between(15.0, 38.0),
            6..9 => dice.between(30.0, 50.0),
            _ => dice.between(60.0, 95.0),
        };
        let conditions = Conditions {
            load: Load {
                power: dice.between(0.0, 1.05),
                compute_bound: dice.between(0.3, 1.0),
            },
            inlet: Celsius::new(inlet),
            airflow_resistance: dice.between(0.8, 1.7),
            hbm_resistance: dice.between(0.8, 1.4),
        };
        self.set(card, conditions);
    }

    pub(super) fn set(&mut self, card: usize, room: Conditions) {
        self.cards[card].room = room;
        self.node.set(card, room);
    }

    fn break_or_mend(&mut self, card: usize) {
        let fault = match self.dice.below(8) {
            0 => Fault::NoTemperature,
            1 => Fault::Lost,
            2 => Fault::NoPermission,
            3 => Fault::FrozenTemperature,
            _ => Fault::None,
        };
        self.put(card, fault);
    }

    pub(super) fn put(&mut self, index: usize, fault: Fault) {
        let now = self.seconds();
        let card = &mut self.cards[index];
        if card.fault != fault {
            card.well_from = now
                + match card.fault {
                    Fault::None => 0.0,
                    // Without permission it asks again after 60 s.
                    Fault::NoPermission => 65.0,
                    // Ten good readings; a lost card is looked for every 2 s.
                    _ => 15.0,
                };
        }
        self.faults += u64::from(fault != Fault::None && fault != card.fault);
        card.fault = fault;
        self.node.fault(index, fault);
    }

    fn fire(&mut self, card: usize) {
        let level = if self.dice.one_in(4) {
            Level::Emergency
        } else {
            Level::Gradual
        };
        let ttl = Duration::from_secs(1 + self.dice.below(900));
        let fingerprint = self.dice.below(8);
        self.node.fire(card, fingerprint, level, ttl);
    }

    fn pause(&mut self, card: usize) {
        let seconds = 1 + self.dice.below(600);
        let until = self.node.now() + Duration::from_secs(seconds);
        self.node.shared.pause(&self.node.uuid(card), until);
        self.cards[card].paused_until = until.since_start().as_secs_f64();
    }

    /// Somebody else sets a limit, where the guard can see whose it is.
    fn meddle(&mut self, index: usize) {
        let now = self.seconds();
        let card = &mut self.cards[index];
        let sees = matches!(card.fault, Fault::None | Fault::NoPermission);
        if sees && now >= card.well_from {
            let limit = odd_limit(card.profile, &mut self.dice);
            self.node.rack.card(index).limit = limit;
            card.observer.foreign(limit, false);
            card.meddled_at = now;
        }
    }

    fn wake(&mut self) {
        for _ in 0..=self.dice.below(40) {
            self.step(WAKE);
        }
    }
}
