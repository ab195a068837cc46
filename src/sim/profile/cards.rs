//! The cards that the simulators know, with the numbers that real ones report; here those without a
//! recording of temperature and power.
//!
//! Limits and thresholds are facts from `nvidia-smi -q` dumps of real cards (thamada/gls,
//! Apache-2.0, and published reports). The thermal constants here are not: no vendor publishes them,
//! and no recording of these cards was found. They are chosen so that each card at its default limit is
//! 52 °C above its inlet (recorded data-centre cards: 35 to 56), the die follows the power within
//! seconds, and the sink within a minute or two.

use crate::units::{Celsius, Megahertz, Watts};

use super::curve::V100_CURVE;
use super::measured::{
    GTX_1080_TI, H100, H100_COOL, RTX_2080, RTX_4000_ADA, RTX_6000_ADA, V100_32GB,
};
use super::model::{Hbm, LimitOffer, Profile};
use super::sensing::Sensing;
use super::thermal::Thermal;

/// The profile with this key.
pub fn named(key: &str) -> Option<&'static Profile> {
    KNOWN.iter().copied().find(|profile| profile.key == key)
}

/// All profiles.
pub static KNOWN: [&Profile; 15] = [
    &A100_40GB,
    &A100_80GB,
    &V100_32GB,
    &RTX_6000_ADA,
    &H100,
    &H100_COOL,
    &H200,
    &L40S,
    &RTX_4090,
    &RTX_4000_ADA,
    &GTX_1080_TI,
    &RTX_2080,
    &RTX_3090,
    &GB10,
    &RTX_5090_LAPTOP,
];

/// Those whose power limit can't be set.
pub static WITHOUT_LIMIT: [&Profile; 2] = [&GB10, &RTX_5090_LAPTOP];

