use super::*;
use crate::units::Moment;

const POLL: u32 = 5;
const HOUR: u32 = 3600 / POLL;

/// A card of two masses in a steady room.
struct Card {
    cooling: Cooling,
    seconds: f64,
    resistance: f64,
    fast: f64,
    slow: f64,
    /// The air at the sensor, if there is one. At the card it is 4 °C warmer.
    sensor: Option<f64>,
}

impl Card {
    fn new(sensor: Option<f64>) -> Self {
        Self {
            cooling: Cooling::default(),
            seconds: 0.0,
            resistance: 0.13,
            fast: 60.0,
            slow: 60.0,
            sensor,
        }
    }

    fn poll(&mut self, draw: f64) {
        let step = f64::from(POLL);
        self.seconds += step;
        self.fast += (draw - self.fast) * (1.0 - (-step / 2.0_f64).exp());
        self.slow += (draw - self.slow) * (1.0 - (-step / 60.0_f64).exp());
        let air = self.sensor.unwrap_or(22.0) + 4.0;
        let core = air + self.resistance * (0.3 * self.fast + 0.7 * self.slow);
        self.cooling.see(&Seen {
            at: Moment::from_secs_f64(self.seconds),
            core: Celsius::new(core.round()),
            to_alert: Celsius::new(78.0 - core.round()),
            draw: Watts::from_f64(draw),
            fans: None,
            air: self.sensor.map(Celsius::new),
            default_limit: Some(Watts::from_watts(400)),
            limit: Some(Watts::from_watts(400)),
        });
    }

    /// Jobs of ten minutes.
    fn varied(&mut self, hours: u32) {
        for poll in 0..hours * HOUR {
            let job = poll / 120;
            self.poll(if job.is_multiple_of(3) {
                80.0
            } else {
                150.0 + f64::from(job % 5) * 40.0
            });
        }
    }

    fn steady(&mut self, hours: u32) {
        for _ in 0..hours * HOUR {
            self.poll(300.0);
        }
    }

    fn resistance(&self) -> f64 {
        self.cooling.health().resistance.unwrap_or(f64::NAN)
    }
}

#[test]
fn changing_loads_tell_the_resistance() {
    let mut card = Card::new(None);
    card.varied(14);
    assert!(
        (card.resistance() / 0.13 - 1.0).abs() < 0.04,
        "{}",
        card.resistance()
    );
    let baseline = card.cooling.health().baseline;
    assert!(baseline.is_some_and(|it| (it / 0.13 - 1.0).abs() < 0.04));
}

#[test]
fn a_card_that_was_loaded_before_the_first_reading_is_not_taken_for_a_bad_one() {
    let mut card = Card::new(None);
    // The draw is there, and the heat isn't yet.
    for _ in 0..HOUR / 4 {
        card.poll(380.0);
    }
    card.varied(4);
    assert!(
        (card.resistance() / 0.13 - 1.0).abs() < 0.06,
        "{}",
        card.resistance()
    );
}

#[test]
fn with_a_sensor_in_the_air_a_steady_load_tells_it_too() {
    let mut card = Card::new(Some(20.0));
    card.varied(14);
    card.resistance *= 1.2;
    card.steady(5);
    let ratio = card.cooling.health().ratio;
    assert!(ratio.is_some_and(|it| it > Ratio::new(1.15)), "{ratio:?}");
    assert_eq!(card.cooling.health().is_worse(Than::Before), Some(true));
    // The control: without one, it tells nothing new.
    let mut card = Card::new(None);
    card.varied(14);
    let before = card.resistance();
    card.resistance *= 1.2;
    card.steady(5);
    assert!((card.resistance() / before - 1.0).abs() < 0.05);
}

#[test]
fn after_a_restart_the_card_goes_on_from_what_was_known() {
    let mut card = Card::new(None);
    card.varied(14);
    let again = Cooling::of(&card.cooling.remembered());
    assert_eq!(again.health().baseline, card.cooling.health().baseline);
    assert_eq!(again.health().resistance, card.cooling.health().resistance);
    card.cooling = again;
    card.steady(1);
    // 22 °C of air, 4 more at the card, half a degree under alert.
    let truth = (78.0 - 0.5 - 26.0) / 0.13;
    let told = card.cooling.health().sustainable.map(Watts::as_f64);
    assert!(
        told.is_some_and(|it| (it / truth - 1.0).abs() < 0.1),
        "{told:?} {truth}"
    );
}
