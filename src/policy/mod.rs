//! What to do about a hot GPU. The policy is pure: readings, leases and `now` go in, a decision
//! comes out. It has no clock and no I/O, and it can't fail. Everything it needs is an argument. So
//! a test can cover a day, and the simulator runs the same code as the node.
//!
//! Reading order: [`types`] (what goes in and comes out), [`sense`] (how hot the GPU is), [`state`]
//! (its states), [`knobs`] (which settings can be used), [`regulate`] (how much power to take),
//! [`claim`] (which program set the limit), [`ask`] (what alerts may ask for, for how long, and
//! whether they would arrive at all), [`decide`] (all of it, once per tick); beside all that,
//! [`cooling`] (how well the card is cooled, and what a throttle cost).

pub mod ask;
pub mod claim;
pub mod cooling;
pub mod decide;
pub mod knobs;
pub mod regulate;
pub mod sense;
pub mod state;
pub mod types;

pub use crate::policy::ask::chain::{Chain, ChainState};
pub use crate::policy::ask::lease::{Asked, Lease, LeaseTable};
pub use crate::policy::decide::unguarded::Unguarded;
pub use crate::policy::sense::extra_sensor::ExtraSensor;
pub use crate::policy::sense::trips::{Heat, TripOverrides, TripRule, Trips};
pub use claim::{Claim, FanClaims, LimitClaim};
pub use decide::Policy;
pub use knobs::{KnobReport, KnobState, Outcome, Write};
pub use sense::{
    BySensor, Doubt, FanFault, Judge, Judgement, Sensor, SensorReport, SensorState, SuspectFans,
    View,
};
pub use sense::{FirmwareReport, OwnSlowdown, SlowdownTurn};
pub use state::{Level, State};
pub use types::decision::{Asks, Decision, Transition, Trigger};
pub use types::observation::Observation;
pub use types::settings::{PolicyName, Settings};
pub use types::targets::{AppMode, FanTarget, Targets};
