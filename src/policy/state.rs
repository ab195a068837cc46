//! The states of one GPU and the way between them.
//!
//! ```text
//!              set point or lease             critical or emergency lease
//!   normal ────────────────────► gradual ────────────────────► emergency
//!     ▲ ▲                        ▲     │ ▲                          │
//!     │ │             heat again │     │ └──────────────────────────┘
//!     │ │                        │     │    below alert, for the delay
//!     │ └──── given back ─── recovering ◄┘
//!     │                     safe (or nothing of ours binds), for the delay
//!   blind: no trustworthy reading; entered from anywhere, left into gradual
//!   unguarded: nothing can be done for the GPU; it lies over all of them
//! ```
//!
//! Escalation is immediate; release takes `recovery_delay` of calm without a live lease.

use std::time::Duration;

use crate::units::Moment;

use super::zone::Heat;

/// How hard a GPU is held, or asked to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    #[default]
    None,
    Gradual,
    Emergency,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gradual => "gradual",
            Self::Emergency => "emergency",
        }
    }
}

/// What a GPU is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing of ours is on the GPU.
    Normal,
    /// Held under its alert threshold, the workload running.
    Gradual,
    /// Minimum power, clock lock: past critical, or told so.
    Emergency,
    /// Being given back, step by step.
    Recovering,
    /// No trustworthy reading: capped, never raised.
    Blind,
    /// Nothing can be done for it.
    Unguarded,
}

impl State {
    pub const ALL: [Self; 6] = [
        Self::Normal,
        Self::Gradual,
        Self::Emergency,
        Self::Recovering,
        Self::Blind,
        Self::Unguarded,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Gradual => "gradual",
            Self::Emergency => "emergency",
            Self::Recovering => "recovering",
            Self::Blind => "blind",
            Self::Unguarded => "unguarded",
        }
    }

    pub const fn level(self) -> Level {
        match self {
            Self::Normal | Self::Recovering | Self::Unguarded => Level::None,
            Self::Gradual | Self::Blind => Level::Gradual,
            Self::Emergency => Level::Emergency,
        }
    }
}

/// What the machine looks at.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances, each of which can hold a release back or hasten it"
)]
pub struct Situation {
    pub heat: Heat,
    /// Something of ours limits the GPU: a lock, or a limit the draw leans on.
    pub binds: bool,
    /// What live leases ask for.
    pub asked: Level,
    /// What the temperature alone holds it at; never released faster than that.
    pub alone: Level,
    /// Leases were dropped for holding too long: release without the delay.
    pub overheld: bool,
    /// An operator's pause: only critical counts.
    pub paused: bool,
    /// A sensor was lost while it was above safe: nothing is calm until it is read again.
    pub withheld: bool,
}

impl Situation {
    fn wants(&self) -> Level {
        let local = match (
            self.heat.is_critical(),
            self.heat.at_set_point(),
            self.paused,
        ) {
            (true, _, _) => Level::Emergency,
            (false, true, false) => Level::Gradual,
            (false, _, _) => Level::None,
        };
        if self.paused {
            local
        } else {
            local.max(self.asked)
        }
    }

    /// Gradual has nothing left to do.
    fn is_calm(&self) -> bool {
        !self.withheld && (self.heat.is_safe() || (!self.heat.at_set_point() && !self.binds))
    }

    /// Emergency has nothing left to do.
    fn is_under_alert(&self) -> bool {
        !self.withheld && !self.heat.is_hot()
    }

    fn skips_delay(&self) -> bool {
        self.paused || (self.overheld && self.alone == Level::None)
    }
}

/// The way between the states but for blindness, which lies over all of them.
#[derive(Clone, Debug)]
pub struct Machine {
    state: State,
    calm_since: Option<Moment>,
    recovery_delay: Duration,
    /// How often in a row heat came back soon after a recovery.
    relapses: u32,
    /// When the last recovery began.
    recovering: Option<Moment>,
}

