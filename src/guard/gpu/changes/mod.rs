//! Turns the ticks of one GPU into events. Events and metrics agree, because both are made from the
//! same [`Tick`](crate::guard::tick::Tick).

mod event;
mod fault;
mod faulty;
mod firmware;
mod throttle;
mod watch;

pub use watch::Watch;
