use super::*;
use crate::device::{Missing, Thresholds};

const NONE: Missing = Missing::NotSupported;
const POLLS: [f64; 3] = [0.1, 1.0, 10.0];
/// How often a guard reads the fans.
const FULL_EVERY: f64 = 5.0;

fn c(degrees: f64) -> Celsius {
    Celsius::new(degrees)
}

/// A card that names its own target, or only its maximum operating temperature.
fn facts(target: Option<f64>, max: f64) -> Facts {
    Facts {
        thresholds: Thresholds {
            gpu_max: Some(c(max)),
            acoustic_current: target.map(c),
            ..Thresholds::default()
        },
        ..Facts::default()
    }
}

fn spinning(percent: f64) -> Fan {
    Fan {
        speed: Some(Ratio::new(percent / 100.0)),
        ..Fan::default()
    }
}

/// A card with a fan, looked at.
struct Bench {
    watch: FanWatch,
    facts: Facts,
    poll: f64,
    seconds: f64,
    /// When the fan was last read, and how it was.
    read: Option<(f64, Fan)>,
    /// Alert, while the guard throttles the card.
    alert: Option<f64>,
}

impl Bench {
    fn new(target: Option<f64>, max: f64) -> Self {
        Self {
            watch: FanWatch::default(),
            facts: facts(target, max),
            poll: 1.0,
            seconds: 0.0,
            read: None,
            alert: None,
        }
    }

    fn polled(self, poll: f64) -> Self {
        Self { poll, ..self }
    }

    fn held(self, alert: f64) -> Self {
        Self {
            alert: Some(alert),
            ..self
        }
    }

    /// One look at a card of this temperature, if it is known.
    fn look(&mut self, core: Option<f64>, fan: Fan) -> Option<FanFault> {
        let due = |(at, _): (f64, Fan)| self.seconds - at >= FULL_EVERY - 1e-6;
        if self.read.is_none_or(due) {
            self.read = Some((self.seconds, fan));
        }
        let core = core.map(c);
        let mut reading = Reading::missing(Moment::from_secs_f64(self.seconds), NONE);
        reading.core = core.ok_or(NONE);
        reading.slow.fans = self.read.into_iter().map(|(_, fan)| fan).collect();
        self.seconds += self.poll;
        let trips = self.alert.map(|alert| Trips {
            alert: c(alert),
            critical: c(alert + 7.0),
            safe: c(alert - 6.0),
        });
        let suspect = self
            .watch
            .watch(reading.at, &reading, &self.facts, core, trips);
        suspect.of(0)
    }

    /// The first fault within `seconds`, and after how long.
    fn within(
        &mut self,
        seconds: f64,
        mut card: impl FnMut(f64) -> (f64, Fan),
    ) -> Option<(f64, FanFault)> {
        let begun = self.seconds;
        while self.seconds < begun + seconds {
            let passed = self.seconds - begun;
            let (core, fan) = card(passed);
            if let Some(fault) = self.look(Some(core), fan) {
                return Some((passed, fault));
            }
        }
        None
    }

    fn stays(&mut self, seconds: f64, core: f64, fan: Fan) -> Option<FanFault> {
        let found = self.within(seconds, |_| (core, fan));
        found.map(|(_, fault)| fault)
    }
}

#[test]
fn a_fan_at_53_percent_on_a_card_at_88_degrees_is_found_within_20_seconds() {
    for poll in POLLS {
        for target in [Some(85.0), None] {
            let mut bench = Bench::new(target, 92.0).polled(poll);
            // Cool, and then hot within a moment, at the worst moment for the fan's next reading.
            bench.stays(23.0, 60.0, spinning(53.0));
            let (after, fault) = bench
                .within(60.0, |_| (88.0, spinning(53.0)))
                .expect("suspect");
            assert_eq!(fault, FanFault::Stuck);
            // Three readings, at the longest interval.
            let bound = if poll > FULL_EVERY { 30.0 } else { 20.0 };
            assert!(after <= bound, "{after} s, polled every {poll} s");
        }
    }
}

