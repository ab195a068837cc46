//! Random events on the node.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::node::{Fault, Node};

/// Faults of a card, and the seconds of the card for which each excuses the guard afterwards: a blind
/// guard needs ten good readings, a guard without permission tries again after 60 s, and a lost card is
/// looked for after 2 s.
pub(crate) const FAULTS: [(&str, f64); 7] = [
    ("lost", 25.0),
    ("hang", 10.0),
    ("no-permission", 65.0),
    ("frozen-temperature", 20.0),
    ("ignored-writes", 10.0),
    ("failing-reads", 25.0),
    ("unsupported:fan,energy,utilization", 0.0),
];

/// Until a new driver is initialised, its cards found and opened, and their readings believed.
pub(crate) const DRIVER_ARRIVES: f64 = 150.0;

impl Node {
    /// One random event. The guard dies only while deaths are wanted.
    pub(crate) fn happen(&mut self, deaths: bool) {
        let card = self.dice.index(self.cards.len());
        match self.dice.below(100) {
            0..45 => self.change_the_room(card),
            45..65 => self.break_a_card(card),
            65..73 => self.meddle(card),
            73..82 => self.deliver(card),
            82..87 => self.lose_alertmanager(),
            87..89 => self.lose_prometheus(),
            89..91 => self.lose_the_driver(),
            91..94 => self.spoil_the_app(),
            94..97 => self.reload(),
            97..98 => self.report_an_xid(card),
            _ if deaths => self.lose_the_guard(),
            _ => self.change_the_room(card),
        }
    }

    fn soon(&mut self, at_most: f64) -> Instant {
        Instant::now() + Duration::from_secs_f64(self.dice.between(0.3, at_most))
    }

    fn change_the_room(&mut self, card: usize) {
        let dice = &mut self.dice;
        let (inlet, airflow) = match dice.below(10) {
            0..6 => (dice.between(15.0, 38.0), dice.between(0.8, 1.2)),
            6..9 => (dice.between(30.0, 50.0), dice.between(1.0, 1.7)),
            // Over critical by itself.
            _ => (dice.between(60.0, 95.0), 1.0),
        };
        let (load, hbm) = (dice.between(0.05, 1.05), dice.between(0.8, 1.4));
        let room = [
            format!("load={load:.2}"),
            format!("inlet={inlet:.1}"),
            format!("airflow={airflow:.2}"),
            format!("hbm={hbm:.2}"),
        ];
        self.set(card, &room.each_ref().map(String::as_str));
        self.count("rooms and loads");
    }

    pub(crate) fn set(&mut self, card: usize, room: &[&str]) {
        let card = card.to_string();
        let args = [&["set", "--gpu", &card], room].concat();
        self.guard.machine.ctl(&args);
        // So that no time passes in a room that the observer doesn't know.
        self.look();
    }

    fn break_a_card(&mut self, card: usize) {
        let (name, _) = FAULTS[self.dice.index(FAULTS.len())];
        let away = self.absences.driver.is_some() || self.now < self.driver_from;
        if self.cards[card].fault.is_some() || (name == "hang" && away) {
            return;
        }
        let until = self.soon(9.0);
        let since = Instant::now();
        self.guard
            .machine
            .ctl(&["fault", "--gpu", &card.to_string(), name]);
        self.cards[card].fault = Some(Fault { name, since, until });
        self.count(name);
    }

    /// Another program sets a limit, while the guard can see that it isn't its own.
    fn meddle(&mut self, card: usize) {
        if self.guard_from.is_none() || self.is_well_for(card, 20.0) {
            self.someone_sets(card);
            self.count("limits set by others");
        }
    }

    /// An alert of the test's own, told to the hook directly.
    fn deliver(&mut self, card: usize) {
        if self.absences.guard.is_some() {
            return;
        }
        let status = if self.dice.one_in(3) {
            "resolved"
        } else {
            "firing"
        };
        let action = if self.dice.one_in(4) {
            "emergency"
        } else {
            "gradual"
        };
        let fingerprint = self.dice.below(6);
        let code = self
            .guard
            .hook(&delivery(status, action, card, fingerprint));
        if code != 200 && code != 503 {
            self.break_rule(format!("a valid delivery was answered {code}"));
        }
        self.count("alerts told to the hook");
    }

