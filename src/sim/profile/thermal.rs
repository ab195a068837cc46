//! The thermal constants of a card: die, sink and case, and what moves the air over them.

use crate::units::Celsius;

/// Thermal constants.
#[derive(Clone, Copy, Debug)]
pub struct Thermal {
    /// The power the cooler is built for.
    pub design_watts: f64,
    /// Rise of the die over the inlet at that power, while the air moves as at its reference.
    pub rise: Celsius,
    /// The share of the rise that is in the third mass: board, case, the air around. 0: none.
    pub case_share: f64,
    /// The die's share of what the case leaves; the sink has the rest.
    pub die_share: f64,
    /// Time constants of the die over the sink, of the sink over the air, and of the case.
    pub die_seconds: f64,
    pub sink_seconds: f64,
    pub case_seconds: f64,
    pub airflow: Airflow,
}

impl Thermal {
    /// 0.6 W/°C on a 250 W card.
    const LEAKAGE_SHARE: f64 = 0.0024;

    /// The constants of a card without a recording. The die's share is 0.07 of 0.22 °C/W, as
    /// reported of a V100-like card.
    pub const fn of(design_watts: f64) -> Self {
        Self {
            design_watts,
            rise: Celsius::new(52.0),
            case_share: 0.0,
            die_share: 0.32,
            die_seconds: 5.0,
            sink_seconds: 50.0,
            case_seconds: 300.0,
            airflow: Airflow::STEADY,
        }
    }

    /// The constants of a recording: what each mass adds to the rise at `design_watts`, in degrees,
    /// and its time constant in seconds.
    pub(super) const fn fitted(design_watts: f64, die: Mode, sink: Mode, case: Mode) -> Self {
        let rise = die.0 + sink.0 + case.0;
        Self {
            design_watts,
            rise: Celsius::new(rise),
            case_share: case.0 / rise,
            die_share: die.0 / (die.0 + sink.0),
            die_seconds: die.1,
            sink_seconds: sink.1,
            case_seconds: case.1,
            airflow: Airflow::STEADY,
        }
    }

    pub(super) const fn with_airflow(self, airflow: Airflow) -> Self {
        Self { airflow, ..self }
    }

    fn over_case(&self) -> f64 {
        self.rise.degrees() * (1.0 - self.case_share) / self.design_watts
    }

    pub fn die_resistance(&self) -> f64 {
        self.over_case() * self.die_share
    }

    /// While the air moves as at its reference.
    pub fn sink_resistance(&self) -> f64 {
        self.over_case() * (1.0 - self.die_share)
    }

    pub fn case_resistance(&self) -> f64 {
        self.rise.degrees() * self.case_share / self.design_watts
    }

    pub fn die_capacity(&self) -> f64 {
        self.die_seconds / self.die_resistance()
    }

    pub fn sink_capacity(&self) -> f64 {
        self.sink_seconds / self.sink_resistance()
    }

    pub fn leakage_watts_per_degree(&self) -> f64 {
        Self::LEAKAGE_SHARE * self.design_watts
    }

    /// Rise of the sink over the inlet in the long run at so many `watts` and this speed of the fans.
    /// `resistance`: a factor on what the air takes away.
    pub fn sink_rise(&self, watts: f64, speed: f64, resistance: f64) -> f64 {
        let air = self.airflow.resistance(speed);
        let case = self.case_resistance() * self.airflow.case_resistance(speed);
        watts * (self.sink_resistance() * air * resistance + case)
    }
}

/// Degrees at the design power, and seconds.
pub(super) type Mode = (f64, f64);

/// What moves the air, and what that does to the resistance.
#[derive(Clone, Copy, Debug)]
pub struct Airflow {
    /// The resistance from the sink to the air goes with the speed to the power of minus this. 0: no
    /// fan counts.
    pub exponent: f64,
    /// The speed at which the resistances hold, as a share of the highest; so is `lowest`.
    pub reference: f64,
    pub lowest: f64,
    pub control: Control,
    pub reaches: Reach,
}

/// What the fans' air cools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Sink,
    SinkAndCase,
}

/// How the fans follow the temperature.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// A card's own: from this temperature on, so much faster with each degree.
    Curve { from: Celsius, per_degree: f64 },
    /// A chassis's: late and integral, so much faster for each degree over the target and each second.
    Integral { target: Celsius, per_second: f64 },
}

/// A card's own fans reach a new speed within about this many seconds.
const SPIN_SECONDS: f64 = 3.0;

impl Airflow {
    /// The same at all times.
    pub const STEADY: Self = Self {
        exponent: 0.0,
        reference: 1.0,
        lowest: 1.0,
        control: Control::Curve {
            from: Celsius::new(0.0),
            per_degree: 0.0,
        },
        reaches: Reach::Sink,
    };

    pub(super) const fn by_curve(
        reference: f64,
        lowest: f64,
        from: Celsius,
        per_degree: f64,
    ) -> Self {
        Self {
            exponent: 1.0,
            reference,
            lowest,
            control: Control::Curve { from, per_degree },
            reaches: Reach::Sink,
        }
    }

    pub fn is_steady(&self) -> bool {
        self.exponent <= 0.0
    }

    /// The factor on the sink's resistance to the air.
    pub fn resistance(&self, speed: f64) -> f64 {
        if self.is_steady() {
            return 1.0;
        }
        (self.reference / speed.clamp(0.05, 1.0)).powf(self.exponent)
    }

    /// The factor on the case's resistance.
    pub fn case_resistance(&self, speed: f64) -> f64 {
        match self.reaches {
            Reach::Sink => 1.0,
            Reach::SinkAndCase => self.resistance(speed),
        }
    }

    /// The speed at which the fans rest at this temperature.
    pub fn resting_speed(&self, die: Celsius) -> f64 {
        let speed = match self.control {
            Control::Curve { from, per_degree } => {
                self.lowest + (die - from).degrees() * per_degree
            }
            Control::Integral { target, .. } if die > target => 1.0,
            Control::Integral { .. } => self.lowest,
        };
        speed.clamp(self.lowest, 1.0)
    }

    /// The speed `seconds` later.
    pub fn next_speed(&self, speed: f64, die: Celsius, seconds: f64) -> f64 {
        let next = match self.control {
            Control::Curve { .. } => {
                let follows = -(-seconds / SPIN_SECONDS).exp_m1();
                speed + (self.resting_speed(die) - speed) * follows
            }
            Control::Integral { target, per_second } => {
                speed + (die - target).degrees() * per_second * seconds
            }
        };
        next.clamp(self.lowest, 1.0)
    }
}
