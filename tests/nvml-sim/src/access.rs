//! How a call is made, and what it sees of its card.

use thermal_guard::sim::faults::Call;
use thermal_guard::sim::plant::Flow;
use thermal_guard::sim::profile::Profile;

use crate::code::Outcome;
use crate::fault::Feature;
use crate::layout::Card;
use crate::senses::Sensed;

/// How a call stands to the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Answered from what the library knows: doesn't hang.
    Cached,
    /// Asks the card.
    Read(Feature),
    /// Tells the card.
    Write(Feature),
}

impl Access {
    /// By a call that can be told what to answer.
    pub const fn by(self, call: Call) -> Asked {
        Asked {
            access: self,
            call: Some(call),
        }
    }
}

/// A call as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub access: Access,
    pub call: Option<Call>,
}

impl From<Access> for Asked {
    fn from(access: Access) -> Self {
        Self { access, call: None }
    }
}

/// A card under a call.
#[derive(Debug)]
pub struct Seen<'a> {
    pub index: usize,
    pub card: &'a mut Card,
    pub profile: &'static Profile,
    pub driver_version: &'a str,
    /// Simulated seconds since the machine was made.
    pub now: f64,
    /// What the sensors tell.
    pub sensed: Sensed,
    /// What the call was told to answer.
    pub told: Option<i64>,
    /// The card's index, if the driver counts it.
    pub counted: Option<usize>,
}

impl Seen<'_> {
    /// What flows in it now.
    pub fn flow(&self) -> Flow {
        self.card.flow()
    }

    /// What the call was told to answer, as `value`, or the truth.
    pub fn told_or<T>(
        &self,
        value: impl FnOnce(i64) -> T,
        truth: impl FnOnce(&Self) -> Outcome<T>,
    ) -> Outcome<T> {
        match self.told {
            Some(number) => Ok(value(number)),
            None => truth(self),
        }
    }
}
