//! What costs an alert, or a whole delivery, said in the log with what helps: each cause once in a
//! while, with a count. Metrics count them all; nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::device::Uuid;
use crate::units::Moment;

use super::alert::Miss;
use super::sparing::{Line, Sparing};

/// Chosen: an alert is repeated for as long as it fires, and what is wrong stays wrong for hours.
const EVERY: Duration = Duration::from_secs(300);

/// GPUs of a node times labels that can contradict is far less.
const MOST_MISMATCHES: usize = 1024;

/// Why nothing came of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    /// The sender cut alerts off.
    Truncated,
    /// A delivery was answered with this code, for this reason where it is always the same.
    Refused(u16, Option<&'static str>),
    /// Not one that Alertmanager writes, or its action is too long.
    Unreadable,
    NotAllowed,
    Missed(Miss),
    /// The GPU's leases are as many as can be.
    NoRoom,
}

impl Trouble {
    /// What happened, and what helps.
    const fn told(self) -> &'static str {
        match self {
            Self::Truncated => {
                "Alertmanager cut alerts off a delivery, perhaps ours: set max_alerts: 0 in its receiver, or group by fewer alerts"
            }
            Self::Refused(413, _) => {
                "a delivery was refused for its size, with all alerts in it: group by fewer alerts in Alertmanager's route, such as group_by: [alertname, uuid]"
            }
            Self::Refused(503, _) => {
                "a delivery was not taken now; Alertmanager tries again: if this goes on, look at the driver, or at who sends so many"
            }
            Self::Refused(..) => {
                "a delivery was refused, with all alerts in it: the sender must be Alertmanager's webhook_config, without a payload of its own"
            }
            Self::Unreadable => {
                "an alert can't be read and was rejected: it lacks status or labels, or a label is no text, or guard_action or severity has over 1024 bytes; see the sender"
            }
            Self::NotAllowed => {
                "an alert asks for an action that there isn't: guard_action must be gradual, emergency, heartbeat or none; correct the rule"
            }
            Self::Missed(miss) => miss.told(),
            Self::NoRoom => {
                "an alert got no lease: the GPU has 256 of at least that level, which hold it; aggregate the rule to one alert for each GPU, such as max by (uuid)"
            }
        }
    }
}

impl Miss {
    const fn told(self) -> &'static str {
        match self {
            Self::ForeignUuid => {
                "an alert is unmapped: its UUID is of no GPU under guard here; correct its route in Alertmanager, or `gpus`; /api/v1/status lists the UUIDs"
            }
            Self::ForeignAddress => {
                "an alert is unmapped: no GPU under guard here has its PCI address; correct its route in Alertmanager, or add the label uuid to its rule"
            }
            Self::NoSuchIndex => {
                "an alert is unmapped: no GPU under guard here has that index now; add the label uuid to its rule, an index may change"
            }
            Self::WhichNode => {
                "an alert is unmapped: an index or scope: node means this node only beside a label that names it; keep instance in its rule, or add the label uuid"
            }
            Self::AnotherNode => {
                "an alert names another node; if that is this one, put what it heard under node.names, else correct the route in Alertmanager"
            }
            Self::TooLong(_) => {
                "an alert was rejected: the label that names its GPU has over 1024 bytes; shorten it in the rule"
            }
            Self::Nothing => {
                "an alert is unmapped: none of its labels names a GPU; keep the label uuid in its rule"
            }
        }
    }
}

/// What is said beside the cause.
#[derive(Default)]
pub(super) struct Beside<'a> {
    /// As Alertmanager prints it.
    pub(super) alert: Option<String>,
    /// What was answered, in our words.
    pub(super) answer: Option<&'a str>,
    /// Alerts that were cut off.
    pub(super) alerts: Option<u64>,
    /// What the alert calls its node.
    pub(super) heard: Option<String>,
    /// What this one is called.
    pub(super) called: Option<String>,
    pub(super) label: Option<&'a str>,
    pub(super) uuid: Option<&'a Uuid>,
}

/// The log of it.
#[derive(Default)]
pub(super) struct Troubles {
    /// As many as there are causes: none of them comes from outside.
    lines: Mutex<BTreeMap<Trouble, Sparing>>,
    mismatches: Mutex<BTreeSet<(Uuid, &'static str)>>,
}

impl Troubles {
    pub(super) fn tell(&self, now: Moment, trouble: Trouble, beside: &Beside<'_>) {
        let Some(Line { unsaid }) = self.line(now, trouble) else {
            return;
        };
        let told = trouble.told();
        let uuid = beside.uuid.map(Uuid::as_str);
        let Beside {
            alert,
            answer,
            alerts,
            heard,
            called,
            label,
            ..
        } = beside;
        let (alert, heard) = (alert.as_deref(), heard.as_deref());
        let called = called.as_deref();
        tracing::warn!(
            alert, uuid, label, answer, alerts, heard, called, unsaid, "{told}"
        );
    }

    fn line(&self, now: Moment, trouble: Trouble) -> Option<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.entry(trouble);
        lines.or_insert_with(|| Sparing::new(1, EVERY)).line(now)
    }

    /// Once for each GPU and label: the alert acts, and its rule or the relabelling wants a look.
    pub(super) fn tell_mismatch(&self, gpu: &Uuid, label: &'static str, alert: &str) {
        if self.is_news(gpu, label) {
            tracing::warn!(uuid = %gpu, label, alert, "an alert's label names something else than its UUID or address does, which decides: look at the rule and at relabelling");
        }
    }

    fn is_news(&self, gpu: &Uuid, label: &'static str) -> bool {
        let told = self.mismatches.lock();
        let mut told = told.unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST_MISMATCHES && told.insert((gpu.clone(), label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_line_and_its_count() {
        let troubles = Troubles::default();
        let at = |seconds| Moment::from_start(Duration::from_secs(seconds));
        let refused = |reason| Trouble::Refused(400, reason);
        for trouble in [Trouble::Truncated, refused(None), refused(Some("x"))] {
            assert!(troubles.line(at(0), trouble).is_some(), "{trouble:?}");
            assert!(troubles.line(at(299), trouble).is_none(), "{trouble:?}");
            let next = troubles.line(at(300), trouble);
            assert_eq!(next.and_then(|line| line.unsaid), Some(1), "{trouble:?}");
        }
    }

    #[test]
    fn a_mismatch_is_told_once_for_each_gpu_and_label() {
        let troubles = Troubles::default();
        let (a, b) = (Uuid::new("GPU-a"), Uuid::new("GPU-b"));
        assert!(troubles.is_news(&a, "gpu") && troubles.is_news(&b, "gpu"));
        assert!(troubles.is_news(&a, "instance") && !troubles.is_news(&a, "gpu"));
    }
}
