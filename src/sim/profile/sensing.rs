//! How a card tells its temperature and its draw when nothing is wrong with it.

/// What a card's own sensors are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensing {
    /// Half the width of the temperature's noise, in °C, before it rounds to whole degrees.
    pub noise: f64,
    pub power: PowerReading,
}

impl Sensing {
    /// Of a card without a recording.
    pub const PLAIN: Self = Self {
        noise: 0.4,
        power: PowerReading::Momentary,
    };
}

/// What the draw that a card tells is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerReading {
    /// The draw of this moment.
    Momentary,
    /// The same, and now and then of a moment at which the card did little: of a steady load, 5 % of
    /// the samples tell less than two thirds, 1 % less than half.
    Dipping,
    /// The mean of the last second.
    SecondsMean,
}

impl PowerReading {
    /// The share of the draw that one sample tells. `chance`: 0 to 1, another for each sample.
    pub fn share_told(self, chance: f64) -> f64 {
        const SELDOM: f64 = 0.01;
        const OFTEN: f64 = 0.05;
        match self {
            Self::Dipping if chance < SELDOM => 0.4 + 0.1 * chance / SELDOM,
            Self::Dipping if chance < OFTEN => 0.5 + 0.16 * (chance - SELDOM) / (OFTEN - SELDOM),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_momentary_sample_dips_as_often_and_as_far_as_recorded() {
        let told =
            |percent: u32| PowerReading::Dipping.share_told((f64::from(percent) + 0.5) / 100.0);
        let under = |share: f64| (0..100).filter(|percent| told(*percent) < share).count();
        assert_eq!((under(0.5), under(0.661), under(1.0)), (1, 5, 5));
        assert!(PowerReading::SecondsMean.share_told(0.0).to_bits() == 1.0_f64.to_bits());
    }
}
