//! The stories: their names, what they are about, and what goes wrong in them.

use crate::device::profile::Profile;
use crate::device::sim::Fault;
use crate::policy::Level;

use super::room::LOSS_AT;

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
                "airflow-loss under work that comes and goes, the core sensor frozen a minute before"
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
