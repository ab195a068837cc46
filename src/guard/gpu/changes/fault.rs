//! The faults of one GPU, and their details.

use crate::device::Knob;
use crate::events::{Text, Trouble};
use crate::guard::outcomes::{Action, ActionResult};
use crate::policy::cooling::Than;
use crate::policy::{Doubt, FanFault, KnobState, Sensor, SensorState, Unguarded};

/// What happened to a fault on this tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It lasts, or there still is none.
    Same,
    /// It began, or its detail changed.
    Began,
    Ended,
}

/// A fault of one GPU. Each kind of write, each sensor, each knob and each fan has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Gpu(Trouble),
    Write(Action),
    Sensor(Sensor),
    Knob(Knob),
    Fan(usize),
    Cooling(Than),
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Nothing,
    Doubt(Doubt),
    Unguarded(Unguarded),
    Write(Action, ActionResult),
    Sensor(Sensor, SensorState),
    Knob(Knob, KnobState),
    Fan(usize, FanFault),
    Cooling(Than),
}

impl Fault {
    pub(crate) const fn trouble(self) -> Trouble {
        match self {
            Self::Gpu(trouble) => trouble,
            Self::Write(_) => Trouble::ActionFailing,
            Self::Sensor(_) => Trouble::SensorFault,
            Self::Knob(_) => Trouble::KnobFault,
            Self::Fan(_) => Trouble::FanSuspect,
            Self::Cooling(_) => Trouble::CoolingWorse,
        }
    }
}

impl Detail {
    pub(crate) fn text(self) -> Option<Text> {
        Some(match self {
            Self::Nothing => return None,
            Self::Doubt(doubt) => doubt.name().into(),
            Self::Unguarded(why) => why.name().into(),
            Self::Write(action, result) => format!("{}: {}", action.name(), result.name()).into(),
            Self::Sensor(sensor, state) => format!("{}: {}", sensor.name(), state.name()).into(),
            Self::Knob(knob, state) => format!("{}: {}", knob.name(), state.name()).into(),
            Self::Cooling(Than::Before) => "compared with before".into(),
            Self::Cooling(Than::Neighbours) => "compared with its neighbours".into(),
            Self::Fan(fan, fault) => format!("fan {fan}: {}", fault.name()).into(),
        })
    }
}
