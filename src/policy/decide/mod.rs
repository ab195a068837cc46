//! One tick of the policy: what is seen, the state, the targets, and their bounds.
//!
//! Reading order: [`policy`] (the policy of one GPU, tick by tick), [`seeing`] and [`blind`] (the
//! decision with and without a temperature), [`transition`] (what just happened, and whether it
//! helps), [`fans_first`] (full fans before a watt is cut), [`fan_gain`] (whether they are still
//! needed), [`bound`] (the last word on every number),
//! [`limit_trial`] (a limit that failed before is tried beside the clock), [`unguarded`] (why nothing
//! can be done).

mod blind;
mod bound;
mod fan_gain;
mod fans_first;
mod limit_trial;
mod policy;
mod seeing;
mod transition;
pub mod unguarded;

pub use policy::Policy;
