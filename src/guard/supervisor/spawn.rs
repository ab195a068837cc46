//! Starts a worker thread for one GPU.

use std::sync::Arc;
use std::thread;

use crate::device::{Identity, Uuid};
use crate::disk::gpu_lock::{GpuLock, LockError};
use crate::guard::actuate::journal::Journal;
use crate::guard::gpu::thread::WorkerThread;
use crate::guard::state::GpuHandle;

use super::scan::Supervisor;

impl Supervisor {
    pub(super) fn spawn_worker(&mut self, identity: Arc<Identity>, selected: bool) {
        let lock = match self.lock(&identity) {
            Ok(lock) => {
                self.others.remove(&identity.uuid);
                lock
            }
            // Then a living guard has it, and what is left on it is that guard's.
            Err(_) if !selected => return,
            Err(error @ LockError::Held { .. }) if !self.shared.driver_status().ready => {
                let _ = self.report.send(Some(error.to_string()));
                return;
            }
            // Later, by a reload for example, it costs that GPU, and not the ones that are guarded.
            Err(error @ LockError::Held { .. }) => {
                if self.others.insert(identity.uuid.clone()) {
                    tracing::error!(gpu = identity.index, uuid = %identity.uuid, %error, "not guarded by this guard, and tried again: stop the other guard, or leave the GPU out of `gpus` here");
                }
                return;
            }
            Err(error) => {
                tracing::error!(gpu = identity.index, uuid = %identity.uuid, %error, "no lock: this guard won't touch the GPU; make --lock.dir writable and the guard's own, and restart it");
                None
            }
        };
        let may_write = lock.is_some() || self.plan.lock_dir.is_none();
        let uuid = identity.uuid.clone();
        let gpu_handle = Arc::new(GpuHandle::new(identity));
        gpu_handle.liveness.beat(self.shared.clock.wall());
        let worker = WorkerThread {
            journal: self.journal(&uuid),
            plan: self.plan.clone(),
            shared: self.shared.clone(),
            gpu_handle: gpu_handle.clone(),
            may_write,
        };
        let thread = thread::Builder::new().name(format!("gpu-{}", gpu_handle.identity.index));
        self.shared.register(gpu_handle.clone());
        let spawned = thread.spawn(move || {
            worker.gpu_handle.set_thread(thread::current());
            let retired = worker.keep();
            // Before the GPU may get a worker again, which must find the lock free.
            drop(lock);
            if retired {
                worker.shared.unregister(&worker.gpu_handle.identity.uuid);
            }
        });
        match spawned {
            Ok(handle) => {
                tracing::info!(gpu = gpu_handle.identity.index, %uuid, name = gpu_handle.identity.name, "guarding");
                self.workers.push(handle);
            }
            Err(error) => {
                self.shared.unregister(&uuid);
                tracing::error!(gpu = gpu_handle.identity.index, %uuid, %error, "no thread for the GPU: it isn't guarded, and tried again; raise TasksMax= of the service or the system's limit");
            }
        }
    }

    fn journal(&mut self, uuid: &Uuid) -> Journal {
        let dirs = self.plan.journal_dirs();
        let open = || dirs.map_or_else(Journal::none, |dirs| Journal::open(&dirs, uuid));
        let journal = self.journals.entry(uuid.clone()).or_insert_with(open);
        // Another guard may have had the GPU meanwhile, so the disk counts, not the memory.
        journal.forget_latest();
        journal.clone()
    }

    fn lock(&self, identity: &Identity) -> Result<Option<GpuLock>, LockError> {
        let Some(directory) = &self.plan.lock_dir else {
            return Ok(None);
        };
        // It was another guard's at the last scan: no time is lost for it again.
        let taken = if self.others.contains(&identity.uuid) {
            GpuLock::acquire_now(directory, &identity.uuid)
        } else {
            GpuLock::acquire(directory, &identity.uuid)
        };
        taken.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use tokio::sync::watch;

    use super::*;
    use crate::clock::Clock;
    use crate::guard::Plan;
    use crate::guard::inventory::Inventory;
    use crate::guard::state::{DriverStatus, Live, Shared};
    use crate::policy::ask::chain::{Chain, Expected};
    use crate::sim::card::{Card, Conditions, Rack};
    use crate::sim::profile::A100_80GB;
    use crate::units::{Celsius, Moment};

    #[test]
    fn a_gpu_of_another_guard_refuses_a_start_and_later_costs_itself_alone() {
        let idle = Conditions::full_load(Celsius::new(18.0));
        let card = Card::new(&A100_80GB, 0, Box::new(move |_| idle));
        let rack = Rack::new(vec![card], || Moment::START);
        let identity = crate::device::Driver::inventory(&rack).unwrap().remove(0);
        let locks = tempfile::TempDir::new().unwrap();
        let _others = GpuLock::acquire(locks.path(), &identity.uuid).unwrap();
        let chain = Chain::new(Expected::No, None, Moment::START);
        let shared = Arc::new(Shared::new(Clock::start(1.0), chain, Live::default()));
        let (report, refused) = watch::channel(None);
        let mut supervisor = Supervisor {
            plan: Arc::new(Plan {
                driver: Arc::new(rack),
                state_dir: None,
                lock_dir: Some(locks.path().to_owned()),
            }),
            shared: shared.clone(),
            report,
            scanned: watch::channel(false).0,
            inventory: Inventory::default(),
            workers: Vec::new(),
            others: BTreeSet::new(),
            chain_noted: None,
            journals: BTreeMap::new(),
        };
        shared.set_driver_status(DriverStatus {
            ready: true,
            ..DriverStatus::default()
        });
        supervisor.spawn_worker(identity.clone(), true);
        assert_eq!(*refused.borrow(), None, "the others go on");
        assert!(shared.gpu_handles().is_empty() && supervisor.workers.is_empty());
        shared.set_driver_status(DriverStatus::default());
        supervisor.spawn_worker(identity, true);
        assert!(refused.borrow().is_some(), "a start");
    }
}
