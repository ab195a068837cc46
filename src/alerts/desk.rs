//! Where alerts arrive, pushed or pulled: the configuration that they are read by, and the records
//! of what became of them. The leases themselves are the guard's, in [`Shared`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::heard::{Heard, Names};
use super::lease_log::LeaseLog;
use super::possible::NotPossible;
use super::pull::counters::PullCounters;
use super::target::node::Node;
use super::trouble::{Beside, Trouble, Troubles};
use crate::guard::state::Shared;
use crate::policy::Level;

/// The configured part; a reload replaces it as a whole.
pub struct Settings {
    /// Time to live of a firing alert without renewal.
    pub lease: Duration,
    /// What an alert without `guard_action` asks for, by its `severity`. Empty: nothing.
    pub severity_map: BTreeMap<String, Level>,
    pub node: Node,
}

/// Takes alerts, and knows what became of them.
pub struct Desk {
    pub shared: Arc<Shared>,
    pub pull_counters: PullCounters,
    settings: ArcSwap<Settings>,
    pub(super) lease_log: LeaseLog,
    pub(super) not_possible: NotPossible,
    troubles: Troubles,
    pub(super) heard: Heard,
}

impl Desk {
    pub fn new(shared: Arc<Shared>, settings: Settings) -> Self {
        Self {
            shared,
            pull_counters: PullCounters::default(),
            settings: ArcSwap::from_pointee(settings),
            lease_log: LeaseLog::default(),
            not_possible: NotPossible::default(),
            troubles: Troubles::default(),
            heard: Heard::default(),
        }
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// For alerts that come from now on.
    pub fn reconfigure(&self, settings: Settings) {
        self.settings.store(Arc::new(settings));
    }

    /// The nodes that heartbeats come for.
    pub fn heard(&self) -> Names {
        self.heard.names()
    }

    /// Logs why nothing came of an alert or a delivery, each cause once in a while.
    pub(crate) fn log_trouble(&self, trouble: Trouble, beside: &Beside<'_>) {
        self.troubles.log(self.shared.clock.wall(), trouble, beside);
    }

    /// Logs that a label contradicts the UUID or address that decided, once for each GPU and label.
    pub(super) fn log_mismatch(&self, gpu: &crate::device::Uuid, label: &'static str, alert: &str) {
        self.troubles.log_mismatch(gpu, label, alert);
    }
}
