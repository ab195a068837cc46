//! What to do about a hot GPU. Pure: readings, leases and `now` in, a decision out; no clock, no
//! I/O, and nothing that can fail. Everything it needs to know arrives as an argument, so that a
//! test can be a day long and the simulator runs the very code that runs on the node.
//!
//! Reading order: [`zone`], [`probe`] and [`sense`] (how hot, and how that is known), [`state`] (what
//! the GPU is in), [`knobs`] (what can be turned), [`ladder`] (how much is taken), [`claim`] (whose
//! limit it is), [`lease`] and [`hold`] (what alerts may ask, and for how long), [`chain`] (whether
//! the alerts would come at all), [`decide`] (all of it, once per tick).

pub mod chain;
pub mod claim;
pub mod decide;
pub mod governor;
pub mod hold;
pub mod knobs;
pub mod ladder;
pub mod lease;
pub mod observer;
pub mod probe;
pub mod regulator;
pub mod rungs;
pub mod sense;
pub mod state;
pub mod unguarded;
pub mod zone;

use std::time::Duration;

use crate::device::{ByKnob, Facts, Reading};
use crate::units::{Moment, Ratio};

pub use chain::{Chain, ChainState};
pub use claim::{Claim, LimitClaim};
pub use decide::Policy;
pub use knobs::{KnobReport, KnobState, Outcome, Write};
pub use lease::{Asked, Lease, LeaseTable};
pub use probe::Probe;
pub use regulator::RegulatorName;
pub use rungs::{AppMode, Targets};
pub use sense::{BySensor, Doubt, Judge, Judgement, Sensor, SensorReport, SensorState, View};
pub use state::{Level, State};
pub use unguarded::Unguarded;
pub use zone::{Heat, TripOverrides, Trips};

/// The configured part of the policy, valid by construction of the configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub regulator: RegulatorName,
    pub trips: TripOverrides,
    pub recovery_delay: Duration,
    /// Lowest limit of gradual, as a share of the card's default.
    pub gradual_floor: Ratio,
    /// A gradual lease holds the limit at or under this share of the default.
    pub lease_ceiling: Ratio,
    pub max_hold: Duration,
    /// Which actuators may be used.
    pub power_limit: bool,
    pub gpu_clock: bool,
    pub memory_clock: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            regulator: RegulatorName::default(),
            trips: TripOverrides::default(),
            recovery_delay: Duration::from_secs(30),
            // 120 W of a 250 W card, the one value the guard's forerunner had used for months.
            gradual_floor: Ratio::new(0.48),
            lease_ceiling: Ratio::new(0.85),
            max_hold: Duration::from_secs(30 * 60),
            power_limit: true,
            gpu_clock: true,
            memory_clock: false,
        }
    }
}

/// All that the policy sees on one tick.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances, from as many places"
)]
pub struct Observation<'a> {
    pub reading: &'a Reading,
    pub facts: &'a Facts,
    /// The card is open. `false`: nothing can be read or written.
    pub open: bool,
    /// Another guard has the card: nothing may be written.
    pub locked_out: bool,
    /// Nothing is written, though all is decided.
    pub observes: bool,
    /// An application is told of this card.
    pub has_app: bool,
    /// What came of the last tick's writes.
    pub writes: &'a ByKnob<Option<Write>>,
    /// The sensors beside the card's own.
    pub probes: &'a [Probe],
    /// Soon after another tick: something woke the guard out of turn.
    pub woken: bool,
    /// What is ours on the GPU.
    pub claim: &'a Claim,
    /// The last limit written was read back as written: a different one now is somebody else's.
    pub confirmed: bool,
    /// The limit that shows is one that was set lately: a card may forget the last one.
    pub set_lately: bool,
    /// What live leases ask.
    pub asked: Asked,
    /// The leases' clock: it runs with the wall, also where sampling is sped up.
    pub lease_clock: Moment,
    /// An operator's pause.
    pub paused: bool,
    /// An alert chain is expected but not there.
    pub fallback: bool,
    /// The applications have answered their health URLs since they were last told something.
    pub apps_well: bool,
}

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
    /// `None` while not seeing.
    pub heat: Option<Heat>,
    pub asks: Asks,
    /// Who brought about the present throttle.
    pub trigger: Option<Trigger>,
    /// This tick's transition, if any.
    pub event: Option<Event>,
    /// Not even the coldest rung holds the GPU under its set point.
    pub infeasible: bool,
    /// Somebody else keeps setting higher limits.
    pub contested: bool,
    /// Somebody else's limit became the original on this tick.
    pub foreign_limit: bool,
    /// Why the sensors aren't taken at their word.
    pub doubt: Option<Doubt>,
    /// Live leases are not obeyed: they have held the GPU for `max_hold` in an hour.
    pub overheld: bool,
    /// Nothing is given back: a sensor beside the card's own was lost above safe.
    pub withheld: bool,
    /// Whose doubt it is, where it is one sensor's of the card.
    pub doubted: Option<Sensor>,
    /// What is known of each sensor and of each knob.
    pub sensors: BySensor<SensorReport>,
    pub knobs: ByKnob<KnobReport>,
    /// Locks that are gone from the card and must be set again.
    pub renew: ByKnob<bool>,
    /// Why nothing can be done for the GPU.
    pub unguarded: Option<Unguarded>,
    /// How long leases may still hold it within this hour.
    pub hold_left: Duration,
}

/// What each source asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Asks {
    pub local: Level,
    pub alert: Level,
    pub manual: Level,
}

/// Who brought a throttle about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    Alert,
    Local,
    /// The local loop, while a promised alert chain is away.
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
pub enum Event {
    /// A throttle of this level began.
    Throttled(Level, Trigger),
    /// Emergency became gradual.
    Eased,
    /// Giving back began.
    Recovering,
    /// Everything is as it was before.
    Recovered,
    /// The GPU can't be seen any more.
    Blinded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_brought_a_throttle_about_is_told_in_the_contracts_words() {
        let names = Trigger::ALL.map(Trigger::name);
        assert_eq!(names, ["alert", "local", "fallback", "manual"]);
    }

    #[test]
    fn why_a_sensor_is_doubted_is_told_in_a_word() {
        let names = Doubt::ALL.map(Doubt::name);
        let own = ["missing", "frozen", "fallen", "contradicted", "inherited"];
        assert_eq!((&names[..5], names[5]), (&own[..], "probe"));
    }
}
