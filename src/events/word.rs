//! The words in events: enums inside the program, names in the log.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::Mode;
use crate::policy::ask::lease::Turn;
use crate::policy::{ChainState, Level, Trigger};

use super::trouble::Trouble;

/// An enum whose values have names in the log.
pub trait Named: Copy + PartialEq + 'static {
    const VALUES: &'static [Self];

    fn word(self) -> &'static str;
}

macro_rules! named {
    ($($kind:ident: $values:expr;)+) => {
        $(impl Named for $kind {
            const VALUES: &'static [Self] = &$values;

            fn word(self) -> &'static str {
                self.name()
            }
        })+
    };
}

named! {
    ChainState: ChainState::ALL;
    Level: [Level::None, Level::Gradual, Level::Emergency];
    Mode: Mode::ALL;
    Source: [Source::Alert, Source::Manual];
    Trigger: Trigger::ALL;
    Trouble: Trouble::ALL;
    Turn: [Turn::Began, Turn::Changed, Turn::Expired, Turn::Resolved, Turn::Evicted];
    Why: Why::ALL;
}

/// A value of `T`, or a name from the log that only a newer guard knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word<T> {
    Known(T),
    Newer(String),
}

impl<T: Named> Word<T> {
    pub fn named(word: &str) -> Self {
        let known = T::VALUES.iter().find(|value| value.word() == word);
        known.map_or_else(|| Self::Newer(word.to_owned()), |value| Self::Known(*value))
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(value) => value.word(),
            Self::Newer(word) => word,
        }
    }
}

/// The word that an older log lacks.
impl<T> Default for Word<T> {
    fn default() -> Self {
        Self::Newer(String::new())
    }
}

impl<T> From<T> for Word<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T: PartialEq> PartialEq<T> for Word<T> {
    fn eq(&self, value: &T) -> bool {
        matches!(self, Self::Known(known) if known == value)
    }
}

impl<T: Named> fmt::Display for Word<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<T: Named> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self::named(&String::deserialize(from)?))
    }
}

/// Where a lease comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Alert,
    Manual,
}

impl Source {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Manual => "manual",
        }
    }
}

/// Why a throttle began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    SetPoint,
    Alert,
    Critical,
    Lease,
    NoReading,
    /// A guard before this one had left it throttled.
    FoundSo,
}

impl Why {
    pub const ALL: [Self; 6] = [
        Self::SetPoint,
        Self::Alert,
        Self::Critical,
        Self::Lease,
        Self::NoReading,
        Self::FoundSo,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SetPoint => "set point",
            Self::Alert => "alert",
            Self::Critical => "critical",
            Self::Lease => "lease",
            Self::NoReading => "no reading",
            Self::FoundSo => "found so",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_its_value_and_a_newer_one_is_kept() {
        for &level in Level::VALUES {
            let json = serde_json::to_string(&Word::Known(level)).unwrap();
            assert_eq!(json, format!("{:?}", level.name()));
            assert!(serde_json::from_str::<Word<Level>>(&json).unwrap() == level);
        }
        let newer: Word<Level> = serde_json::from_str("\"arctic\"").unwrap();
        assert_eq!(newer, Word::Newer("arctic".to_owned()));
        assert_eq!(serde_json::to_string(&newer).unwrap(), "\"arctic\"");
    }
}