/// Heat within this after a recovery began is the old heat: the next recovery waits twice as long.
const RELAPSE: Duration = Duration::from_secs(300);
/// At most 32 recovery delays, and never this much longer than one: what is cool and stays so has
/// everything back within five minutes of the delay, the steps of a recovery included.
const RELAPSES_MAX: u32 = 5;
const RELAPSED_LONGER: Duration = Duration::from_secs(210);

impl Machine {
    pub fn new(recovery_delay: Duration) -> Self {
        Self {
            state: State::Normal,
            calm_since: None,
            recovery_delay,
            relapses: 0,
            recovering: None,
        }
    }

    pub fn set_recovery_delay(&mut self, delay: Duration) {
        self.recovery_delay = delay;
    }

    pub const fn state(&self) -> State {
        self.state
    }

    pub fn step(&mut self, now: Moment, situation: &Situation) -> State {
        match (self.state, situation.wants()) {
            (_, Level::Emergency) => self.enter(State::Emergency),
            (State::Normal | State::Recovering, Level::Gradual) => {
                self.relapse(now, situation);
                self.enter(State::Gradual);
            }
            (State::Gradual, Level::Gradual) => self.calm_since = None,
            (State::Gradual, Level::None) => self.release_gradual(now, situation),
            (State::Emergency, wants) => self.release_emergency(now, situation, wants),
            (State::Normal | State::Recovering | State::Blind | State::Unguarded, _) => {}
        }
        self.state
    }

    /// Holds at least `level`, whatever the (missing) heat.
    pub fn hold(&mut self, level: Level) {
        match level {
            Level::Emergency => self.enter(State::Emergency),
            Level::Gradual if self.state.level() < Level::Gradual => self.enter(State::Gradual),
            _ => self.calm_since = None,
        }
    }

    /// At `level` from here on, and calm not before it is seen again: where there is no heat to go
    /// by, what holds a GPU is what is asked, not what was.
    pub fn settle(&mut self, level: Level) {
        self.enter(match level {
            Level::None => State::Normal,
            Level::Gradual => State::Gradual,
            Level::Emergency => State::Emergency,
        });
    }

    /// Something of ours shows on a GPU that had everything back: it is given back again.
    pub fn recover_again(&mut self, now: Moment) {
        self.recovering = Some(now);
        self.enter(State::Recovering);
    }

    /// All is given back.
    pub fn recovered(&mut self) {
        self.enter(State::Normal);
    }

    fn release_emergency(&mut self, now: Moment, situation: &Situation, wants: Level) {
        match wants {
            // Told so by leases that have held it long enough: down to what is wanted, at once.
            Level::None if situation.overheld && situation.alone == Level::None => {
                self.enter(State::Recovering);
            }
            _ if situation.overheld => self.enter(State::Gradual),
            _ if self.calm_for_delay(now, situation.is_under_alert()) => self.enter(State::Gradual),
            _ => {}
        }
    }

    fn release_gradual(&mut self, now: Moment, situation: &Situation) {
        let skip = situation.skips_delay() && !situation.heat.is_hot();
        // Both clocks run; what the temperature alone holds is never released before it.
        let calm = self.calm_for_delay(now, situation.is_calm());
        if skip || (calm && situation.alone == Level::None) {
            self.recovering = Some(now);
            self.enter(State::Recovering);
        }
    }

    /// Heat is back, or a lease asks: only heat tells that the recovery was too early.
    fn relapse(&mut self, now: Moment, situation: &Situation) {
        let Some(recovering) = self.recovering.take() else {
            return;
        };
        if now.since(recovering) > RELAPSE {
            self.relapses = 0;
        } else if situation.heat.at_set_point() {
            self.relapses = (self.relapses + 1).min(RELAPSES_MAX);
        }
    }

    fn calm_for_delay(&mut self, now: Moment, calm: bool) -> bool {
        if !calm {
            self.calm_since = None;
            return false;
        }
        let delay = match self.state {
            State::Gradual => (self.recovery_delay * 2_u32.pow(self.relapses))
                .min(self.recovery_delay + RELAPSED_LONGER),
            _ => self.recovery_delay,
        };
        now.since(*self.calm_since.get_or_insert(now)) >= delay
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.calm_since = None;
    }
}

#[cfg(test)]
mod tests;
