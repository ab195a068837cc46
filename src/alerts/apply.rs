//! What the guard does about an alert, however it came: sent to the hook or fetched by a
//! [pull](super::pull). Both take the same leases by the same rules, so an alert that comes both
//! ways is one lease.

use super::alert::Alert;
use super::desk::{Desk, Settings};
use super::heard;
use super::outcome::{Action, Applied, Outcome, Status, Via};
use super::target::gpus::Gpus;
use super::target::labels::Labels;
use super::target::node::Whose;
use super::target::{self, Miss};
use super::trouble::{Beside, Trouble};
use crate::device::Uuid;
use crate::log_limit::Line;
use crate::policy::ask::lease::{Ended, Granted, Holder};
use crate::policy::{ChainState, Lease, Level};

impl Desk {
    /// Does what one alert asks for.
    pub(crate) fn apply(
        &self,
        settings: &Settings,
        via: Via,
        status: Status,
        action: Action,
        alert: &Alert,
    ) -> Applied {
        let level = action.level();
        if action == Action::Heartbeat {
            return self.heartbeat(settings, status, alert).into();
        }
        if level == Level::None {
            return Outcome::Ignored.into();
        }
        let aim = match target::aim(&alert.labels, Gpus::of(&self.shared), &settings.node) {
            Ok(aim) => aim,
            Err(miss) => {
                self.log_miss(settings, via, miss, alert);
                return miss.outcome().into();
            }
        };
        if let (Some(label), Some(gpu)) = (aim.against, aim.gpus.first()) {
            self.log_mismatch(gpu, label, &alert.told());
        }
        match status {
            Status::Firing => self.fire_all(settings, alert, &aim.gpus, level),
            Status::Resolved | Status::Unknown => {
                let outcomes = aim.gpus.iter().map(|gpu| self.resolve(alert, gpu));
                outcomes.min().unwrap_or(Outcome::Unmapped).into()
            }
        }
    }

    fn log_miss(&self, settings: &Settings, via: Via, miss: Miss, alert: &Alert) {
        let node = &settings.node;
        let theirs = node.judge(&alert.labels) == Whose::AnotherNodes;
        if via == Via::Pull && theirs {
            return;
        }
        let beside = Beside {
            alert: Some(alert.told()),
            heard: heard::spoken(&alert.labels),
            called: Some(heard::called(node)),
            label: match miss {
                Miss::TooLong(label) => Some(label),
                _ => None,
            },
            ..Beside::default()
        };
        self.log_trouble(Trouble::Missed(miss), &beside);
    }

    fn fire_all(&self, settings: &Settings, alert: &Alert, gpus: &[Uuid], level: Level) -> Applied {
        let outcomes = gpus
            .iter()
            .map(|gpu| self.fire(settings, alert, gpu, level));
        // The best outcome on any of them: the variants are in that order.
        let outcome = outcomes.min().unwrap_or(Outcome::Unmapped);
        let leased = matches!(outcome, Outcome::Accepted | Outcome::Renewed);
        Applied {
            outcome,
            not_possible: leased && self.not_possible.check(&self.shared, gpus, alert),
        }
    }

    fn fire(&self, settings: &Settings, alert: &Alert, gpu: &Uuid, level: Level) -> Outcome {
        let now = self.shared.clock.wall();
        let lease = Lease {
            level,
            since: now,
            expires: now + settings.lease,
            starts_at: alert.starts_at,
        };
        let holder = Holder::Alert(alert.fingerprint);
        match self.shared.grant(now, gpu, holder, lease) {
            Granted::Refused => {
                let beside = Beside {
                    alert: Some(alert.told()),
                    uuid: Some(gpu),
                    ..Beside::default()
                };
                self.log_trouble(Trouble::NoRoom, &beside);
                Outcome::Rejected
            }
            Granted::Renewed => Outcome::Renewed,
            Granted::New => {
                self.shared
                    .name_alert(alert.fingerprint, alert.labels.name());
                if let Some(Line { unsaid }) = self.lease_log.began(level).line(now) {
                    tracing::info!(gpu = self.shared.index(gpu), uuid = %gpu, throttle = level.name(), alert = %alert.told(), unsaid, "an alert took a lease");
                }
                Outcome::Accepted
            }
        }
    }

    fn resolve(&self, alert: &Alert, gpu: &Uuid) -> Outcome {
        let holder = Holder::Alert(alert.fingerprint);
        match self.shared.resolve(gpu, holder, alert.starts_at) {
            Ended::Released => {
                let now = self.shared.clock.wall();
                if let Some(Line { unsaid }) = self.lease_log.ended.line(now) {
                    tracing::info!(gpu = self.shared.index(gpu), uuid = %gpu, alert = %alert.told(), unsaid, "resolved: the alert's lease ended");
                }
                Outcome::Released
            }
            Ended::Stale => Outcome::Stale,
            Ended::Unknown => Outcome::Ignored,
        }
    }

    fn heartbeat(&self, settings: &Settings, status: Status, alert: &Alert) -> Outcome {
        if !settings.node.may_be_meant(&alert.labels) {
            self.heard_for_another(settings, &alert.labels);
            return Outcome::WrongNode;
        }
        self.heard.for_this_node(&alert.labels);
        let now = self.shared.clock.wall();
        match status {
            Status::Firing => self.shared.heartbeat(now, alert.fingerprint, alert.eval_ts),
            Status::Resolved | Status::Unknown => {
                self.shared.heartbeat_resolved(now, alert.fingerprint);
            }
        }
        Outcome::Accepted
    }

    /// A heartbeat came for another node. While the chain is healthy that is no trouble.
    pub(super) fn heard_for_another(&self, settings: &Settings, labels: &Labels) {
        let is_healthy = self.shared.chain_state() == ChainState::Ok;
        let limit = (!is_healthy).then(|| self.shared.clock.wall());
        self.heard.for_another(&settings.node, labels, limit);
    }

    /// Logs an alert that can't be read, or that asks for something that doesn't exist.
    pub(crate) fn log_rejected(&self, outcome: Outcome, alert: Option<&Alert>) {
        let trouble = match outcome {
            Outcome::NotAllowed => Trouble::NotAllowed,
            _ => Trouble::Unreadable,
        };
        let beside = Beside {
            alert: alert.map(Alert::told),
            ..Beside::default()
        };
        self.log_trouble(trouble, &beside);
    }
}
