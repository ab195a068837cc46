//! Finds the GPUs, gives each a worker, watches for Xid events, and ends it all in order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use crate::config::GpuSelection;
use crate::device::{Driver, Identity, Uuid};
use crate::units::Moment;

use super::hang::HangWatch;
use super::journal::{self, Journal};
use super::lock::{GpuLock, LockError};
use super::post::Post;
use super::roll::{Roll, counted};
use super::shared::{Shared, Station};

/// The next guard misses a chain for a day, so it needn't be told more often.
const CHAIN_NOTED_EVERY: Duration = Duration::from_secs(600);

/// Between two looks for a missing driver, and for new GPUs once there is one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const ROLL_CALL_EVERY: Duration = Duration::from_secs(30);

/// How long a stop waits for the workers. One inside a hung NVML call is left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What a guard is to do.
pub struct Plan {
    pub driver: Arc<dyn Driver>,
    /// Where the journal is; `None` for simulated GPUs, which end with the process.
    pub state_dir: Option<PathBuf>,
    /// Where the locks are; `None` where nothing is written.
    pub lock_dir: Option<PathBuf>,
}

/// A running guard.
pub struct Guard {
    supervisor: JoinHandle<Vec<JoinHandle<()>>>,
    fatal: watch::Receiver<Option<String>>,
    looked: watch::Receiver<bool>,
    shared: Arc<Shared>,
    hang_watch: HangWatch,
}

impl Guard {
    pub fn start(plan: Plan, shared: Arc<Shared>) -> std::io::Result<Self> {
        let (report, fatal) = watch::channel(None);
        let (look, looked) = watch::channel(false);
        let supervisor = Supervisor {
            plan: Arc::new(plan),
            shared: shared.clone(),
            report,
            look,
            roll: Roll::default(),
            workers: Vec::new(),
            chain_noted: None,
            journals: BTreeMap::new(),
        };
        let thread = thread::Builder::new().name("supervisor".to_owned());
        Ok(Self {
            supervisor: thread.spawn(move || supervisor.run())?,
            fatal,
            looked,
            hang_watch: HangWatch::start(shared.clone())?,
            shared,
        })
    }

    /// Resolves once the driver was looked for, with whatever outcome.
    pub fn looked(&self) -> impl Future<Output = ()> + use<> {
        let mut looked = self.looked.clone();
        async move {
            // An error: the supervisor has ended, and won't look any more.
            let _ = looked.wait_for(|looked| *looked).await;
        }
    }

    /// Resolves when the guard can't go on: another one holds a GPU.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.fatal.clone();
        match fatal.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // The supervisor ended without a complaint: a stop.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends the workers, who give back what may be given back. True: all have ended.
    pub fn stop(self) -> bool {
        self.shared.stop();
        self.hang_watch.end();
        self.supervisor.thread().unpark();
        let deadline = self.shared.clock.wall() + STOP_PATIENCE;
        let ended = |thread: &dyn Fn() -> bool| {
            while !thread() && self.shared.clock.wall() < deadline {
                thread::park_timeout(Duration::from_millis(5));
            }
            thread()
        };
        if !ended(&|| self.supervisor.is_finished()) {
            return false;
        }
        let workers = self.supervisor.join().unwrap_or_default();
        workers
            .into_iter()
            .all(|worker| ended(&|| worker.is_finished()))
    }
}

/// Returns when that was done last.
fn remember_chain(shared: &Shared, noted: Option<Moment>) -> Option<Moment> {
    let now = shared.clock.wall();
    let due = noted.is_none_or(|at| now.since(at) >= CHAIN_NOTED_EVERY);
    if !due || shared.chain().last().is_none() {
        return noted;
    }
    shared.remember();
    Some(now)
}

struct Supervisor {
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    report: watch::Sender<Option<String>>,
    look: watch::Sender<bool>,
    /// As last called.
    roll: Roll,
    workers: Vec<JoinHandle<()>>,
    /// When the next guard was last left word that a chain is there.
    chain_noted: Option<Moment>,
    /// Of each GPU that was ever under guard. One that is let go of by a reload and taken on again goes
    /// on with its own: behind a slow disk, the old writer might undo what the new one wrote.
    journals: BTreeMap<Uuid, Journal>,
}

impl Supervisor {
    fn run(mut self) -> Vec<JoinHandle<()>> {
        let mut listener: Option<JoinHandle<()>> = None;
        while !self.shared.is_stopping() {
            let holding = self.shared.holding();
            let found = !self.shared.is_detached() && self.roll_call();
            if found && listener.as_ref().is_none_or(JoinHandle::is_finished) {
                listener = self.listen();
            }
            drop(holding);
            self.look.send_replace(true);
            thread::park_timeout(if found { ROLL_CALL_EVERY } else { LOOK_EVERY });
        }
        self.workers.extend(listener);
        self.workers
    }

