//! Log lines about lost alerts and deliveries, with a remedy: each cause once in a while, with a
//! count. Metrics count every case; nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;

use crate::device::Uuid;
use crate::units::Moment;

use super::target::Miss;
use crate::log_limit::{Line, LogLimit};

/// Chosen: an alert is repeated for as long as it fires, and its cause lasts for hours.
const EVERY: Duration = Duration::from_secs(300);

/// Far more than the GPUs of a node times the labels that can contradict.
const MOST_MISMATCHES: usize = 1024;

/// The answer to a delivery while the guard stops.
pub(crate) const STOPPING: &str = "shutting down";

/// Why an alert has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// The sender left alerts out.
    Truncated,
    /// A delivery was answered with this code, and for this reason if its text is fixed.
    Refused(u16, Option<&'static str>),
    /// Alertmanager doesn't write such an alert, or its action is too long.
    Unreadable,
    NotAllowed,
    Missed(Miss),
    /// The GPU has as many leases as it can have.
    NoRoom,
}

impl Trouble {
    /// Each restart has it, and nobody need do anything.
    fn is_of_a_stop(self) -> bool {
        self == Self::Refused(503, Some(STOPPING))
    }

    /// What happened, and what to do.
    fn message(self) -> &'static str {
        match self {
            _ if self.is_of_a_stop() => {
                "a delivery came while the guard stops; Alertmanager sends it again"
            }
            Self::Truncated => {
                "Alertmanager cut alerts off a delivery, perhaps ours: set max_alerts: 0 in its receiver, or group by fewer alerts"
            }
            Self::Refused(404, _) => {
                "a delivery went to a path that there isn't, with all alerts in it: the url in Alertmanager's webhook_configs must end in /hook"
            }
            Self::Refused(405, _) => {
                "a delivery to /hook was refused for its method, with all alerts in it: only POST is taken, as Alertmanager's webhook_configs sends it"
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
            Self::Missed(miss) => miss.message(),
            Self::NoRoom => {
                "an alert got no lease: the GPU has 256 of at least that level, which hold it; aggregate the rule to one alert for each GPU, such as max by (uuid)"
            }
        }
    }
}

impl Miss {
    const fn message(self) -> &'static str {
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

/// Fields of the log line.
#[derive(Default)]
pub(crate) struct Beside<'a> {
    /// Its name and fingerprint.
    pub(crate) alert: Option<String>,
    /// The reason in the answer.
    pub(crate) answer: Option<&'a str>,
    /// How many alerts were left out.
    pub(crate) alerts: Option<u64>,
    /// The alert's name for its node.
    pub(crate) heard: Option<String>,
    /// The names of this node.
    pub(crate) called: Option<String>,
    pub(crate) label: Option<&'a str>,
    pub(crate) uuid: Option<&'a Uuid>,
}

/// Writes those lines.
#[derive(Default)]
pub(super) struct Troubles {
    /// Bounded: there are only so many causes, and none comes from outside.
    lines: Mutex<BTreeMap<Trouble, LogLimit>>,
    mismatches: Mutex<BTreeSet<(Uuid, &'static str)>>,
}

impl Troubles {
    pub(super) fn log(&self, now: Moment, trouble: Trouble, beside: &Beside<'_>) {
        let Some(Line { unsaid }) = self.line(now, trouble) else {
            return;
        };
        let message = trouble.message();
        if trouble.is_of_a_stop() {
            tracing::info!(answer = beside.answer, unsaid, "{message}");
            return;
        }
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
            alert,
            uuid,
            label,
            answer,
            alerts,
            heard,
            called,
            unsaid,
            "{message}"
        );
    }

    fn line(&self, now: Moment, trouble: Trouble) -> Option<Line> {
        let mut lines = self.lines.lock();
        let lines = lines.entry(trouble);
        lines.or_insert_with(|| LogLimit::new(1, EVERY)).line(now)
    }

    /// Once for each GPU and label. The alert acts; its rule or the relabelling may be wrong.
    pub(super) fn log_mismatch(&self, gpu: &Uuid, label: &'static str, alert: &str) {
        if self.is_news(gpu, label) {
            tracing::warn!(uuid = %gpu, label, alert, "an alert's label contradicts its UUID or address, which decides: check the rule and the relabelling");
        }
    }

    fn is_news(&self, gpu: &Uuid, label: &'static str) -> bool {
        let mut told = self.mismatches.lock();
        told.len() < MOST_MISMATCHES && told.insert((gpu.clone(), label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_line_and_count() {
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
    fn a_delivery_that_a_stop_refuses_asks_nobody_to_look() {
        let stop = Trouble::Refused(503, Some(STOPPING));
        assert!(stop.is_of_a_stop());
        assert!(stop.message().ends_with("Alertmanager sends it again"));
        for other in [Some("too many deliveries at once: try again"), None] {
            let busy = Trouble::Refused(503, other);
            assert!(!busy.is_of_a_stop());
            assert!(busy.message().contains("if this goes on, look"));
        }
    }

    #[test]
    fn a_mismatch_is_logged_once_for_each_gpu_and_label() {
        let troubles = Troubles::default();
        let (a, b) = (Uuid::new("GPU-a"), Uuid::new("GPU-b"));
        assert!(troubles.is_news(&a, "gpu") && troubles.is_news(&b, "gpu"));
        assert!(troubles.is_news(&a, "instance") && !troubles.is_news(&a, "gpu"));
    }
}
