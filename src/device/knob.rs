//! The table of knobs: everything that the guard can set on a GPU, one row each.
//!
//! A new clock lock starts here: a variant in both enums, and its names.
//! `tests/fourth_knob/video_clock.patch` shows the other files that it touches.

use std::ops::{Index, IndexMut};

/// A setting of the card that slows it down and can be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knob {
    PowerLimit,
    /// The SM clock lock.
    GpuClock,
    MemoryClock,
    /// The speed of all fans. It cools the card instead of slowing it down.
    Fan,
}

/// A clock that can be locked. The driver doesn't tell which lock is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClockDomain {
    /// The SM clock.
    Gpu,
    Memory,
}

/// The names of a clock lock and of the two ways to write it, for configuration, journal and metrics.
struct Names {
    knob: &'static str,
    lock: &'static str,
    reset: &'static str,
    words: &'static str,
}

impl Knob {
    pub const ALL: [Self; 4] = [
        Self::PowerLimit,
        Self::GpuClock,
        Self::MemoryClock,
        Self::Fan,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerLimit => "power_limit",
            Self::GpuClock => ClockDomain::Gpu.names().knob,
            Self::MemoryClock => ClockDomain::Memory.names().knob,
            Self::Fan => "fan",
        }
    }

    /// The clock that this knob locks, if it locks one.
    pub const fn clock(self) -> Option<ClockDomain> {
        match self {
            Self::PowerLimit | Self::Fan => None,
            Self::GpuClock => Some(ClockDomain::Gpu),
            Self::MemoryClock => Some(ClockDomain::Memory),
        }
    }

    /// The configuration's default. A memory clock lock does nothing or harm on most cards, and a fan
    /// that a program sets no longer follows the temperature.
    pub const fn is_default(self) -> bool {
        !matches!(self, Self::MemoryClock | Self::Fan)
    }
}

impl ClockDomain {
    pub const ALL: [Self; 2] = [Self::Gpu, Self::Memory];

    pub const fn knob(self) -> Knob {
        match self {
            Self::Gpu => Knob::GpuClock,
            Self::Memory => Knob::MemoryClock,
        }
    }

    const fn names(self) -> Names {
        match self {
            Self::Gpu => Names {
                knob: "gpu_clock",
                lock: "gpu_clock_lock",
                reset: "gpu_clock_reset",
                words: "the SM clock",
            },
            Self::Memory => Names {
                knob: "memory_clock",
                lock: "memory_clock_lock",
                reset: "memory_clock_reset",
                words: "the memory clock",
            },
        }
    }

    /// The name of the write that sets a lock.
    pub const fn lock_name(self) -> &'static str {
        self.names().lock
    }

    /// The name of the write that removes a lock.
    pub const fn reset_name(self) -> &'static str {
        self.names().reset
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        self.names().words
    }
}

macro_rules! map_by {
    ($(#[$doc:meta])* $map:ident by $key:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub struct $map<T>([T; $key::ALL.len()]);

        impl<T> $map<T> {
            pub fn of(value: impl FnMut($key) -> T) -> Self {
                Self($key::ALL.map(value))
            }

            pub fn iter(&self) -> impl Iterator<Item = ($key, &T)> {
                $key::ALL.into_iter().zip(&self.0)
            }

            pub fn iter_mut(&mut self) -> impl Iterator<Item = ($key, &mut T)> {
                $key::ALL.into_iter().zip(&mut self.0)
            }
        }

        impl<T: Default> $map<T> {
            /// `value` for `key`, the default for all others.
            pub fn only(key: $key, value: T) -> Self {
                let mut map = Self($key::ALL.map(|_| T::default()));
                map[key] = value;
                map
            }
        }

        impl<T> $map<T> {
            pub fn with(mut self, key: $key, value: T) -> Self {
                self[key] = value;
                self
            }
        }

        impl<T> Index<$key> for $map<T> {
            type Output = T;

            fn index(&self, key: $key) -> &T {
                &self.0[key as usize]
            }
        }

        impl<T> IndexMut<$key> for $map<T> {
            fn index_mut(&mut self, key: $key) -> &mut T {
                &mut self.0[key as usize]
            }
        }
    };
}

map_by! {
    /// One value for each knob.
    ByKnob by Knob
}

map_by! {
    /// One value for each clock that can be locked.
    ByClock by ClockDomain
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_clock_has_a_knob_and_each_knob_but_limit_and_fan_a_clock() {
        for domain in ClockDomain::ALL {
            assert_eq!(domain.knob().clock(), Some(domain));
            assert!(domain.lock_name().starts_with(domain.knob().name()));
            assert!(domain.reset_name().starts_with(domain.knob().name()));
        }
        let clocks = Knob::ALL.into_iter().filter_map(Knob::clock);
        assert_eq!(clocks.collect::<Vec<_>>(), ClockDomain::ALL);
    }

    /// How many files of `src` name one of `words`, without their tests.
    fn files_with(words: &[String], dir: &Path) -> usize {
        let mut count = 0;
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                continue;
            }
            if path.is_dir() {
                count += files_with(words, &path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]").next().unwrap_or_default();
                count += usize::from(words.iter().any(|word| product.contains(word)));
            }
        }
        count
    }

    #[test]
    fn a_knob_is_named_in_few_files() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for domain in ClockDomain::ALL {
            let words = [
                format!("Knob::{:?}", domain.knob()),
                format!("ClockDomain::{domain:?}"),
                format!("locks[{domain:?}]"),
            ];
            let most = match domain {
                // It has roles of its own: in emergencies, contests, for an operator's range, and in
                // place of a limit.
                ClockDomain::Gpu => 16,
                ClockDomain::Memory => 10,
            };
            let files = files_with(&words, &src);
            assert!(
                (1..=most).contains(&files),
                "{words:?} are in {files} files"
            );
        }
    }

    #[test]
    fn a_map_has_each_value_under_its_own_key() {
        let map = ByKnob::of(Knob::name);
        assert!(map.iter().all(|(knob, name)| *name == knob.name()));
        let only = ByClock::only(ClockDomain::Memory, 1);
        assert_eq!((only[ClockDomain::Gpu], only[ClockDomain::Memory]), (0, 1));
    }
}
