//! A history: a card, a room, a pace, and events.

use proptest::collection::vec;
use proptest::prelude::*;

use thermal_guard::policy::Level;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::{Profile, Thermal};
use thermal_guard::units::Celsius;

use super::faults::{Fault, fault};

#[derive(Clone, Debug)]
pub(crate) enum Happening {
    World {
        power: f64,
        inlet: f64,
        airflow: f64,
    },
    Fault(Fault),
    /// All that was wrong is mended.
    Mend,
    Alert {
        level: Level,
        ttl: u64,
    },
    /// `kill -9`, and a new guard.
    Kill,
    /// Everything is let go of in order, and taken again by a new guard.
    Stop(u64),
    Reload {
        floor: f64,
        ladder: bool,
    },
    /// So many ticks out of turn.
    Wakes(u32),
    ForeignLimit(f64),
    /// Somebody resets the lock.
    ForeignUnlock,
}

#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) profile: &'static Profile,
    pub(crate) poll_millis: u64,
    /// The operator's own limit, as a share of the card's range.
    pub(crate) start: f64,
    pub(crate) happenings: Vec<(Happening, u64)>,
}

impl Story {
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.happenings.iter().map(|(what, _)| match what {
            Happening::World { .. } => "another load or room",
            Happening::Fault(fault) => fault.kind(),
            Happening::Mend => "all mended",
            Happening::Alert { .. } => "lease",
            Happening::Kill => "kill",
            Happening::Stop(_) => "stop or detach",
            Happening::Reload { .. } => "reload",
            Happening::Wakes(_) => "storm of wakes",
            Happening::ForeignLimit(_) => "foreign limit",
            Happening::ForeignUnlock => "foreign unlock",
        })
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    let world = (0.0..1.1_f64, 15.0..60.0_f64, 0.8..1.8_f64);
    let world = world.prop_map(|(power, inlet, airflow)| Happening::World {
        // Idle as often as it is hot.
        power: if power < 0.15 { 0.0 } else { power },
        inlet,
        airflow,
    });
    let level = prop_oneof![3 => Just(Level::Gradual), 1 => Just(Level::Emergency)];
    prop_oneof![
        6 => world,
        8 => fault().prop_map(Happening::Fault),
        1 => Just(Happening::Mend),
        1 => (level, 5..300_u64).prop_map(|(level, ttl)| Happening::Alert { level, ttl }),
        1 => Just(Happening::Kill),
        1 => (0..60_u64).prop_map(Happening::Stop),
        1 => (0.2..0.8_f64, any::<bool>()).prop_map(|(floor, ladder)| Happening::Reload { floor, ladder }),
        1 => (1..200_u32).prop_map(Happening::Wakes),
        1 => (0.0..1.0_f64).prop_map(Happening::ForeignLimit),
        1 => Just(Happening::ForeignUnlock),
    ]
}

/// Cards as measured ones are, and wider: a die of 0.3 to 7 s, a rise of 27 to 108 °C at the default
/// limit.
fn card() -> impl Strategy<Value = &'static Profile> {
    let thermal = (30.0..90.0_f64, 0.2..0.45_f64, 1.0..7.0_f64, 20.0..120.0_f64);
    (0..profile::ALL.len(), thermal, any::<bool>()).prop_map(|(index, thermal, as_known)| {
        let like = profile::ALL[index];
        if as_known {
            return like;
        }
        let (rise, die_share, die_seconds, sink_seconds) = thermal;
        let thermal = Thermal {
            rise: Celsius::new(rise),
            die_share,
            die_seconds,
            sink_seconds,
            ..Thermal::of(like.thermal.design_watts)
        };
        // A test's cards live as long as the test: the simulator holds profiles for ever.
        &*Box::leak(Box::new(Profile {
            thermal,
            ..like.clone()
        }))
    })
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    let poll = prop_oneof![
        1 => Just(100_u64), 1 => Just(250), 1 => Just(500), 5 => Just(1000),
        1 => Just(2000), 1 => Just(5000), 1 => Just(10_000)
    ];
    let happenings = vec((happening(), 1..240_u64), 1..14);
    (card(), poll, 0.0..1.0_f64, happenings).prop_map(
        |(profile, poll_millis, start, happenings)| Story {
            profile,
            poll_millis,
            start,
            happenings,
        },
    )
}
