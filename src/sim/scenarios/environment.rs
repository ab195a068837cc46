//! The conditions around a card in each scenario.
//!
//! The same inlet temperature is hot for one card and cool for another. So a room is given by its
//! effect on the card: "at 73 % of the default limit the card is at alert" ([`Heat`]).

use crate::sim::card::Conditions;
use crate::sim::plant::Load;
use crate::sim::profile::Profile;
use crate::units::Celsius;

use super::physics::Heat;
use super::scenario::{LOSS_AT, Scenario};

use Scenario::{
    AirflowLoss, Bursty, Clinic, CoolRoom, DecodeLike, FloorTooHigh, FrozenSensor, HbmLimited,
    HotInlet, InletRamp, LostResolve, SharedAir,
};

/// The share of the default limit that keeps a card at alert in the hot rooms. Without a throttle
/// the card would be about 14 °C above alert, well above critical.
const HOT: f64 = 0.73;

/// The share that keeps the memory at its alert, if the memory gets hot first.
const HBM_HOLDS: f64 = 0.75;

/// A failed fan: the factor on the sink's resistance to the air.
const FAILED_AIRFLOW: f64 = 1.6;

/// Dust: the factor that makes a card hot at little power and a realistic inlet.
const CLOGGED: f64 = 2.0;
const BLOCKED: f64 = 2.5;

/// Token generation draws less than gradual's floor (0.48), so a limit above the floor has no
/// effect. It waits for memory most of the time.
const DECODE: Load = Load {
    power: 0.44,
    compute_bound: 0.3,
};

/// The load between two bursts of requests.
const LULL: Load = Load {
    power: 0.4,
    compute_bound: 1.0,
};

/// A neighbour at its default limit warms a card's inlet by this much, in this time.
const NEIGHBOUR: f64 = 8.0;
pub(crate) const AIR_SECONDS: f64 = 30.0;

/// The burst: this long at full load, then this long at rest.
const BURST: [u64; 2] = [80, 40];

impl Scenario {
    /// The conditions around a card of `profile` at `second`, when the share `past` (0–1) of the
    /// scenario is over. `neighbour`: the draw of the other cards, as a share of the default limit.
    pub(crate) fn conditions(
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

/// With a perfectly steady draw, a frozen sensor looks like a steady card's. So the work comes and
/// goes, as requests do.
fn frozen(loss: Conditions, past: f64, second: u64) -> Conditions {
    let busy = second % (BURST[0] + BURST[1]) < BURST[0];
    Conditions {
        load: if busy { Load::FULL } else { LULL },
        airflow_resistance: if past < LOSS_AT { 1.0 } else { FAILED_AIRFLOW },
        ..loss
    }
}

/// A fifth below the load's draw, or as low as the card's minimum allows.
fn decode_like(profile: &Profile) -> Conditions {
    let reach = (profile.lowest_draw() + 0.015).min(DECODE.power * 0.95);
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
    let inlet = heat.inlet_holding(profile.lowest_draw()) + Celsius::new(3.0);
    Conditions {
        airflow_resistance: BLOCKED,
        ..Conditions::full_load(inlet)
    }
}

/// The inlet rises for a third of the time, stays for a third, falls for a sixth, and stays.
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
