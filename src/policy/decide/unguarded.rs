//! Why the guard can do nothing for a GPU. `normal` means guarded, so this is a state of its own.

use crate::device::{ByKnob, Knob};
use crate::policy::knobs::{KnobReport, KnobState};
use crate::policy::sense::View;
use crate::policy::types::observation::Observation;

/// Why the guard can do nothing for the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unguarded {
    /// An operator detached it.
    Detached,
    /// Another guard holds it.
    AnotherGuard,
    /// It can't be opened, or it was lost and isn't back.
    NotOpen,
    /// Neither the card nor a file has ever offered a temperature.
    NoTemperature,
    /// The card has no knob that may be used, and no application is configured for it.
    NothingToTurn,
    /// The driver refuses every write for lack of permission.
    NoPermission,
}

impl Unguarded {
    pub const ALL: [Self; 6] = [
        Self::Detached,
        Self::AnotherGuard,
        Self::NotOpen,
        Self::NoTemperature,
        Self::NothingToTurn,
        Self::NoPermission,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Detached => "detached",
            Self::AnotherGuard => "another_guard",
            Self::NotOpen => "not_open",
            Self::NoTemperature => "no_temperature",
            Self::NothingToTurn => "nothing_to_turn",
            Self::NoPermission => "no_permission",
        }
    }

    /// The problem and the remedy, for people.
    pub const fn explained(self) -> &'static str {
        match self {
            Self::Detached => "detached by an operator; `thermal-guard attach` takes it again",
            Self::AnotherGuard => {
                "this guard can't lock it: make --lock.dir writable and the guard's own, and restart the guard"
            }
            Self::NotOpen => "it can't be opened: see dmesg and nvidia-smi; it may need a reset",
            Self::NoTemperature => {
                "neither the card nor a configured sensor offers a temperature: configure one under `sensors`, or rely on the card's own slowdown"
            }
            Self::NothingToTurn => {
                "the card takes neither a power limit nor a clock lock, and no application is told: configure one under `apps`, or rely on the card's own slowdown"
            }
            Self::NoPermission => {
                "the driver refuses every write: run the guard as root or with CAP_SYS_ADMIN"
            }
        }
    }

    /// The reason, as far as the policy itself knows.
    pub(crate) fn of(
        seen: &Observation<'_>,
        view: View,
        knobs: ByKnob<KnobReport>,
        closed_for_long: bool,
    ) -> Option<Self> {
        let states =
            |wanted: fn(&KnobReport) -> bool| knobs.iter().filter(|(_, it)| wanted(it)).count();
        let there = states(|it| it.state != KnobState::Absent);
        let denied = states(|it| it.denied);
        let turns = states(|it| it.state.is_usable());
        if seen.locked_out {
            Some(Self::AnotherGuard)
        } else if closed_for_long {
            Some(Self::NotOpen)
        } else if !seen.open {
            None
        } else if view == View::Never {
            Some(Self::NoTemperature)
        } else if there > 0 && denied == there {
            Some(Self::NoPermission)
        } else if turns == 0 && !seen.has_app {
            Some(Self::NothingToTurn)
        } else {
            None
        }
    }
}

/// The knobs that aren't in the plan, for `infeasible` and the log.
pub fn out_of_the_plan(knobs: &ByKnob<KnobReport>) -> impl Iterator<Item = (Knob, KnobState)> + '_ {
    let out = |state: KnobState| matches!(state, KnobState::Refused | KnobState::Ineffective);
    knobs
        .iter()
        .map(|(knob, report)| (knob, report.state))
        .filter(move |(_, state)| out(*state))
}

#[cfg(test)]
mod tests;
