//! The states of one GPU and the way between them.
//!
//! ```text
//!              set point or lease             critical or emergency lease
//!   normal ────────────────────► gradual ────────────────────► emergency
//!     ▲ ▲                        ▲     │ ▲                          │
//!     │ │             heat again │     │ └──────────────────────────┘
//!     │ │                        │     │    below alert, for the delay
//!     │ └──── given back ─── recovering ◄┘
//!     │                     safe (or nothing of ours binds), for the delay;
//!     │                     under full fans: and will stay so without them
//!   blind: no trustworthy reading; entered from anywhere, left into gradual
//!   unguarded: nothing can be done for the GPU; it lies over all of them
//! ```
//!
//! Escalation is immediate; release takes `recovery_delay` of calm without a live lease.

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::units::Moment;

/// How hard a GPU is throttled, or asked to be throttled.
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

/// The state of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// None of the guard's settings are on the GPU.
    Normal,
    /// The GPU is kept below its alert threshold, and the workload runs.
    Gradual,
    /// Minimum power and a clock lock: the GPU is above critical, or an emergency lease asks for
    /// it.
    Emergency,
    /// The guard gives back its settings, step by step.
    Recovering,
    /// There is no trustworthy reading: the GPU is capped, and nothing is raised.
    Blind,
    /// The guard can do nothing for the GPU.
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

/// The input of the state machine.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances, each of which can hold a release back or hasten it"
)]
pub struct Situation {
    pub heat: Heat,
    /// A setting of the guard holds the GPU back: a lock, or a limit that the draw reaches.
    pub binds: bool,
    /// What live leases ask for.
    pub asked: Level,
    /// The level by the temperature alone. The GPU is never released faster than that.
    pub alone: Level,
    /// Leases aren't obeyed, because they held the GPU for too long: release without the delay.
    pub overheld: bool,
    /// An operator has paused the GPU: only critical counts.
    pub paused: bool,
    /// A sensor was lost while it was above safe: the GPU isn't calm until the sensor is read
    /// again.
    pub withheld: bool,
    /// Only full fans keep the GPU as cool as it is.
    pub needs_fans: bool,
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

    /// Gradual is no longer needed.
    fn is_calm(&self) -> bool {
        let cool = self.heat.is_safe() || (!self.heat.at_set_point() && !self.binds);
        cool && !self.withheld && !self.needs_fans
    }

    /// Emergency is no longer needed.
    fn is_under_alert(&self) -> bool {
        !self.withheld && !self.heat.is_hot()
    }

    fn skips_delay(&self) -> bool {
        self.paused || (self.overheld && self.alone == Level::None)
    }
}

/// The transitions between the states, except blindness, which lies over all of them.
#[derive(Clone, Debug)]
pub struct Machine {
    state: State,
    calm_since: Option<Moment>,
    recovery_delay: Duration,
    /// How many times in a row heat came back soon after a recovery.
    relapses: u32,
    /// When the last recovery began.
    recovering: Option<Moment>,
}

/// Heat within this time after the start of a recovery means that the recovery was too early. The
/// next one waits twice as long.
const RELAPSE: Duration = Duration::from_secs(300);
/// The wait is at most 32 recovery delays, and at most one delay plus this. So a GPU that is cool
/// and stays cool has everything back within five minutes after the delay, including the steps of
/// the recovery.
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

    /// Holds at least `level`, without knowing the temperature.
    pub fn hold(&mut self, level: Level) {
        match level {
            Level::Emergency => self.enter(State::Emergency),
            Level::Gradual if self.state.level() < Level::Gradual => self.enter(State::Gradual),
            _ => self.calm_since = None,
        }
    }

    /// Goes to `level`. Calm starts only when the temperature is known again. Without a
    /// temperature, the level follows the requests, not the past.
    pub fn settle(&mut self, level: Level) {
        self.enter(match level {
            Level::None => State::Normal,
            Level::Gradual => State::Gradual,
            Level::Emergency => State::Emergency,
        });
    }

    /// A setting of the guard is on a GPU that had everything back. It is given back again.
    pub fn recover_again(&mut self, now: Moment) {
        self.recovering = Some(now);
        self.enter(State::Recovering);
    }

    /// The GPU has everything back.
    pub fn recovered(&mut self) {
        self.enter(State::Normal);
    }

    fn release_emergency(&mut self, now: Moment, situation: &Situation, wants: Level) {
        match wants {
            // Leases have held the emergency long enough: goes down to the wanted level at once.
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
        // Both delays must pass. A level by the temperature alone is never released before its own
        // delay.
        let calm = self.calm_for_delay(now, situation.is_calm());
        if skip || (calm && situation.alone == Level::None) {
            self.recovering = Some(now);
            self.enter(State::Recovering);
        }
    }

    /// Heat is back, or a lease asks. Only heat shows that the recovery was too early.
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
