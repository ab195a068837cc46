//! The simulated cards with a recording of temperature and power behind them.
//!
//! Their thermal constants were fitted to public recordings of real cards: what die, sink and case add
//! to the temperature at the default limit, and how fast. A fit of the H100 at 10 Hz has the die within
//! 0.3 s; at 1 Hz, 0.3 s is the shortest that can be told. Limits and thresholds are facts, as in
//! [`super::cards`], where a comment doesn't say otherwise.

use crate::units::{Celsius, Megahertz, Watts};

use super::curve::{A40_CURVE, GTX_1080_TI_CURVE, RTX_4000_ADA_CURVE, V100_CURVE};
use super::model::{Hbm, LimitOffer, Profile};
use super::sensing::{PowerReading, Sensing};
use super::thermal::{Airflow, Reach, Thermal};

/// All of them.
pub static MEASURED: [&Profile; 7] = [
    &V100_32GB,
    &RTX_6000_ADA,
    &H100,
    &H100_COOL,
    &RTX_4000_ADA,
    &GTX_1080_TI,
    &RTX_2080,
];

const fn celsius(degrees: f64) -> Celsius {
    Celsius::new(degrees)
}

const fn watts(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

const fn mhz(megahertz: u32) -> Megahertz {
    Megahertz::new(megahertz)
}

const GIB: u64 = 1 << 30;

/// V100-PCIE-32GB. Its HBM limit is 85 °C, and its HBM is often the hotter sensor. Recorded for a
/// minute at 175 W, under a fan that isn't the maker's; so the rise of the HBM is the one reported of
/// others.
pub static V100_32GB: Profile = Profile {
    key: "v100-32gb",
    name: "Tesla V100-PCIE-32GB",
    architecture: "Volta",
    limit: LimitOffer::Settable,
    default_limit: watts(250),
    min_limit: watts(100),
    max_limit: watts(250),
    idle_power: watts(28),
    max_operating: celsius(83.0),
    slowdown: celsius(87.0),
    shutdown: celsius(90.0),
    has_thresholds: true,
    has_margin: false,
    acoustic_target: None,
    slows_at: None,
    hbm: Some(Hbm {
        max: celsius(85.0),
        has_threshold: true,
        rise: celsius(20.0),
    }),
    gpu_clock_min: mhz(135),
    gpu_clock_max: mhz(1380),
    memory_clocks: &[mhz(877)],
    memory_bytes: 32 * GIB,
    fans: 0,
    ecc: true,
    thermal: Thermal::fitted(250.0, (13.0, 0.3), (27.5, 42.0), (7.5, 300.0)),
    sensing: Sensing::PLAIN,
    curve: &V100_CURVE,
};

/// RTX 6000 Ada Generation. Reference 91 °C, T.Limit 0 / −2 / −7, fan target 85 °C. Recorded: 108 °C
/// of rise with the fan at 30 %, where it stays up to 63 °C. How fast it turns above that isn't
/// recorded; chosen as on the GTX 1080 Ti, so that the card has half of that rise under its target.
pub static RTX_6000_ADA: Profile = Profile {
    key: "rtx-6000-ada",
    name: "NVIDIA RTX 6000 Ada Generation",
    architecture: "Ada",
    limit: LimitOffer::Settable,
    default_limit: watts(300),
    min_limit: watts(100),
    max_limit: watts(300),
    idle_power: watts(22),
    max_operating: celsius(91.0),
    slowdown: celsius(93.0),
    shutdown: celsius(98.0),
    has_thresholds: false,
    has_margin: true,
    acoustic_target: Some(celsius(85.0)),
    slows_at: None,
    hbm: None,
    gpu_clock_min: mhz(210),
    gpu_clock_max: mhz(3105),
    memory_clocks: &[mhz(10_001), mhz(9_501), mhz(5_001), mhz(810), mhz(405)],
    memory_bytes: 48 * GIB,
    fans: 1,
    ecc: true,
    thermal: Thermal::fitted(300.0, (11.0, 0.3), (38.0, 47.0), (59.0, 246.0)).with_airflow(
        Airflow {
            reaches: Reach::SinkAndCase,
            ..Airflow::by_curve(0.3, 0.3, celsius(63.0), 0.03)
        },
    ),
    sensing: Sensing::PLAIN,
    curve: &A40_CURVE,
};

/// H100 80GB HBM3 (SXM5). Reference 87 °C, T.Limit 0 / −2 / −8; still answers absolutely too. Recorded:
/// one of the hot positions of a chassis of eight, with the chassis's fans as they are in the first
/// minutes. It tells the mean draw of the last second.
pub static H100: Profile = Profile {
    key: "h100",
    name: "NVIDIA H100 80GB HBM3",
    architecture: "Hopper",
    limit: LimitOffer::Settable,
    default_limit: watts(700),
    min_limit: watts(200),
    max_limit: watts(700),
    idle_power: watts(70),
    max_operating: celsius(87.0),
    slowdown: celsius(89.0),
    shutdown: celsius(95.0),
    has_thresholds: true,
    has_margin: true,
    acoustic_target: None,
    slows_at: None,
    hbm: Some(Hbm {
        max: celsius(95.0),
        has_threshold: true,
        rise: celsius(22.0),
    }),
    gpu_clock_min: mhz(345),
    gpu_clock_max: mhz(1980),
    memory_clocks: &[mhz(2619)],
    memory_bytes: 80 * GIB,
    fans: 0,
    ecc: true,
    thermal: Thermal::fitted(700.0, (17.8, 0.15), (35.4, 30.0), (2.8, 300.0)),
    sensing: Sensing {
        noise: 1.04,
        power: PowerReading::SecondsMean,
    },
    curve: &V100_CURVE,
};

/// The same card in one of the cool positions of that chassis.
pub static H100_COOL: Profile = Profile {
    key: "h100-cool",
    thermal: Thermal::fitted(700.0, (20.5, 0.15), (19.0, 16.0), (0.0, 300.0)),
    ..H100
};

/// RTX 4000 Ada, a card of 130 W with a blower. Recorded for an hour under limits of 30 to 130 W: at
/// rest, 33 °C per default limit with the fan in the loop. The shares of die and sink, the fan's curve
/// and the thresholds are chosen to fit that.
pub static RTX_4000_ADA: Profile = Profile {
    key: "rtx-4000-ada",
    name: "NVIDIA RTX 4000 Ada Generation",
    default_limit: watts(130),
    min_limit: watts(30),
    max_limit: watts(130),
    idle_power: watts(12),
    gpu_clock_max: mhz(2175),
    memory_clocks: &[mhz(9_001), mhz(8_751), mhz(5_001), mhz(810), mhz(405)],
    memory_bytes: 20 * GIB,
    thermal: Thermal::fitted(130.0, (9.0, 0.3), (48.0, 25.0), (0.0, 300.0))
        .with_airflow(Airflow::by_curve(0.6, 0.3, celsius(53.0), 0.012)),
    curve: &RTX_4000_ADA_CURVE,
    ..RTX_6000_ADA
};

/// `GeForce` GTX 1080 Ti with a big cooler, a stand-in for cards with fans. Recorded: limits of 150 to
/// 300 W, and a fan that turns from 56 °C on, 74 % at 80 °C; momentary readings of the draw. No
/// recording tells thresholds; the guard's own hold.
pub static GTX_1080_TI: Profile = Profile {
    key: "gtx-1080-ti",
    name: "NVIDIA GeForce GTX 1080 Ti",
    architecture: "Pascal",
    default_limit: watts(250),
    min_limit: watts(125),
    max_limit: watts(300),
    idle_power: watts(11),
    max_operating: celsius(85.0),
    slowdown: celsius(93.0),
    shutdown: celsius(96.0),
    has_thresholds: false,
    has_margin: false,
    acoustic_target: None,
    gpu_clock_min: mhz(139),
    gpu_clock_max: mhz(1911),
    memory_clocks: &[mhz(5_505), mhz(5_005), mhz(810), mhz(405)],
    memory_bytes: 11 * GIB,
    fans: 1,
    ecc: false,
    thermal: Thermal::fitted(250.0, (8.0, 0.3), (18.0, 26.0), (11.3, 158.0))
        .with_airflow(Airflow::by_curve(0.74, 0.2, celsius(62.0), 0.03)),
    sensing: Sensing {
        noise: 0.4,
        power: PowerReading::Dipping,
    },
    curve: &GTX_1080_TI_CURVE,
    ..RTX_6000_ADA
};

/// `GeForce` RTX 2080, the maker's own cooler, a stand-in for cards with fans. Recorded: an hour of load
/// and an hour of cooling; the fan stays at 41 % up to 60 °C and reaches 68 % at 84 °C. Thresholds as
/// of the GTX 1080 Ti.
pub static RTX_2080: Profile = Profile {
    key: "rtx-2080",
    name: "NVIDIA GeForce RTX 2080",
    architecture: "Turing",
    default_limit: watts(225),
    min_limit: watts(105),
    max_limit: watts(280),
    idle_power: watts(10),
    gpu_clock_min: mhz(300),
    gpu_clock_max: mhz(2100),
    memory_clocks: &[mhz(7_000), mhz(6_800), mhz(5_001), mhz(810), mhz(405)],
    memory_bytes: 8 * GIB,
    thermal: Thermal::fitted(225.0, (15.0, 3.4), (27.0, 93.0), (17.0, 461.0))
        .with_airflow(Airflow::by_curve(0.68, 0.41, celsius(60.0), 0.011)),
    sensing: Sensing::PLAIN,
    curve: &A40_CURVE,
    ..GTX_1080_TI
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the card rests at `share` of its default limit.
    fn rests(profile: &Profile, share: f64, inlet: f64) -> f64 {
        let thermal = &profile.thermal;
        let watts = profile.default_limit.as_f64() * share;
        let (mut low, mut high) = (inlet, 200.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            let speed = thermal.airflow.resting_speed(celsius(middle));
            let rise = watts * thermal.die_resistance() + thermal.sink_rise(watts, speed, 1.0);
            if inlet + rise > middle {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    #[test]
    fn the_positions_of_a_chassis_are_as_far_apart_as_recorded() {
        let apart = rests(&H100, 0.8, 26.0) - rests(&H100_COOL, 0.8, 26.0);
        assert!((11.0..14.0).contains(&apart), "{apart}");
    }

    #[test]
    fn a_fan_that_follows_the_temperature_halves_what_a_watt_costs() {
        let slope = (rests(&RTX_4000_ADA, 0.95, 25.0) - rests(&RTX_4000_ADA, 0.75, 25.0)) / 0.2;
        assert!((28.0..38.0).contains(&slope), "{slope}");
    }

    #[test]
    fn fans_hold_their_cards_where_they_were_recorded() {
        // Its recording's 46 °C of air are those in the case, which the third mass stands for.
        let ti = rests(&GTX_1080_TI, 1.16, 35.0);
        assert!((76.0..83.0).contains(&ti), "{ti}");
        let rtx = rests(&RTX_2080, 0.96, 30.0);
        assert!((83.0..87.0).contains(&rtx), "{rtx}");
    }
}