#[test]
fn each_rule_begins_exactly_where_it_should() {
    let with = |target, max, alert: Option<f64>, core, fan| {
        let mut bench = Bench::new(target, max);
        bench.alert = alert;
        bench.stays(120.0, core, fan)
    };
    let stuck = Some(FanFault::Stuck);
    assert_eq!(with(Some(83.0), 95.0, None, 85.0, spinning(69.0)), stuck);
    assert_eq!(with(Some(83.0), 95.0, None, 85.0, spinning(70.0)), None);
    assert_eq!(with(Some(83.0), 95.0, None, 84.0, spinning(69.0)), None);
    assert_eq!(with(None, 95.0, None, 90.0, spinning(69.0)), stuck);
    assert_eq!(with(None, 95.0, None, 89.0, spinning(69.0)), None);
    let off = Some(FanFault::Off);
    assert_eq!(with(Some(83.0), 95.0, None, 70.0, spinning(0.0)), off);
    assert_eq!(with(Some(83.0), 95.0, None, 69.0, spinning(0.0)), None);
    let low = Some(FanFault::Low);
    let (hot, alert) = (77.0, Some(78.0));
    assert_eq!(with(None, 85.0, alert, hot, spinning(39.0)), low);
    assert_eq!(with(None, 85.0, alert, hot, spinning(40.0)), None);
    assert_eq!(with(None, 85.0, None, hot, spinning(39.0)), None);
    // Another sensor, such as the inlet's, is what holds it.
    assert_eq!(with(None, 85.0, alert, 50.0, spinning(30.0)), None);
    let standing = |percent| Fan {
        rpm: Some(0),
        ..spinning(percent)
    };
    let stopped = Some(FanFault::Stopped);
    assert_eq!(with(None, 95.0, None, 40.0, standing(30.0)), stopped);
    assert_eq!(with(None, 95.0, None, 40.0, standing(0.0)), None);
}

/// Target and maximum, temperature and speed at which recorded cards stayed for minutes to hours, or
/// longest in such a place on their curve.
const NORMAL: [(Option<f64>, f64, f64, f64); 16] = [
    // GTX 1080 and 1070, which hold their own target.
    (Some(83.0), 94.0, 81.0, 54.0),
    (Some(83.0), 94.0, 83.0, 53.0),
    (None, 94.0, 83.0, 53.0),
    // GTX 980 and 770, which name no target.
    (None, 91.0, 78.0, 60.0),
    (None, 91.0, 82.0, 53.0),
    (None, 95.0, 82.0, 65.0),
    // RTX 2060 and 2080.
    (Some(83.0), 88.0, 84.0, 60.0),
    (Some(84.0), 88.0, 85.0, 62.0),
    (Some(84.0), 88.0, 85.0, 69.0),
    // GTX 1080 Ti, whose fans stand still when it is cool.
    (Some(84.0), 91.0, 59.0, 0.0),
    (Some(84.0), 91.0, 63.0, 22.0),
    (Some(84.0), 91.0, 69.0, 39.0),
    (Some(84.0), 91.0, 80.0, 69.0),
    // RTX 6000 Ada.
    (Some(85.0), 91.0, 63.0, 30.0),
    (Some(85.0), 91.0, 70.0, 36.0),
    // Vega 64.
    (None, 85.0, 71.0, 73.0),
];

#[test]
fn what_recorded_cards_do_for_hours_is_no_fault() {
    for poll in POLLS {
        for (target, max, core, percent) in NORMAL {
            let mut bench = Bench::new(target, max).polled(poll);
            // The reading swings by a degree, and now and then by two more, for a moment.
            let mut looks = 0_u32;
            let found = bench.within(3600.0, |_| {
                looks += 1;
                let swing = [0.0, -1.0, 0.0, -1.0][looks as usize % 4];
                let odd = if looks.is_multiple_of(37) { 3.0 } else { 0.0 };
                (core + swing + odd, spinning(percent))
            });
            assert_eq!(found, None, "{core} °C at {percent} %");
        }
    }
}

