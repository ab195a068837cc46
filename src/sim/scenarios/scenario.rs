//! The scenarios: names, descriptions and faults.

use crate::policy::Level;
use crate::sim::card::Fault;
use crate::sim::profile::Profile;

/// The scenarios of `simulate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
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

/// The fan fails at this share of the story.
pub(crate) const LOSS_AT: f64 = 1.0 / 6.0;

/// The article's card.
pub(crate) const CLINIC_PROFILE: &str = "a100-40gb";

impl Scenario {
    pub(crate) const ALL: [Self; 12] = [
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

    pub(crate) const fn name(self) -> &'static str {
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

    /// The description in the table.
    pub(crate) const fn about(self) -> &'static str {
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
                "airflow-loss under work that comes and goes, the core sensor frozen a minute before"
            }
            LostResolve => {
                "hot-inlet's room for a twelfth of the time, then cool; the alert fires and is renewed for ever"
            }
            SharedAir => "two cards at full load, each warming the other's inlet by up to 8 °C",
            Clinic => "1,287 chest X-rays in 72 hours on two cards beside their usual load",
        }
    }

    pub(crate) const fn cards(self) -> usize {
        match self {
            SharedAir | Clinic => 2,
            _ => 1,
        }
    }

    pub(crate) const fn hours(self) -> f64 {
        match self {
            Clinic => 72.0,
            _ => 2.0,
        }
    }

    /// Why the scenario doesn't fit a card.
    pub(crate) fn misfit(self, profile: &Profile) -> Option<&'static str> {
        match self {
            HbmLimited if profile.hbm.is_none() => Some("the card has no memory sensor"),
            Clinic if profile.key != CLINIC_PROFILE => Some("the article's cards are A100 40GB"),
            _ => None,
        }
    }

    /// The fault of the sensors.
    pub(crate) fn fault(self, past: f64) -> Fault {
        if self.lies() && past >= LOSS_AT * 0.95 {
            Fault::FrozenTemperature
        } else {
            Fault::None
        }
    }

    /// The sensors don't tell the truth.
    pub(crate) fn lies(self) -> bool {
        self == FrozenSensor
    }

    /// The level that a firing alert asks for.
    pub(crate) fn alert(self, past: f64) -> Option<Level> {
        (self == LostResolve && past >= 1.0 / 24.0).then_some(Level::Gradual)
    }
}

/// A scenario on a card, for so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Story {
    pub(crate) scenario: Scenario,
    pub(crate) profile: &'static Profile,
    pub(crate) seconds: u64,
}

impl Story {
    pub(crate) fn cards(&self) -> usize {
        self.scenario.cards()
    }

    pub(crate) fn hours(&self) -> f64 {
        self.seconds as f64 / 3600.0
    }
}