/// Those whose power limit can be set, and whose firmware doesn't act before the guard: one of each
/// kind. A further position in a chassis and stand-ins for cards with fans are only among the measured
/// ones.
pub static ALL: [&Profile; 8] = [
    &A100_40GB,
    &A100_80GB,
    &V100_32GB,
    &RTX_6000_ADA,
    &H100,
    &H200,
    &L40S,
    &RTX_4090,
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

/// A100-PCIE-40GB. Minimum limit and thresholds as on the 80 GB `PCIe` card: no dump was found.
pub static A100_40GB: Profile = Profile {
    key: "a100-40gb",
    name: "NVIDIA A100-PCIE-40GB",
    architecture: "Ampere",
    limit: LimitOffer::Settable,
    default_limit: watts(250),
    min_limit: watts(150),
    max_limit: watts(250),
    idle_power: watts(36),
    max_operating: celsius(85.0),
    slowdown: celsius(89.0),
    shutdown: celsius(92.0),
    has_thresholds: true,
    has_margin: false,
    acoustic_target: None,
    slows_at: None,
    hbm: Some(Hbm {
        max: celsius(95.0),
        has_threshold: true,
        rise: celsius(22.0),
    }),
    gpu_clock_min: mhz(210),
    gpu_clock_max: mhz(1410),
    memory_clocks: &[mhz(1215)],
    memory_bytes: 40 * GIB,
    fans: 0,
    ecc: true,
    thermal: Thermal::of(250.0),
    sensing: Sensing::PLAIN,
    curve: &V100_CURVE,
};

/// A100-SXM4-80GB, the 400 W part.
pub static A100_80GB: Profile = Profile {
    key: "a100-80gb",
    name: "NVIDIA A100-SXM4-80GB",
    default_limit: watts(400),
    min_limit: watts(100),
    max_limit: watts(400),
    idle_power: watts(60),
    memory_clocks: &[mhz(1593)],
    memory_bytes: 80 * GIB,
    thermal: Thermal::of(400.0),
    sensing: Sensing::PLAIN,
    ..A100_40GB
};

/// H200: margins only, the absolute thresholds are gone. No recording.
pub static H200: Profile = Profile {
    key: "h200",
    name: "NVIDIA H200",
    has_thresholds: false,
    hbm: Some(Hbm {
        max: celsius(95.0),
        has_threshold: false,
        rise: celsius(24.0),
    }),
    memory_clocks: &[mhz(3201)],
    memory_bytes: 141 * GIB,
    thermal: Thermal::of(700.0),
    sensing: Sensing::PLAIN,
    ..H100
};

/// L40S. Reference 87 °C, T.Limit 0 / −2 / −5, no memory sensor.
pub static L40S: Profile = Profile {
    key: "l40s",
    name: "NVIDIA L40S",
    default_limit: watts(350),
    max_limit: watts(350),
    idle_power: watts(35),
    max_operating: celsius(87.0),
    slowdown: celsius(89.0),
    shutdown: celsius(92.0),
    acoustic_target: None,
    gpu_clock_max: mhz(2520),
    memory_clocks: &[mhz(9_001), mhz(8_251), mhz(5_001), mhz(810), mhz(405)],
    fans: 0,
    thermal: Thermal::of(350.0),
    sensing: Sensing::PLAIN,
    ..RTX_6000_ADA
};

/// `GeForce` RTX 4090, the 450 W part with reference 84 °C; thresholds but no margin through NVML.
pub static RTX_4090: Profile = Profile {
    key: "rtx-4090",
    name: "NVIDIA GeForce RTX 4090",
    default_limit: watts(450),
    min_limit: watts(150),
    max_limit: watts(450),
    idle_power: watts(18),
    max_operating: celsius(84.0),
    slowdown: celsius(86.0),
    shutdown: celsius(91.0),
    has_thresholds: true,
    has_margin: false,
    acoustic_target: Some(celsius(83.0)),
    memory_clocks: &[mhz(10_501), mhz(10_251), mhz(5_001), mhz(810), mhz(405)],
    memory_bytes: 24 * GIB,
    fans: 2,
    ecc: false,
    thermal: Thermal::of(450.0),
    sensing: Sensing::PLAIN,
    ..RTX_6000_ADA
};

/// `GeForce` RTX 3090: maximum 93 °C, and a firmware that slows it down at its target of 83 °C, under
/// the guard's alert. Not in [`ALL`]: its firmware acts before the guard in every scenario.
pub static RTX_3090: Profile = Profile {
    key: "rtx-3090",
    name: "NVIDIA GeForce RTX 3090",
    architecture: "Ampere",
    default_limit: watts(350),
    min_limit: watts(100),
    max_limit: watts(366),
    idle_power: watts(20),
    max_operating: celsius(93.0),
    slowdown: celsius(95.0),
    shutdown: celsius(98.0),
    slows_at: Some(celsius(83.0)),
    gpu_clock_max: mhz(2100),
    memory_clocks: &[mhz(9_751), mhz(9_501), mhz(5_001), mhz(810), mhz(405)],
    thermal: Thermal::of(350.0),
    sensing: Sensing::PLAIN,
    ..RTX_4090
};

/// The GPU of a DGX Spark. Reported of driver 580: no power limit, no memory size or clock, no list of
/// clocks; draw, temperature, SM clock, its maximum, utilization and energy are told. No recording
/// tells the rest. Chosen: draws and thermal constants, the lowest clock, that no thresholds are told
/// (so that the guard's own hold), and those at which the card acts.
pub static GB10: Profile = Profile {
    key: "gb10",
    name: "NVIDIA GB10",
    architecture: "Blackwell",
    limit: LimitOffer::Absent,
    default_limit: watts(100),
    min_limit: watts(50),
    max_limit: watts(100),
    idle_power: watts(8),
    max_operating: celsius(85.0),
    slowdown: celsius(95.0),
    shutdown: celsius(105.0),
    has_thresholds: false,
    has_margin: false,
    acoustic_target: None,
    slows_at: None,
    hbm: None,
    gpu_clock_min: mhz(208),
    gpu_clock_max: mhz(3003),
    memory_clocks: &[],
    memory_bytes: 0,
    fans: 0,
    ecc: false,
    thermal: Thermal::of(100.0),
    sensing: Sensing::PLAIN,
    curve: &V100_CURVE,
};

/// `GeForce` RTX 5090 Laptop. Reported of laptops: the driver tells a range and refuses every new limit
/// as not supported; fans belong to the laptop. NVIDIA gives 95 to 150 W and 25 W of boost. No
/// recording tells the thresholds, the clocks or the lowest limit: chosen, near the desktop card's.
pub static RTX_5090_LAPTOP: Profile = Profile {
    key: "rtx-5090-laptop",
    name: "NVIDIA GeForce RTX 5090 Laptop GPU",
    architecture: "Blackwell",
    limit: LimitOffer::Refused,
    default_limit: watts(150),
    min_limit: watts(50),
    max_limit: watts(175),
    idle_power: watts(12),
    max_operating: celsius(87.0),
    slowdown: celsius(92.0),
    shutdown: celsius(97.0),
    acoustic_target: None,
    gpu_clock_min: mhz(180),
    gpu_clock_max: mhz(3090),
    memory_clocks: &[mhz(14_001), mhz(7_001), mhz(810), mhz(405)],
    memory_bytes: 24 * GIB,
    fans: 0,
    thermal: Thermal::of(150.0),
    sensing: Sensing::PLAIN,
    ..RTX_4090
};

#[cfg(test)]
mod tests {
    use super::super::measured::MEASURED;
    use super::*;

    #[test]
    fn the_curve_and_its_inverse_agree() {
        for profile in KNOWN {
            for percent in 1..=100 {
                let power = f64::from(percent) / 100.0;
                let back = profile.curve.power(profile.curve.throughput(power));
                assert!(
                    (back - power).abs() < 1e-9,
                    "{} {power} {back}",
                    profile.key
                );
            }
        }
    }

    #[test]
    fn the_limits_and_thresholds_of_a_profile_are_in_order() {
        for profile in KNOWN {
            assert!(profile.slows_at.is_none_or(|at| at < profile.max_operating));
            assert!(profile.min_limit < profile.default_limit);
            assert!(profile.default_limit <= profile.max_limit);
            assert!(profile.max_operating < profile.slowdown);
            assert!(profile.slowdown < profile.shutdown);
        }
    }

    #[test]
    fn each_known_card_is_in_one_of_the_lists() {
        for profile in KNOWN {
            let listed = |list: &[&Profile]| list.iter().any(|card| card.key == profile.key);
            let settable = profile.limit == LimitOffer::Settable;
            let guard_acts_first = profile.slows_at.is_none();
            let one_more = listed(&MEASURED) && !listed(&ALL);
            assert_eq!(
                (listed(&ALL) || one_more, listed(&WITHOUT_LIMIT)),
                (settable && guard_acts_first, !settable)
            );
        }
    }
}