#[test]
fn a_fan_that_rises_is_no_fault_and_one_that_stops_rising_is() {
    // One percent every ten seconds, as firmware raises them.
    let rising = |passed: f64| spinning((40.0 + passed / 10.0).floor());
    let mut bench = Bench::new(Some(83.0), 95.0);
    assert_eq!(bench.within(299.0, |passed| (87.0, rising(passed))), None);
    let mut bench = Bench::new(Some(83.0), 95.0);
    let found = bench.within(300.0, |passed| (87.0, rising(passed.min(60.0))));
    let (after, fault) = found.expect("suspect");
    assert_eq!(fault, FanFault::Stuck);
    assert!((60.0..=90.0).contains(&after), "{after}");
}

#[test]
fn a_card_that_gets_cooler_needs_no_faster_fan() {
    let mut bench = Bench::new(Some(83.0), 95.0);
    // Whole degrees, one in eight seconds.
    let cooling = |passed: f64| ((94.0 - passed / 8.0).round(), spinning(50.0));
    assert_eq!(bench.within(120.0, cooling), None);
}

#[test]
fn one_odd_reading_is_no_fault_and_no_cure() {
    for poll in POLLS {
        let mut bench = Bench::new(Some(83.0), 95.0).polled(poll);
        // A reading of the fans lasts until the next one.
        let odd = bench.within(200.0, |passed| {
            let is_odd = (50.0..50.0 + FULL_EVERY.max(poll)).contains(&passed);
            (75.0, spinning(if is_odd { 0.0 } else { 65.0 }))
        });
        assert_eq!(odd, None, "polled every {poll} s");
        bench.stays(60.0, 88.0, spinning(53.0));
        let from = bench.seconds;
        while bench.seconds < from + 120.0 {
            let is_odd = bench.seconds >= from && bench.seconds < from + FULL_EVERY.max(poll);
            let fan = spinning(if is_odd { 100.0 } else { 53.0 });
            let core = if is_odd { 60.0 } else { 88.0 };
            assert_eq!(bench.look(Some(core), fan), Some(FanFault::Stuck));
        }
    }
}

#[test]
fn a_fault_is_over_three_quarters_of_a_minute_after_its_last_sign() {
    let mut bench = Bench::new(Some(83.0), 95.0);
    bench.stays(60.0, 88.0, spinning(53.0));
    let (begun, fine) = (bench.seconds, spinning(90.0));
    while bench.look(Some(84.0), fine).is_some() {}
    let after = bench.seconds - begun;
    assert!((45.0..=51.0).contains(&after), "{after}");
}

#[test]
fn without_a_trusted_temperature_nothing_is_concluded_from_it() {
    let mut bench = Bench::new(Some(83.0), 95.0);
    for _ in 0..120 {
        assert_eq!(bench.look(None, spinning(0.0)), None);
    }
    bench.stays(60.0, 88.0, spinning(53.0));
    for _ in 0..120 {
        assert_eq!(bench.look(None, spinning(100.0)), Some(FanFault::Stuck));
    }
    // Two looks with minutes of nothing between them are no run.
    let mut bench = Bench::new(Some(83.0), 95.0);
    bench.look(Some(88.0), spinning(53.0));
    for _ in 0..120 {
        bench.look(None, spinning(53.0));
    }
    assert_eq!(bench.look(Some(88.0), spinning(53.0)), None);
}

#[test]
fn a_fan_that_is_gone_is_forgotten_and_one_without_a_speed_is_not_judged() {
    let mut bench = Bench::new(Some(83.0), 95.0).held(90.0);
    let silent = Fan {
        rpm: Some(0),
        ..Fan::default()
    };
    assert_eq!(bench.stays(60.0, 95.0, silent), None);
    assert!(bench.stays(60.0, 95.0, spinning(0.0)).is_some());
    let lost = Reading::missing(Moment::from_secs_f64(bench.seconds), Missing::Lost);
    let facts = bench.facts.clone();
    let suspect = bench.watch.watch(lost.at, &lost, &facts, None, None);
    assert_eq!(suspect, SuspectFans::default());
}

#[test]
fn faults_have_names_of_their_own() {
    let names = FanFault::ALL.map(FanFault::name);
    assert_eq!(names, ["stopped", "off", "stuck", "low"]);
}
