//! The cards the simulators know, with the numbers real ones report.
//!
//! Limits and thresholds are facts read off `nvidia-smi -q` dumps of real cards (thamada/gls,
//! Apache-2.0, and published reports). The thermal constants are not: nobody publishes them. They
//! are chosen so that each card at its default limit sits 52 °C over its inlet, the die answers
//! within seconds and the sink within a minute or two, as reported of passive data-centre cards.

use crate::units::{Celsius, Megahertz, Watts};

/// A card.
#[derive(Clone, Debug)]
pub struct Profile {
    /// As named on the command line.
    pub key: &'static str,
    pub name: &'static str,
    pub architecture: &'static str,
    pub default_limit: Watts,
    pub min_limit: Watts,
    pub max_limit: Watts,
    pub idle_power: Watts,
    pub max_operating: Celsius,
    pub slowdown: Celsius,
    pub shutdown: Celsius,
    /// The absolute thresholds can still be asked for (older drivers and cards).
    pub has_thresholds: bool,
    /// Margin and T.Limit offsets can be asked for (Ada and Hopper on, but not GeForce).
    pub has_margin: bool,
    pub acoustic_target: Option<Celsius>,
    pub hbm: Option<Hbm>,
    pub gpu_clock_min: Megahertz,
    pub gpu_clock_max: Megahertz,
    /// Highest first.
    pub memory_clocks: &'static [Megahertz],
    pub memory_bytes: u64,
    pub fans: u32,
    pub ecc: bool,
    pub thermal: Thermal,
    pub curve: &'static Curve,
}

/// High-bandwidth memory with a sensor of its own.
#[derive(Clone, Copy, Debug)]
pub struct Hbm {
    pub max: Celsius,
    /// The absolute limit can be asked for.
    pub has_threshold: bool,
    /// Rise over the heat sink at the card's default limit.
    pub rise: Celsius,
}

impl Profile {
    /// Relative clock the card never goes below.
    pub fn slowest(&self) -> f64 {
        self.gpu_clock_min.hertz() / self.gpu_clock_max.hertz()
    }
}

/// Thermal constants.
#[derive(Clone, Copy, Debug)]
pub struct Thermal {
    /// The power the cooler is built for.
    pub design_watts: f64,
    /// Rise of the die over the inlet at that power.
    pub rise: Celsius,
    /// Die-to-sink share of the whole resistance.
    pub die_share: f64,
    /// Time constants of the die over the sink, and of the sink over the air.
    pub die_seconds: f64,
    pub sink_seconds: f64,
}

impl Thermal {
    /// 0.6 W/°C on a 250 W card.
    const LEAKAGE_SHARE: f64 = 0.0024;

    /// The constants of all the profiles here; see the module's doc. The die's share is that of
    /// 0.07 in 0.22 °C/W, of a V100-like card.
    const fn of(design_watts: f64) -> Self {
        Self {
            design_watts,
            rise: Celsius::new(52.0),
            die_share: 0.32,
            die_seconds: 5.0,
            sink_seconds: 50.0,
        }
    }

    pub fn die_resistance(&self) -> f64 {
        self.rise.degrees() * self.die_share / self.design_watts
    }

    pub fn sink_resistance(&self) -> f64 {
        self.rise.degrees() * (1.0 - self.die_share) / self.design_watts
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
}

/// Relative throughput (which is relative clock) over relative power, as points of a line.
#[derive(Debug)]
pub struct Curve(&'static [(f64, f64)]);

/// Zeus traces (NSDI'23, ml-energy/zeus, Apache-2.0): V100, mean of 21 power-bound trainings.
/// Below 40 % extrapolated towards the lowest clock.
static V100_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.15, 0.15),
    (0.4, 0.57),
    (0.5, 0.72),
    (0.6, 0.84),
    (0.7, 0.91),
    (0.8, 0.95),
    (0.9, 0.99),
    (1.0, 1.0),
]);

/// The same source: A40, mean of 17.
static A40_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.15, 0.12),
    (0.333, 0.28),
    (0.417, 0.43),
    (0.5, 0.64),
    (0.583, 0.82),
    (0.667, 0.91),
    (0.75, 0.96),
    (0.833, 0.98),
    (1.0, 1.0),
]);

impl Curve {
    /// Relative clock that `power` of what the load would draw at full clock allows.
    pub fn throughput(&self, power: f64) -> f64 {
        interpolate(self.0.iter().copied(), power)
    }

    /// Relative power at `speed`; the inverse of [`Self::throughput`].
    pub fn power(&self, speed: f64) -> f64 {
        interpolate(self.0.iter().map(|&(power, speed)| (speed, power)), speed)
    }
}

fn interpolate(points: impl Iterator<Item = (f64, f64)>, x: f64) -> f64 {
    let mut last = (0.0, 0.0);
    for (px, py) in points {
        if x <= px {
            let width = px - last.0;
            return if width > 0.0 {
                last.1 + (py - last.1) * (x - last.0) / width
            } else {
                py
            };
        }
        last = (px, py);
    }
    last.1
}

/// The profile of that key.
pub fn named(key: &str) -> Option<&'static Profile> {
    ALL.iter().copied().find(|profile| profile.key == key)
}

/// All of them.
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
    ..A100_40GB
};

/// V100-PCIE-32GB. Its HBM limit is 85 °C, and its HBM is often the hotter sensor.
pub static V100_32GB: Profile = Profile {
    key: "v100-32gb",
    name: "Tesla V100-PCIE-32GB",
    architecture: "Volta",
    min_limit: watts(100),
    idle_power: watts(28),
    max_operating: celsius(83.0),
    slowdown: celsius(87.0),
    shutdown: celsius(90.0),
    hbm: Some(Hbm {
        max: celsius(85.0),
        has_threshold: true,
        rise: celsius(20.0),
    }),
    gpu_clock_min: mhz(135),
    gpu_clock_max: mhz(1380),
    memory_clocks: &[mhz(877)],
    memory_bytes: 32 * GIB,
    ..A100_40GB
};

/// RTX 6000 Ada Generation. Reference 91 °C, T.Limit 0 / −2 / −7, fan target 85 °C.
pub static RTX_6000_ADA: Profile = Profile {
    key: "rtx-6000-ada",
    name: "NVIDIA RTX 6000 Ada Generation",
    architecture: "Ada",
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
    hbm: None,
    gpu_clock_min: mhz(210),
    gpu_clock_max: mhz(3105),
    memory_clocks: &[mhz(10_001), mhz(9_501), mhz(5_001), mhz(810), mhz(405)],
    memory_bytes: 48 * GIB,
    fans: 1,
    ecc: true,
    thermal: Thermal::of(300.0),
    curve: &A40_CURVE,
};

/// H100 80GB HBM3 (SXM5). Reference 87 °C, T.Limit 0 / −2 / −8; still answers absolutely too.
pub static H100: Profile = Profile {
    key: "h100",
    name: "NVIDIA H100 80GB HBM3",
    architecture: "Hopper",
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
    thermal: Thermal::of(700.0),
    curve: &V100_CURVE,
};

/// H200: margins only, the absolute thresholds are gone.
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
    ..RTX_6000_ADA
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_and_its_inverse_agree() {
        for profile in ALL {
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
    fn numbers_stand_in_their_order() {
        for profile in ALL {
            assert!(profile.min_limit < profile.default_limit);
            assert!(profile.default_limit <= profile.max_limit);
            assert!(profile.max_operating < profile.slowdown);
            assert!(profile.slowdown < profile.shutdown);
        }
    }
}
