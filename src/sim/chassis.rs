//! Cards in one chassis: one that stands behind another breathes its heat.

use std::time::Duration;

use crate::units::{Celsius, Watts};

/// What the card in front adds to the air of the one behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preheat {
    /// °C for each watt of the card in front.
    per_watt: f64,
    /// The time within which the air follows.
    seconds: f64,
    rise: f64,
}

impl Preheat {
    /// As fitted to a chassis of eight, half of whose cards are 11 °C hotter at equal power. That the
    /// cards in front are the cause is likely, not proven.
    pub const RECORDED: Self = Self {
        per_watt: 0.016,
        seconds: 20.0,
        rise: 0.0,
    };

    /// Lets `time` pass while the card in front draws `ahead`. Returns the rise of the air behind it.
    pub fn pass(&mut self, ahead: Watts, time: Duration) -> Celsius {
        let rests = ahead.as_f64() * self.per_watt;
        let follows = -(-time.as_secs_f64() / self.seconds).exp_m1();
        self.rise += (rests - self.rise) * follows;
        Celsius::new(self.rise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_air_behind_a_loaded_card_is_eleven_degrees_warmer_within_a_minute() {
        let mut preheat = Preheat::RECORDED;
        let front = Watts::from_watts(690);
        let rise = |preheat: &mut Preheat, seconds| {
            preheat.pass(front, Duration::from_secs(seconds)).degrees()
        };
        let soon = rise(&mut preheat, 5);
        assert!((2.0..3.0).contains(&soon), "{soon}");
        let late = rise(&mut preheat, 60);
        assert!((10.5..11.1).contains(&late), "{late}");
    }
}
