//! What an alert means to this guard, whichever way it came: sent to the [hook](super::hook) or
//! fetched by a [pull](super::pull). Both take the same leases by the same rules, so that an alert
//! that comes both ways is one.

mod fields;
mod labels;
mod outcome;
mod possible;
mod target;

use std::time::Duration;

use crate::device::Uuid;
use crate::policy::lease::{Ended, Granted, Holder};
use crate::policy::{Lease, Level};

use super::gpus::Gpus;
use super::heard;
use super::node::Whose;
use super::sparing::{Line, Sparing};
use super::trouble::{Beside, Trouble};
use super::{Settings, Web};

pub(super) use fields::{Alert, since_epoch};
pub(super) use labels::Labels;
pub use outcome::{Action, Outcome, Status};
pub(super) use possible::InVain;
pub(super) use target::{Miss, action};

/// How an alert came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Hook,
    /// Unless it is filtered, a pull lists the alerts of all nodes: theirs are no news.
    Pull,
}

/// The log of leases that come and go with alerts. Each kind has room of its own: a storm of
/// gradual ones hides no emergency.
pub(super) struct LeaseLines {
    gradual: Sparing,
    emergency: Sparing,
    ended: Sparing,
}

impl Default for LeaseLines {
    fn default() -> Self {
        // Chosen: an incident on eight GPUs is told whole, and a storm fills no disk.
        let lines = || Sparing::new(20, Duration::from_secs(60));
        Self {
            gradual: lines(),
            emergency: lines(),
            ended: lines(),
        }
    }
}

impl LeaseLines {
    fn taken(&self, level: Level) -> &Sparing {
        match level {
            Level::Emergency => &self.emergency,
            Level::Gradual | Level::None => &self.gradual,
        }
    }
}

/// What came of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Obeyed {
    pub(super) outcome: Outcome,
    /// A lease was taken or renewed, and nothing can be done for one of its GPUs.
    pub(super) in_vain: bool,
}

impl From<Outcome> for Obeyed {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            in_vain: false,
        }
    }
}

impl Obeyed {
    /// All that is to be counted.
    pub(super) fn outcomes(self) -> impl Iterator<Item = Outcome> {
        let in_vain = self.in_vain.then_some(Outcome::NotPossible);
        [self.outcome].into_iter().chain(in_vain)
    }
}

/// Does what one alert asks for.
pub(super) fn obey(
    web: &Web,
    settings: &Settings,
    via: Via,
    status: Status,
    action: Action,
    alert: &Alert,
) -> Obeyed {
    match action.level() {
        Level::None if action == Action::Heartbeat => {
            heartbeat(web, settings, status, alert).into()
        }
        Level::None => Outcome::Ignored.into(),
        level => match target::aim(&alert.labels, Gpus::of(&web.shared), &settings.node) {
            Err(miss) => {
                tell_miss(web, settings, via, miss, alert);
                miss.outcome().into()
            }
            Ok(aim) => {
                if let (Some(label), Some(gpu)) = (aim.against, aim.gpus.first()) {
                    web.troubles.tell_mismatch(gpu, label, &hex(alert));
                }
                match status {
                    Status::Firing => fire_all(web, settings, alert, &aim.gpus, level),
                    Status::Resolved | Status::Unknown => {
                        let outcomes = aim.gpus.iter().map(|gpu| resolve(web, alert, gpu));
                        outcomes.min().unwrap_or(Outcome::Unmapped).into()
                    }
                }
            }
        },
    }
}

fn tell_miss(web: &Web, settings: &Settings, via: Via, miss: Miss, alert: &Alert) {
    let node = &settings.node;
    let theirs = node.judge(&alert.labels) == Whose::AnotherNodes;
    if via == Via::Pull && theirs {
        return;
    }
    let beside = Beside {
        alert: Some(hex(alert)),
        heard: heard::spoken(&alert.labels),
        called: Some(heard::called(node)),
        label: match miss {
            Miss::TooLong(label) => Some(label),
            _ => None,
        },
        ..Beside::default()
    };
    let now = web.shared.clock.wall();
    web.troubles.tell(now, Trouble::Missed(miss), &beside);
}

