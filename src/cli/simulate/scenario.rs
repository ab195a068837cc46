//! The stories: what happens around a card, on any card the same by its own physics.
//!
//! An absolute inlet would be a heat wave for one card and a breeze for another. So rooms are given
//! by what they ask of the card: "holding alert takes 73 % of the default limit" ([`Heat`]).

use crate::device::plant::Load;
use crate::device::profile::Profile;
use crate::device::sim::{Conditions, Fault};
use crate::policy::Level;
use crate::units::Celsius;

use super::physics::Heat;

/// What simulate can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scenario {
    CoolRoom,
    HotInlet,
    InletRamp,
    AirflowLoss,
    Bursty,
    DecodeLike,
    HbmLimited,
    FloorTooHigh,
    FrozenSensor,
    LostResolve,
    SharedAir,
    Clinic,
}

use Scenario::{
    AirflowLoss, Bursty, Clinic, CoolRoom, DecodeLike, FloorTooHigh, FrozenSensor, HbmLimited,
    HotInlet, InletRamp, LostResolve, SharedAir,
};

/// Share of the default limit that holds alert in the hot rooms: the card left alone would go some
/// 14 °C over alert, which is well over critical.
const HOT: f64 = 0.73;

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

/// A neighbour at its default limit warms a card's inlet by this much, in this time.
const NEIGHBOUR: f64 = 8.0;
pub(super) const AIR_SECONDS: f64 = 30.0;

/// The burst: this long at full load, then this long at rest.
const BURST: [u64; 2] = [80, 40];

/// The article's card.
pub(super) const CLINIC_PROFILE: &str = "a100-40gb";

impl Scenario {
    pub(super) const ALL: [Self; 12] = [
        CoolRoom,
        HotInlet,
        InletRamp,
        AirflowLoss,
        Bursty,
        DecodeLike,
        HbmLimited,
        FloorTooHigh,
        FrozenSensor,
        LostResolve,
        SharedAir,
        Clinic,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            CoolRoom => "cool-room",
            HotInlet => "hot-inlet",
            InletRamp => "inlet-ramp",
            AirflowLoss => "airflow-loss",
            Bursty => "bursty",
            DecodeLike => "decode-like",
            HbmLimited => "hbm-limited",
            FloorTooHigh => "floor-too-high",
            FrozenSensor => "frozen-sensor",
            LostResolve => "lost-resolve",
            SharedAir => "shared-air",
            Clinic => "clinic",
        }
    }

    /// One line for the table.
    pub(super) const fn about(self) -> &'static str {
        match self {
            CoolRoom => "90 % load at an 18 °C inlet: there is nothing to do",
            HotInlet => "full load; holding alert takes 73 % of the default limit",
            InletRamp => "full load; the inlet climbs until holding alert takes 70 %, then falls",
            AirflowLoss => {
                "full load, free-running 3 °C under alert; sink resistance x 1.6 after a sixth of the time"
            }
            Bursty => "hot-inlet's room; 80 s of full load, 40 s of rest",
            DecodeLike => {
                "draws 44 % of the default limit, 30 % compute-bound, clogged sink: the limit hardly bites"
            }
            HbmLimited => "full load; the memory reaches its alert 4 °C before the core",
            FloorTooHigh => {
                "full load, blocked sink: the minimum limit leaves the card 3 °C over alert"
            }
            FrozenSensor => {
                "airflow-loss, the core sensor frozen a minute before (margin and memory still tell)"
            }
            LostResolve => {
                "hot-inlet's room for a twelfth of the time, then cool; the alert fires and is renewed for ever"
            }
            SharedAir => "two cards at full load, each warming the other's inlet by up to 8 °C",
            Clinic => "1,287 chest X-rays in 72 hours on two cards beside their usual load",
        }
    }

    pub(super) const fn cards(self) -> usize {
        match self {
            SharedAir | Clinic => 2,
            _ => 1,
        }
    }

    pub(super) const fn hours(self) -> f64 {
        match self {
            Clinic => 72.0,
            _ => 2.0,
        }
    }

    /// Why it can't be told of a card.
    pub(super) fn misfit(self, profile: &Profile) -> Option<&'static str> {
        match self {
            HbmLimited if profile.hbm.is_none() => Some("the card has no memory sensor"),
            Clinic if profile.key != CLINIC_PROFILE => Some("the article's cards are A100 40GB"),
            _ => None,
        }
    }

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
            AirflowLoss | FrozenSensor if past < LOSS_AT => loss,
            AirflowLoss | FrozenSensor => Conditions {
                airflow_resistance: FAILED_AIRFLOW,
                ..loss
            },
            Bursty if second % (BURST[0] + BURST[1]) < BURST[0] => hot,
            Bursty => Conditions {
                load: Load::IDLE,
                ..hot
            },
            DecodeLike => {
                let floor = profile.min_limit.as_f64() / profile.default_limit.as_f64();
                // A fifth under its draw, or as far as the card's minimum reaches.
                let share = (DECODE.power * 0.82).max((floor + 0.015).min(DECODE.power * 0.95));
                let heat = heat.with_airflow(CLOGGED);
                Conditions {
                    load: DECODE,
                    airflow_resistance: CLOGGED,
                    ..Conditions::full_load(heat.inlet_holding(share))
                }
            }
            HbmLimited => {
                let inlet = heat.core_inlet_holding(0.75) - Celsius::new(4.0);
                Conditions {
                    hbm_resistance: heat.hbm_factor_holding(0.75, inlet),
                    ..Conditions::full_load(inlet)
                }
            }
            FloorTooHigh => {
                let floor = profile.min_limit.as_f64() / profile.default_limit.as_f64();
                let heat = heat.with_airflow(BLOCKED);
                Conditions {
                    airflow_resistance: BLOCKED,
                    ..Conditions::full_load(heat.inlet_holding(floor) + Celsius::new(3.0))
                }
            }
            LostResolve if past < 1.0 / 12.0 => hot,
            LostResolve => Conditions::full_load(Celsius::new(18.0)),
            SharedAir => {
                Conditions::full_load(hot.inlet + Celsius::new(NEIGHBOUR * (neighbour - HOT)))
            }
        }
    }

    /// What is wrong with the sensors.
    pub(super) fn fault(self, past: f64) -> Fault {
        if self.lies() && past >= LOSS_AT * 0.95 {
            Fault::FrozenTemperature
        } else {
            Fault::None
        }
    }

    /// Sensors don't tell the truth.
    pub(super) fn lies(self) -> bool {
        self == FrozenSensor
    }

    /// What a firing alert asks for.
    pub(super) fn alert(self, past: f64) -> Option<Level> {
        (self == LostResolve && past >= 1.0 / 24.0).then_some(Level::Gradual)
    }
}

/// Where in the story the fan fails.
const LOSS_AT: f64 = 1.0 / 6.0;

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
