//! Looks for the driver and its GPUs, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::GpuSelection;
use crate::device::{Identity, Uuid};
use crate::guard::actuate::journal;
use crate::guard::actuate::journal::Journal;
use crate::guard::inventory::{Inventory, counted};
use crate::guard::state::{DriverStatus, Shared};
use crate::units::Moment;

use super::plan::Plan;

/// The next guard expects a chain for a day after the last record of it, so this is often enough.
const CHAIN_NOTED_EVERY: Duration = Duration::from_secs(600);

/// Between two attempts to find a missing driver; and between two searches for new GPUs.
const DRIVER_EVERY: Duration = Duration::from_secs(2);
const NEW_GPUS_EVERY: Duration = Duration::from_secs(30);

/// The thread that finds the GPUs and starts their workers.
pub(super) struct Supervisor {
    pub(super) plan: Arc<Plan>,
    pub(super) shared: Arc<Shared>,
    pub(super) report: watch::Sender<Option<String>>,
    pub(super) scanned: watch::Sender<bool>,
    /// The last inventory.
    pub(super) inventory: Inventory,
    pub(super) workers: Vec<JoinHandle<()>>,
    /// GPUs that other guards have, though this one should.
    pub(super) others: BTreeSet<Uuid>,
    /// When the memory for the next guard last recorded that there is a chain.
    pub(super) chain_noted: Option<Moment>,
    /// The journals of all GPUs that were ever under guard. A GPU that one reload removes and another
    /// adds again keeps its journal: behind a slow disk, an old writer might undo the new one's entry.
    pub(super) journals: BTreeMap<Uuid, Journal>,
}

impl Supervisor {
    pub(super) fn run(mut self) -> Vec<JoinHandle<()>> {
        let mut listener: Option<JoinHandle<()>> = None;
        while !self.shared.is_stopping() {
            let holding = self.shared.hold_driver();
            let found = !self.shared.is_detached() && self.refresh_inventory();
            if found && listener.as_ref().is_none_or(JoinHandle::is_finished) {
                listener = self.listen();
            }
            drop(holding);
            if !self.is_refused() {
                self.shared.events.started();
            }
            self.scanned.send_replace(true);
            thread::park_timeout(if found { NEW_GPUS_EVERY } else { DRIVER_EVERY });
        }
        self.workers.extend(listener);
        self.workers
    }

    /// Gives every GPU of the node a worker. False: there is no driver.
    fn refresh_inventory(&mut self) -> bool {
        let inventory = self.plan.driver.inventory();
        let shared = &self.shared;
        let now = shared.clock.wall();
        let chain = shared.chain();
        shared
            .events
            .note_chain(now, chain.state(now), chain.fault(now));
        self.chain_noted = remember_chain(shared, self.chain_noted);
        shared
            .events
            .note_driver(shared.clock.wall(), inventory.is_ok());
        let mut status = self.shared.driver_status();
        let was_up = status.up;
        match inventory {
            Err(error) => {
                if was_up || status.error.as_ref() != Some(&error) {
                    let remedy = error.remedy();
                    if error.is_absence() {
                        tracing::error!(%error, remedy, "no NVIDIA driver: looking for it again every {DRIVER_EVERY:?}");
                    } else {
                        tracing::error!(%error, remedy, "the NVIDIA driver can't be used: trying again every {DRIVER_EVERY:?}");
                    }
                }
                status.up = false;
                status.error = Some(error);
                self.shared.set_driver_status(status);
                false
            }
            Ok(gpus) => {
                status.initializations += u64::from(!was_up);
                status.up = true;
                status.error = None;
                self.shared.set_driver_status(status);
                let live = self.shared.live();
                self.shared.listed(&gpus);
                self.compare(&live.gpus, &gpus);
                // Start with the selected GPUs: the others wait for a disk.
                let selected = |identity: &Arc<Identity>| live.selects(identity);
                let (ours, others): (Vec<_>, Vec<_>) = gpus.into_iter().partition(selected);
                // Before the first worker starts: the applications must know all of their GPUs.
                self.shared.tell_inventory(&ours);
                for identity in ours.into_iter().chain(others) {
                    let selected = live.selects(&identity);
                    let wanted = selected || self.is_left(&identity.uuid);
                    if wanted && self.shared.gpu_handle(&identity.uuid).is_none() {
                        self.spawn_worker(identity, selected);
                    }
                }
                let status = self.shared.driver_status();
                let first = !status.ready;
                self.shared.set_driver_status(DriverStatus {
                    ready: true,
                    ..status
                });
                if first && self.shared.gpu_handles().is_empty() && !self.is_refused() {
                    tracing::error!(
                        "no GPU of this node is guarded: none matches `gpus`, or there is none; compare it with nvidia-smi -L"
                    );
                }
                true
            }
        }
    }

    /// Another guard has a GPU that this one should guard.
    fn is_refused(&self) -> bool {
        self.report.borrow().is_some()
    }

    /// Finds out which GPUs should be guarded, and which of them can't be.
    fn compare(&mut self, selection: &GpuSelection, listed: &[Arc<Identity>]) {
        let counted = counted(self.plan.driver.as_ref(), listed.len());
        let known = self.shared.gpu_handles();
        let known: Vec<_> = known
            .iter()
            .map(|gpu_handle| gpu_handle.identity.clone())
            .collect();
        let found = Inventory::call(selection, counted, listed, &known);
        found.log(&self.inventory);
        self.shared.set_driver_status(DriverStatus {
            expected: found.expected,
            ..self.shared.driver_status()
        });
        self.inventory = found;
    }

    /// A dead guard left something on a GPU that isn't configured any more. Such a GPU gets a worker
    /// until that is given back.
    fn is_left(&self, uuid: &Uuid) -> bool {
        let dirs = self.plan.journal_dirs();
        dirs.is_some_and(|dirs| matches!(journal::load(&dirs, uuid), Ok(Some(_))))
    }
}

/// Records for the next guard that there is a chain, if that is due. Returns when it was last done.
fn remember_chain(shared: &Shared, noted: Option<Moment>) -> Option<Moment> {
    let now = shared.clock.wall();
    let due = noted.is_none_or(|at| now.since(at) >= CHAIN_NOTED_EVERY);
    if !due || shared.chain().last().is_none() {
        return noted;
    }
    shared.remember();
    Some(now)
}