    /// Every GPU of the node has a worker. False: there is no driver.
    fn roll_call(&mut self) -> bool {
        let inventory = self.plan.driver.inventory();
        let shared = &self.shared;
        shared.events.note_chain(shared.chain_state());
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
                        tracing::error!(%error, remedy, "no NVIDIA driver: looking for it again every {LOOK_EVERY:?}");
                    } else {
                        tracing::error!(%error, remedy, "the NVIDIA driver can't be used: trying again every {LOOK_EVERY:?}");
                    }
                }
                status.up = false;
                status.error = Some(error);
                false
            }
            Ok(gpus) => {
                status.initializations += u64::from(!was_up);
                status.up = true;
                status.error = None;
                drop(status);
                let live = self.shared.live();
                self.shared.number(&gpus);
                self.call(&live.gpus, &gpus);
                // Those that are to be guarded first: the others wait for a disk.
                let selected = |identity: &Arc<Identity>| (live.selects)(identity);
                let (ours, others): (Vec<_>, Vec<_>) = gpus.into_iter().partition(selected);
                // Before the first of them wishes: the others may want their applications slow.
                self.shared.tell_roll(&ours);
                for identity in ours.into_iter().chain(others) {
                    let selected = (live.selects)(&identity);
                    let wanted = selected || self.is_left(&identity.uuid);
                    if wanted && self.shared.station(&identity.uuid).is_none() {
                        self.hire(identity, selected);
                    }
                }
                let first = !std::mem::replace(&mut self.shared.driver_status().ready, true);
                if first && self.shared.stations().is_empty() {
                    tracing::error!(
                        "no GPU of this node is guarded: none matches `gpus`, or there is none; compare it with nvidia-smi -L"
                    );
                }
                true
            }
        }
    }

    /// Which GPUs should be guarded, and which of them can't be.
    fn call(&mut self, selection: &GpuSelection, listed: &[Arc<Identity>]) {
        let counted = counted(self.plan.driver.as_ref(), listed.len());
        let known = self.shared.stations();
        let known: Vec<_> = known
            .iter()
            .map(|station| station.identity.clone())
            .collect();
        let roll = Roll::call(selection, counted, listed, &known);
        roll.log(&self.roll);
        self.shared.driver_status().expected = roll.expected;
        self.roll = roll;
    }

    /// A dead guard left something on a GPU that isn't configured any more: taken on until that is
    /// given back.
    fn is_left(&self, uuid: &Uuid) -> bool {
        let state_dir = self.plan.state_dir.as_deref();
        state_dir.is_some_and(|dir| matches!(journal::load(dir, uuid), Ok(Some(_))))
    }

    fn hire(&mut self, identity: Arc<Identity>, selected: bool) {
        let lock = match self.lock(&identity) {
            Ok(lock) => lock,
            // What is on it is then a living guard's.
            Err(_) if !selected => return,
            Err(error @ LockError::Held { .. }) => {
                let _ = self.report.send(Some(error.to_string()));
                return;
            }
            Err(error) => {
                tracing::error!(gpu = identity.index, uuid = %identity.uuid, %error, "no lock: this guard won't touch the GPU; make --lock.dir writable and the guard's own, and restart it");
                None
            }
        };
        let may_write = lock.is_some() || self.plan.lock_dir.is_none();
        let uuid = identity.uuid.clone();
        let station = Arc::new(Station::new(identity));
        station.pulse.beat(self.shared.clock.wall());
        let post = Post {
            journal: self.journal(&uuid),
            plan: self.plan.clone(),
            shared: self.shared.clone(),
            station: station.clone(),
            may_write,
        };
        let thread = thread::Builder::new().name(format!("gpu-{}", station.identity.index));
        self.shared.enlist(station.clone());
        let spawned = thread.spawn(move || {
            post.station.staff(thread::current());
            let retired = post.keep();
            // Before the GPU may be taken on again: a lock still held would be another guard's.
            drop(lock);
            if retired {
                post.shared.delist(&post.station.identity.uuid);
            }
        });
        match spawned {
            Ok(handle) => {
                tracing::info!(gpu = station.identity.index, %uuid, name = station.identity.name, "guarding");
                self.workers.push(handle);
            }
            Err(error) => {
                self.shared.delist(&uuid);
                tracing::error!(gpu = station.identity.index, %uuid, %error, "no thread for the GPU: it isn't guarded, and tried again; raise TasksMax= of the service or the system's limit");
            }
        }
    }

    fn journal(&mut self, uuid: &Uuid) -> Journal {
        let state_dir = self.plan.state_dir.as_deref();
        let open = || state_dir.map_or_else(Journal::none, |dir| Journal::open(dir, uuid));
        let journal = self.journals.entry(uuid.clone()).or_insert_with(open);
        // Another guard may have had the GPU meanwhile: what is on disk counts.
        journal.forget_latest();
        journal.clone()
    }

    fn lock(&self, identity: &Identity) -> Result<Option<GpuLock>, LockError> {
        let Some(directory) = &self.plan.lock_dir else {
            return Ok(None);
        };
        GpuLock::acquire(directory, &identity.uuid).map(Some)
    }

    /// Xid events of all GPUs, on a thread of their own.
    fn listen(&self) -> Option<JoinHandle<()>> {
        let source = self.plan.driver.events().ok().flatten()?;
        let shared = self.shared.clone();
        let holding = shared.holding();
        let thread = thread::Builder::new().name("events".to_owned());
        let listening = thread.spawn(move || {
            // Dropped in the opposite order: let go of, then said so.
            let _holding = holding;
            let mut source = source;
            while !shared.is_stopping() && !shared.is_detached() {
                match source.wait(Duration::from_secs(1)) {
                    Ok(None) => {}
                    Ok(Some(xid)) => {
                        tracing::error!(gpu = shared.index(&xid.uuid), uuid = %xid.uuid, xid = xid.code, "Xid: critical GPU error; look its code up in NVIDIA's list of Xid errors, and see dmesg");
                        shared.report_xid(&xid);
                    }
                    Err(_) => return,
                }
            }
        });
        listening.ok()
    }
}
