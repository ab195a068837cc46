//! The scenarios of `simulate`, the policies that it compares, and the scores.
//!
//! Reading order: [`scenario`] and [`environment`] (what happens), [`world`] (the surroundings of
//! one run), [`runner`] (a policy at work in it), [`meter`] and [`score`] (what is measured),
//! [`oracle`] (what physics allows), [`run`] (the record), [`jobs`] (all runs).

pub(crate) mod clinic;
pub(crate) mod environment;
pub(crate) mod fixed_step;
pub(crate) mod jobs;
pub(crate) mod meter;
pub(crate) mod oracle;
pub(crate) mod physics;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod runner;
pub(crate) mod scenario;
pub(crate) mod score;
pub(crate) mod world;
