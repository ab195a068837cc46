//! The state of a knob, for the plan and for the views; and the outcome of a write to it.

use crate::device::{ByClock, Facts, Knob, PowerConstraints};
use crate::policy::types::settings::Settings;
use crate::units::Watts;

/// Limits closer than this count as equal: drivers round, some to watts and some by a milliwatt.
pub const GRAIN: Watts = Watts::from_watts(1);

/// The state of one knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KnobState {
    Working,
    /// Not tried yet, or not since it last failed.
    #[default]
    Unproven,
    /// The card or the driver takes no value. Or it tells none, so that none could be given back.
    Refused,
    /// It takes values, but they have no effect.
    Ineffective,
    /// The card has no such knob, or the configuration switches it off.
    Absent,
}

impl KnobState {
    pub const ALL: [Self; 5] = [
        Self::Working,
        Self::Unproven,
        Self::Refused,
        Self::Ineffective,
        Self::Absent,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Unproven => "unproven",
            Self::Refused => "refused",
            Self::Ineffective => "ineffective",
            Self::Absent => "absent",
        }
    }

    /// The plan may use it.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Working | Self::Unproven)
    }
}

/// A knob's state, for the views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KnobReport {
    pub state: KnobState,
    /// It is refused because the guard lacks permission.
    pub denied: bool,
}

/// The outcome of a write, by its meaning for the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The card stored the value, as far as that can be read back.
    Taken,
    /// The card accepted it, and nothing changed.
    Ignored,
    Refused,
    Denied,
    /// Nothing is known: the write waits for the journal, or the guard only observes.
    Unknown,
}

/// One write of the last tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Milliwatts, the upper end of the lock in MHz, or percent.
    pub value: u32,
    /// The power limit that was read back.
    pub stored: Option<Watts>,
    /// It slows the card down, and gives nothing back.
    pub slows: bool,
    /// The card refused another value as well.
    pub varied: bool,
    pub outcome: Outcome,
}

impl Write {
    /// It should have slowed the card down, and was refused.
    pub(crate) const fn was_refused(self) -> bool {
        use Outcome::{Denied, Refused};
        self.slows && matches!(self.outcome, Refused | Denied)
    }
}

/// The knobs that the plan may use now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Means {
    /// The range of limits that the card really takes.
    pub power: Option<PowerConstraints>,
    /// The limit failed before and is tried again.
    pub power_failed: bool,
    /// Which clocks may be locked.
    pub locks: ByClock<bool>,
    /// The fans may be set.
    pub fan: bool,
}

impl Means {
    /// All knobs that are configured and that the card has.
    pub fn all(settings: &Settings, facts: &Facts) -> Self {
        Self {
            power: facts.power.filter(|_| settings.enabled[Knob::PowerLimit]),
            power_failed: false,
            locks: ByClock::of(|domain| settings.enabled[domain.knob()] && facts.can_lock(domain)),
            fan: settings.enabled[Knob::Fan] && facts.fans > 0,
        }
    }

    pub(crate) fn has(&self, knob: Knob) -> bool {
        match (knob, knob.clock()) {
            (_, Some(domain)) => self.locks[domain],
            (Knob::Fan, None) => self.fan,
            (_, None) => self.power.is_some(),
        }
    }
}
