//! Words of the document that are names of enums. A newer guard may have a name that this program
//! doesn't know: it stays readable, and is shown as it came.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::Mode;
use crate::guard::Permission;
use crate::policy::{ChainState, Doubt, KnobState, Level, SensorState, State, Trigger, Unguarded};
use crate::web::snapshot::Told;

/// An enum whose values have names in the document.
pub trait Named: Copy + 'static {
    const VALUES: &'static [Self];

    fn name(self) -> &'static str;
}

macro_rules! named {
    ($($type:ident: $values:expr;)*) => {$(
        impl Named for $type {
            const VALUES: &'static [Self] = &$values;

            fn name(self) -> &'static str {
                Self::name(self)
            }
        }
    )*};
}

named! {
    ChainState: Self::ALL;
    Doubt: Self::ALL;
    KnobState: Self::ALL;
    Level: [Self::None, Self::Gradual, Self::Emergency];
    Mode: Self::ALL;
    Permission: Self::ALL;
    SensorState: Self::ALL;
    State: Self::ALL;
    Told: Self::ALL;
    Trigger: Self::ALL;
    Unguarded: Self::ALL;
}

/// A value, or the name of one that this program doesn't know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrUnknown<T> {
    Known(T),
    /// Empty: the document doesn't say.
    Unknown(String),
}

impl<T: Copy> OrUnknown<T> {
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Unknown(_) => None,
        }
    }
}

impl<T: Named> OrUnknown<T> {
    pub fn name(&self) -> &str {
        match self {
            Self::Known(value) => value.name(),
            Self::Unknown(name) => name,
        }
    }
}

impl<T> Default for OrUnknown<T> {
    fn default() -> Self {
        Self::Unknown(String::new())
    }
}

impl<T> From<T> for OrUnknown<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: PartialEq> PartialEq<T> for OrUnknown<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Self::Known(value) if value == other)
    }
}

impl<T: Named> fmt::Display for OrUnknown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Named> Serialize for OrUnknown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de, T: Named> Deserialize<'de> for OrUnknown<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let value = T::VALUES.iter().find(|value| value.name() == name);
        Ok(value.map_or(Self::Unknown(name), |value| Self::Known(*value)))
    }
}
