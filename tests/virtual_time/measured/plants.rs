//! The plants of the figures: recorded cards in rooms that are too hot for them, under loads that stay
//! or that come and go.

use std::time::Duration;

use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::pattern::Pulses;
use thermal_guard::sim::plant;
use thermal_guard::sim::plant::{Inputs, Load, State};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::{Airflow, Control, Profile, Sensing, Thermal};
use thermal_guard::units::{Celsius, Moment, Ratio, Watts};

/// Plants and oracle go by steps of this.
pub(crate) const STEP: Duration = Duration::from_millis(50);
pub(crate) const STEPS_PER_SECOND: u64 = 20;

/// The limit that holds alert, as a share of the default limit.
const HOLDS: f64 = 0.75;
/// The same of a small card, whose clock falls faster than its draw: at 75 %, half a degree under alert
/// costs it a twentieth of its work.
const SMALL_CARD_HOLDS: f64 = 0.9;

/// Alert lies this far under the maximum operating temperature.
const ALERT_BELOW: f64 = 7.0;

/// A card in a room under a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plant {
    pub(crate) name: &'static str,
    pub(crate) profile: &'static Profile,
    pub(crate) pulses: Pulses,
    pub(crate) inlet: Celsius,
}

impl Plant {
    /// In the room in which the card comes to alert, and no further, at 75 % of its default limit.
    pub(crate) fn new(name: &'static str, profile: &'static Profile, pulses: Pulses) -> Self {
        Self::held_at(HOLDS, name, profile, pulses)
    }

    /// The same with another share of the limit.
    fn held_at(holds: f64, name: &'static str, profile: &'static Profile, pulses: Pulses) -> Self {
        let at = |inlet: f64| Self {
            name,
            profile,
            pulses,
            inlet: Celsius::new(inlet),
        };
        let (mut low, mut high) = (-60.0, 75.0);
        for _ in 0..14 {
            let middle = f64::midpoint(low, high);
            if at(middle).highest(holds) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        at(low)
    }

    pub(crate) fn conditions(&self, now: Moment) -> Conditions {
        Conditions {
            load: self.pulses.load(now, Load::FULL),
            ..Conditions::full_load(self.inlet)
        }
    }

    pub(crate) fn inputs(&self, now: Moment, limit: Watts) -> Inputs {
        let around = self.conditions(now);
        Inputs {
            load: around.load,
            inlet: around.inlet,
            airflow_resistance: around.airflow_resistance,
            hbm_resistance: around.hbm_resistance,
            limit,
            gpu_clock_lock: None,
        }
    }

    pub(crate) fn over_alert(&self, state: &State) -> f64 {
        ALERT_BELOW - state.margin(self.profile).degrees()
    }

    /// The highest temperature of a period at this share of the default limit, in the long run, in
    /// degrees over alert.
    fn highest(&self, share: f64) -> f64 {
        const SETTLED: u64 = 2400;
        let limit = self.profile.default_limit.scaled(Ratio::new(share));
        let mut state = State::idle_at(self.profile, self.inlet);
        // The slow mass needs no more than a hint of the pattern to settle; the last minutes count.
        let mut highest = f64::MIN;
        let mut now = Moment::START;
        while now < Moment::from_start(Duration::from_secs(SETTLED)) {
            let inputs = self.inputs(now, limit);
            plant::advance(self.profile, &mut state, &inputs, STEP);
            now = now + STEP;
            if now > Moment::from_start(Duration::from_secs(SETTLED - 240)) {
                highest = highest.max(self.over_alert(&state));
            }
        }
        highest
    }
}

/// What a recording tells of the core alone.
fn core_of(like: &Profile) -> Profile {
    Profile {
        hbm: None,
        ..like.clone()
    }
}

fn kept(profile: Profile) -> &'static Profile {
    Box::leak(Box::new(profile))
}