fn fire_all(web: &Web, settings: &Settings, alert: &Alert, gpus: &[Uuid], level: Level) -> Obeyed {
    let outcomes = gpus
        .iter()
        .map(|gpu| fire(web, settings, alert, gpu, level));
    // Once accepted, accepted; the order of the names is that of the merit.
    let outcome = outcomes.min().unwrap_or(Outcome::Unmapped);
    let leased = matches!(outcome, Outcome::Accepted | Outcome::Renewed);
    Obeyed {
        outcome,
        in_vain: leased && possible::is_in_vain(web, gpus, alert),
    }
}

/// The worker is woken by what is new; a renewal can wait for its tick.
fn fire(web: &Web, settings: &Settings, alert: &Alert, gpu: &Uuid, level: Level) -> Outcome {
    let now = web.shared.clock.wall();
    let lease = Lease {
        level,
        since: now,
        expires: now + settings.lease,
        starts_at: alert.starts_at,
    };
    let holder = Holder::Alert(alert.fingerprint);
    let (granted, before) = {
        let mut leases = web.shared.leases();
        let before = leases.of(gpu).find(|(held, _)| *held == holder);
        let before = before.map(|(_, lease)| lease.level);
        (leases.grant(now, gpu, holder, lease), before)
    };
    match granted {
        Granted::Refused => {
            let beside = Beside {
                alert: Some(hex(alert)),
                uuid: Some(gpu),
                ..Beside::default()
            };
            web.troubles.tell(now, Trouble::NoRoom, &beside);
            return Outcome::Rejected;
        }
        Granted::Renewed if before == Some(level) => {}
        Granted::New | Granted::Renewed => web.shared.wake(gpu),
    }
    if granted == Granted::New {
        web.shared
            .name_alert(alert.fingerprint, alert.labels.name());
        if let Some(Line { unsaid }) = web.lease_lines.taken(level).line(now) {
            tracing::info!(gpu = web.shared.index(gpu), uuid = %gpu, throttle = level.name(), alert = %hex(alert), unsaid, "an alert took a lease");
        }
        Outcome::Accepted
    } else {
        Outcome::Renewed
    }
}

fn resolve(web: &Web, alert: &Alert, gpu: &Uuid) -> Outcome {
    let holder = Holder::Alert(alert.fingerprint);
    let ended = web.shared.leases().resolve(gpu, holder, alert.starts_at);
    match ended {
        Ended::Released => {
            if let Some(Line { unsaid }) = web.lease_lines.ended.line(web.shared.clock.wall()) {
                tracing::info!(gpu = web.shared.index(gpu), uuid = %gpu, alert = %hex(alert), unsaid, "resolved: the alert's lease ended");
            }
            web.shared.wake(gpu);
            Outcome::Released
        }
        Ended::Stale => Outcome::Stale,
        Ended::Unknown => Outcome::Ignored,
    }
}

/// Whether a heartbeat speaks to us: one that names no node speaks for the chain to all of them.
pub(super) fn is_not_anothers(settings: &Settings, alert: &Alert) -> bool {
    settings.node.judge(&alert.labels) != Whose::AnotherNodes
}

fn heartbeat(web: &Web, settings: &Settings, status: Status, alert: &Alert) -> Outcome {
    if !is_not_anothers(settings, alert) {
        heard::others(web, settings, &alert.labels);
        return Outcome::WrongNode;
    }
    heard::ours(web, &alert.labels);
    let now = web.shared.clock.wall();
    let mut chain = web.shared.chain();
    match status {
        Status::Firing => chain.heartbeat_of(alert.fingerprint, now, alert.eval_ts),
        Status::Resolved | Status::Unknown => chain.resolved_of(alert.fingerprint, now),
    }
    Outcome::Accepted
}

/// An alert that can't be read, or asks for what there isn't: said, as it is counted.
pub(super) fn tell_rejected(web: &Web, outcome: Outcome, alert: Option<&Alert>) {
    let trouble = match outcome {
        Outcome::NotAllowed => Trouble::NotAllowed,
        _ => Trouble::Unreadable,
    };
    let beside = Beside {
        alert: alert.map(hex),
        ..Beside::default()
    };
    let now = web.shared.clock.wall();
    web.troubles.tell(now, trouble, &beside);
}

/// As Alertmanager prints it, to be looked up there.
fn hex(alert: &Alert) -> String {
    format!("{:016x}", alert.fingerprint)
}