    fn lose_alertmanager(&mut self) {
        if self.absences.alertmanager.is_some() {
            return;
        }
        if self.dice.one_in(2) {
            self.chain.alertmanager.kill();
        } else {
            self.chain.alertmanager.stop();
        }
        self.absences.alertmanager = Some(self.soon(20.0));
        self.count("Alertmanager ended");
    }

    fn lose_prometheus(&mut self) {
        if self.absences.prometheus.is_none() {
            self.chain.prometheus.kill();
            self.absences.prometheus = Some(self.soon(20.0));
            self.count("Prometheus killed");
        }
    }

    /// Reloaded, unloaded for a while, or of another version for a while. A driver doesn't unload
    /// during a call.
    fn lose_the_driver(&mut self) {
        let hangs = self.cards.iter().any(|card| card.has("hang"));
        if self.absences.driver.is_some() || hangs {
            return;
        }
        let ways = ["driver-reload", "driver-unload", "driver-mismatch"];
        let way = ways[self.dice.index(ways.len())];
        self.guard.machine.ctl(&[way]);
        for card in &mut self.cards {
            card.observer.forgotten();
        }
        if way == "driver-reload" {
            self.driver_from = self.now + DRIVER_ARRIVES;
        } else {
            self.absences.driver = Some(self.soon(4.0));
        }
        self.count(way);
    }

    fn spoil_the_app(&mut self) {
        let mood = if self.dice.one_in(2) { 1 } else { 2 };
        self.mood.store(mood, Ordering::SeqCst);
        self.absences.app = Some(self.soon(6.0));
        self.count("application unwell");
    }

    /// One file in three is bad, and must change nothing.
    fn reload(&mut self) {
        if self.absences.guard.is_some() {
            return;
        }
        if self.dice.one_in(3) {
            self.guard.configure("policy: { recovery_dealy: 1s }");
        } else {
            let seconds = 5 + self.dice.below(15);
            self.configure(seconds);
        }
        self.guard.signal("HUP");
        self.count("configurations reloaded");
    }

    fn report_an_xid(&mut self, card: usize) {
        if self.absences.driver.is_none() {
            let code = ["13", "31", "43", "79"][self.dice.index(4)];
            self.guard
                .machine
                .ctl(&["xid", "--gpu", &card.to_string(), code]);
            self.count("Xids");
        }
    }

    /// `kill -9` or a clean stop; sometimes `restore`, as systemd calls it.
    fn lose_the_guard(&mut self) {
        if self.absences.guard.is_some() {
            return;
        }
        (self.guard_from, self.ready_at) = (None, None);
        if self.dice.one_in(2) {
            self.guard.kill();
            self.count("guards killed");
        } else {
            let code = self.guard.stop();
            if code != Some(0) {
                self.break_rule(format!("a clean stop ended with {code:?}"));
            }
            self.count("guards stopped");
        }
        self.read_journal();
        self.look();
        if self.dice.one_in(2) {
            let output = self.guard.run("restore", &["--wait=1s"]);
            if !matches!(output.status.code(), Some(0 | 1)) {
                self.break_rule(format!("restore: {output:?}"));
            }
            self.count("restores");
        }
        self.absences.guard = Some(self.soon(5.0));
    }
}

fn delivery(status: &str, action: &str, card: usize, fingerprint: u64) -> Value {
    json!({
        "version": "4", "status": status, "groupKey": "{}:{}", "truncatedAlerts": 0,
        "alerts": [{
            "status": status,
            "labels": {
                "alertname": "Soak",
                "guard_action": action,
                "uuid": format!("GPU-00000000-0000-4000-8000-{card:012x}"),
            },
            "annotations": {},
            "startsAt": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": format!("{fingerprint:016x}"),
        }],
    })
}
