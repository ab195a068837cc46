//! What is around a card in each scenario.
//!
//! An absolute inlet would be a heat wave for one card and a breeze for another. So rooms are given
//! by what they ask of the card: "holding alert takes 73 % of the default limit" ([`Heat`]).

use crate::device::plant::Load;
use crate::device::profile::Profile;
use crate::device::sim::Conditions;
use crate::units::Celsius;

use super::physics::Heat;
use super::scenario::Scenario;

use Scenario::{
    AirflowLoss, Bursty, Clinic, CoolRoom, DecodeLike, FloorTooHigh, FrozenSensor, HbmLimited,
    HotInlet, InletRamp, LostResolve, SharedAir,
};

/// Share of the default limit that holds alert in the hot rooms: the card left alone would go some
/// 14 °C over alert, which is well over critical.
const HOT: f64 = 0.73;

/// Share that holds the memory's alert where that comes first.
const HBM_HOLDS: f64 = 0.75;

/// A fan fails: the sink's resistance to the air.
const FAILED_AIRFLOW: f64 = 1.6;

/// Dust: what makes a little power hot at inlets that exist.
const CLOGGED: f64 = 2.0;
const BLOCKED: f64 = 2.5;

/// Token generation draws less than gradual's floor (0.48), so that no limit above it bites, and
/// waits for memory most of the time.
const DECODE: Load = Load {
    power: 0.44,
    compute_bound: 0.3,
};

/// Between two bursts of requests.
const LULL: Load = Load {
    power: 0.4,
    compute_bound: 1.0,
};

/// A neighbour at its default limit warms a card's inlet by this much, in this time.
const NEIGHBOUR: f64 = 8.0;
pub(super) const AIR_SECONDS: f64 = 30.0;

/// The burst: this long at full load, then this long at rest.
const BURST: [u64; 2] = [80, 40];

/// Where in the story the fan fails.
pub(super) const LOSS_AT: f64 = 1.0 / 6.0;

impl Scenario {
    /// What is around a card of `profile`, `past` (0–1) of the story told, at `second`.
    /// `neighbour` is the draw of the others as a share of the default limit.
    pub(super) fn conditions(
        self,
        profile: &Profile,
        past: f64,
        second: u64,
        neighbour: f64,
    ) -> Conditions {
        let heat = Heat::of(profile);
        let hot = Conditions::full_load(heat.inlet_holding(HOT));
        let loss = Conditions::full_load(heat.inlet_holding(1.0) - Celsius::new(3.0));
        match self {
            CoolRoom => Conditions {
                load: Load {
                    power: 0.9,
                    ..Load::FULL
                },
                ..Conditions::full_load(Celsius::new(18.0))
            },
            HotInlet | Clinic => hot,
            InletRamp => Conditions::full_load(ramp(&heat, past)),
            AirflowLoss if past < LOSS_AT => loss,
            AirflowLoss => Conditions {
                airflow_resistance: FAILED_AIRFLOW,
                ..loss
            },
            FrozenSensor => frozen(loss, past, second),
            Bursty if second % (BURST[0] + BURST[1]) < BURST[0] => hot,
            Bursty => Conditions {
                load: Load::IDLE,
                ..hot
            },
            DecodeLike => decode_like(profile),
            HbmLimited => hbm_limited(&heat),
            FloorTooHigh => floor_too_high(profile),
            LostResolve if past < 1.0 / 12.0 => hot,
            LostResolve => Conditions::full_load(Celsius::new(18.0)),
            SharedAir => {
                let warmed = NEIGHBOUR * (neighbour - HOT);
                Conditions::full_load(hot.inlet + Celsius::new(warmed))
            }
        }
    }
}

/// Under a perfectly steady draw a frozen sensor looks like a steady card's to anybody; so the work
/// comes and goes, as requests do.
fn frozen(loss: Conditions, past: f64, second: u64) -> Conditions {
    let busy = second % (BURST[0] + BURST[1]) < BURST[0];
    Conditions {
        load: if busy { Load::FULL } else { LULL },
        airflow_resistance: if past < LOSS_AT { 1.0 } else { FAILED_AIRFLOW },
        ..loss
    }
}

/// A fifth under its draw, or as far as the card's minimum reaches.
fn decode_like(profile: &Profile) -> Conditions {
    let reach = (floor(profile) + 0.015).min(DECODE.power * 0.95);
    let share = (DECODE.power * 0.82).max(reach);
    let heat = Heat::of(profile).with_airflow(CLOGGED);
    Conditions {
        load: DECODE,
        airflow_resistance: CLOGGED,
        ..Conditions::full_load(heat.inlet_holding(share))
    }
}

fn hbm_limited(heat: &Heat<'_>) -> Conditions {
    let inlet = heat.core_inlet_holding(HBM_HOLDS) - Celsius::new(4.0);
    Conditions {
        hbm_resistance: heat.hbm_factor_holding(HBM_HOLDS, inlet),
        ..Conditions::full_load(inlet)
    }
}

fn floor_too_high(profile: &Profile) -> Conditions {
    let heat = Heat::of(profile).with_airflow(BLOCKED);
    let inlet = heat.inlet_holding(floor(profile)) + Celsius::new(3.0);
    Conditions {
        airflow_resistance: BLOCKED,
        ..Conditions::full_load(inlet)
    }
}

/// The minimum limit as a share of the default.
fn floor(profile: &Profile) -> f64 {
    profile.min_limit.as_f64() / profile.default_limit.as_f64()
}

/// A third of the time up, a third on top, a sixth down, and the rest.
fn ramp(heat: &Heat<'_>, past: f64) -> Celsius {
    let cool = heat.inlet_holding(1.0).degrees() - 3.0;
    let top = heat.inlet_holding(0.70).degrees();
    let warm = heat.inlet_holding(0.85).degrees();
    let between = |from: f64, to: f64, share: f64| from + (to - from) * share.clamp(0.0, 1.0);
    let inlet = if past < 2.0 / 3.0 {
        between(cool, top, past * 3.0)
    } else {
        between(top, warm, (past - 2.0 / 3.0) * 6.0)
    };
    Celsius::new(inlet)
}