/// The same card with another noise of its readings, given as a standard deviation.
pub(crate) fn with_noise(profile: &Profile, deviation: f64) -> &'static Profile {
    kept(Profile {
        sensing: Sensing {
            noise: deviation * 3.0_f64.sqrt(),
            ..profile.sensing
        },
        ..profile.clone()
    })
}

/// The RTX 6000 Ada with its fan stuck at 30 %: it rises by 108 °C at its default limit.
fn stuck_fan() -> Profile {
    let ada = core_of(&profile::RTX_6000_ADA);
    let thermal = Thermal {
        airflow: Airflow::STEADY,
        ..ada.thermal
    };
    Profile { thermal, ..ada }
}

/// An H100 in a chassis whose fans come late: a steady load is hottest after two minutes.
fn late_fans() -> Profile {
    let h100 = core_of(&profile::H100);
    let airflow = Airflow {
        exponent: 1.0,
        reference: 0.6,
        lowest: 0.6,
        control: Control::Integral {
            target: Celsius::new(68.0),
            per_second: 1.0e-4,
        },
        ..Airflow::STEADY
    };
    let thermal = Thermal {
        airflow,
        ..h100.thermal
    };
    Profile { thermal, ..h100 }
}

fn h100() -> &'static Profile {
    kept(core_of(&profile::H100))
}

pub(crate) fn h100_hot() -> Plant {
    Plant::new("H100, hot position", h100(), Pulses::STEADY)
}

pub(crate) fn gtx_1080_ti() -> Plant {
    Plant::new(
        "GTX 1080 Ti",
        kept(core_of(&profile::GTX_1080_TI)),
        Pulses::STEADY,
    )
}

pub(crate) fn h100_bursts(busy: f64, idle: f64) -> Plant {
    let name = format!("H100, {busy}/{idle} s");
    Plant::new(name.leak(), h100(), Pulses::new(busy, idle))
}

/// All recorded cards under a load that stays.
pub(crate) fn steady() -> Vec<Plant> {
    let named = |name, profile| Plant::new(name, kept(profile), Pulses::STEADY);
    vec![
        h100_hot(),
        named("H100, cool position", core_of(&profile::H100_COOL)),
        named("H100, late fans", late_fans()),
        named("V100", core_of(&profile::V100_32GB)),
        named("RTX 6000 Ada", core_of(&profile::RTX_6000_ADA)),
        named("RTX 6000 Ada, fan stuck", stuck_fan()),
        Plant::held_at(
            SMALL_CARD_HOLDS,
            "RTX 4000 Ada",
            kept(core_of(&profile::RTX_4000_ADA)),
            Pulses::STEADY,
        ),
        gtx_1080_ti(),
        named("RTX 2080", core_of(&profile::RTX_2080)),
        named("constants of no recording", core_of(&profile::A100_80GB)),
    ]
}

/// Loads that come and go on the H100's hot position.
pub(crate) fn bursts() -> Vec<Plant> {
    let bursts = [
        (1.0, 0.5),
        (4.0, 2.0),
        (8.0, 4.0),
        (20.0, 10.0),
        (80.0, 40.0),
    ];
    bursts.map(|(busy, idle)| h100_bursts(busy, idle)).into()
}

/// What must not get worse: gaps on the H100, and bursts on a card without a recording.
pub(crate) fn as_before() -> Vec<Plant> {
    let gaps = [(0.9, 0.1), (2.75, 0.25), (2.7, 0.3)].map(|(busy, idle)| h100_bursts(busy, idle));
    let own = kept(core_of(&profile::A100_80GB));
    let bursts = [(4.0, 2.0), (8.0, 4.0), (20.0, 10.0), (80.0, 40.0)].map(|(busy, idle)| {
        let name = format!("constants of no recording, {busy}/{idle} s");
        Plant::new(name.leak(), own, Pulses::new(busy, idle))
    });
    gaps.into_iter().chain(bursts).collect()
}
