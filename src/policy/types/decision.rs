//! The policy's output.

use std::time::Duration;

use crate::device::{ByKnob, Knob};
use crate::policy::decide::unguarded::Unguarded;
use crate::policy::knobs::{KnobReport, KnobState};
use crate::policy::sense::trips::Heat;
use crate::policy::sense::{BySensor, Doubt, FirmwareReport, Sensor, SensorReport, SuspectFans};
use crate::policy::state::{Level, State};
use crate::policy::types::targets::Targets;

/// What to do, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings, each a metric"
)]
pub struct Decision {
    pub state: State,
    pub level: Level,
    pub targets: Targets,
    /// `None`: the temperature is unknown.
    pub heat: Option<Heat>,
    pub asks: Asks,
    /// What caused the present throttle.
    pub trigger: Option<Trigger>,
    /// This tick's transition, if any.
    pub transition: Option<Transition>,
    /// Even the coldest rung doesn't hold the GPU below its set point.
    pub infeasible: bool,
    /// Another program keeps setting higher limits.
    pub contested: bool,
    /// Another program's limit became the original on this tick.
    pub foreign_limit: bool,
    /// Why the sensors aren't fully trusted.
    pub doubt: Option<Doubt>,
    /// Live leases aren't obeyed, because they have held the GPU for `max_hold` within an hour.
    pub overheld: bool,
    /// Nothing is given back, because an extra sensor was lost while it was above safe.
    pub withheld: bool,
    /// The doubted sensor, if it is one of the card's own.
    pub doubted: Option<Sensor>,
    /// The state of each sensor and of each knob.
    pub sensors: BySensor<SensorReport>,
    pub knobs: ByKnob<KnobReport>,
    /// Fans that don't do what the card needs.
    pub fans: SuspectFans,
    /// Locks that the card has lost and that must be set again.
    pub renew: ByKnob<bool>,
    /// Why the guard can do nothing for the GPU.
    pub unguarded: Option<Unguarded>,
    /// What the card does about heat by itself.
    pub firmware: FirmwareReport,
    /// How much longer leases may hold the GPU within this hour.
    pub hold_left: Duration,
}

/// It is off by default, and most cards have none.
const FAN_UNKNOWN: KnobReport = KnobReport {
    state: KnobState::Absent,
    denied: false,
};

impl Decision {
    /// No temperature is known, and nothing is done.
    pub fn unseen() -> Self {
        Self {
            state: State::Normal,
            level: Level::None,
            targets: Targets::default(),
            heat: None,
            asks: Asks::default(),
            trigger: None,
            transition: None,
            infeasible: false,
            contested: false,
            foreign_limit: false,
            overheld: false,
            doubt: None,
            withheld: false,
            doubted: None,
            sensors: BySensor::default(),
            knobs: ByKnob::default().with(Knob::Fan, FAN_UNKNOWN),
            fans: SuspectFans::default(),
            renew: ByKnob::default(),
            unguarded: None,
            firmware: FirmwareReport::default(),
            hold_left: Duration::ZERO,
        }
    }

    /// The decision for a GPU that isn't open, or that an operator detached.
    pub fn unguarded(why: Unguarded) -> Self {
        Self {
            state: State::Unguarded,
            unguarded: Some(why),
            ..Self::unseen()
        }
    }
}

/// The level that each source asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Asks {
    pub local: Level,
    pub alert: Level,
    pub manual: Level,
}

impl Asks {
    /// The trigger of a throttle at `level`. `fallback`: an expected alert chain is missing.
    pub(crate) fn trigger(self, level: Level, fallback: bool) -> Trigger {
        match level {
            _ if self.local >= level && fallback => Trigger::Fallback,
            _ if self.local >= level => Trigger::Local,
            _ if self.alert >= level => Trigger::Alert,
            _ => Trigger::Manual,
        }
    }
}

/// What caused a throttle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Alert,
    Local,
    /// The local loop, while an expected alert chain is missing.
    Fallback,
    Manual,
}

impl Trigger {
    pub const ALL: [Self; 4] = [Self::Alert, Self::Local, Self::Fallback, Self::Manual];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Local => "local",
            Self::Fallback => "fallback",
            Self::Manual => "manual",
        }
    }
}

/// A transition worth a log line and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// A throttle of this level began.
    Throttled(Level, Trigger),
    /// Emergency became gradual.
    Eased,
    /// Giving back began.
    Recovering,
    /// The GPU has everything back.
    Recovered,
    /// The temperature is unknown.
    Blinded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_have_the_contracts_names() {
        let names = Trigger::ALL.map(Trigger::name);
        assert_eq!(names, ["alert", "local", "fallback", "manual"]);
    }
}
