//! What a card's sensors feel and tell.

use thermal_guard::sim::faults::Sense;
use thermal_guard::units::{Celsius, Watts};

use crate::fault::Fault;
use crate::layout::Card;

/// The sensors that can misbehave, each on its own.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Senses {
    pub core: Sense,
    pub memory: Sense,
    pub margin: Sense,
    pub draw: Sense,
}

impl Senses {
    /// Those of the card of that UUID, which flicker in its own way.
    pub fn of(uuid: &str) -> Self {
        let number = uuid
            .bytes()
            .fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        let sense = |place: u64| Sense::new(0.0, number % (1 << 40) * 4 + place);
        Self {
            core: sense(0),
            memory: sense(1),
            margin: sense(2),
            draw: sense(3),
        }
    }
}

/// What the sensors tell, in °C and W.
#[derive(Clone, Copy, Debug)]
pub struct Sensed {
    pub core: Celsius,
    pub memory: Option<Celsius>,
    pub margin: Celsius,
    pub draw: Watts,
}

impl Card {
    /// Lets the sensors feel what is true at `now`, simulated `seconds` after they last did.
    pub fn feel(&mut self, now: f64, seconds: f64) {
        let margin = self.state.margin(&self.physical()).degrees();
        let told = self.state.meter.told(self.profile(), self.flow().draw);
        let draw = told.as_f64();
        let (faults, state, felt) = (&self.faults, &self.state, &mut self.senses);
        felt.core.pass(&faults.core, now, state.die, seconds);
        felt.memory.pass(&faults.memory, now, state.hbm, seconds);
        felt.margin.pass(&faults.margin, now, margin, seconds);
        felt.draw.pass(&faults.draw, now, draw, seconds);
    }

    /// What the sensors tell: the card, what each has made of it, or where it stood when they froze.
    pub fn sensed(&mut self, now: f64) -> Sensed {
        self.feel(now, 0.0);
        let (faults, felt) = (&self.faults, &mut self.senses);
        let mut sensed = Sensed {
            core: Celsius::new(felt.core.tell(&faults.core, 0.0)),
            memory: Some(Celsius::new(felt.memory.tell(&faults.memory, 0.0))),
            margin: Celsius::new(felt.margin.tell(&faults.margin, 0.0)),
            draw: Watts::from_f64(felt.draw.tell(&faults.draw, 0.0)),
        };
        if self.has(Fault::FrozenTemperature) {
            sensed.core = self.frozen.core();
            sensed.memory = Some(Celsius::new(self.frozen.hbm));
            sensed.margin = self.frozen.margin(&self.physical());
        }
        sensed.memory = sensed.memory.filter(|_| self.profile().hbm.is_some());
        sensed
    }
}
