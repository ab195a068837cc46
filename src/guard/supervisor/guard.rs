//! A running guard, as the command that started it has it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use crate::guard::hang_watch::HangWatch;
use crate::guard::inventory::Inventory;
use crate::guard::state::Shared;

use super::plan::Plan;
use super::scan::Supervisor;

/// How long a stop waits for the workers. One inside a hung NVML call is left behind.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A running guard.
pub struct Guard {
    supervisor: JoinHandle<Vec<JoinHandle<()>>>,
    fatal: watch::Receiver<Option<String>>,
    looked: watch::Receiver<bool>,
    shared: Arc<Shared>,
    hang_watch: HangWatch,
}

impl Guard {
    pub fn start(plan: Plan, shared: Arc<Shared>) -> io::Result<Self> {
        let (report, fatal) = watch::channel(None);
        let (scanned, looked) = watch::channel(false);
        let supervisor = Supervisor {
            plan: Arc::new(plan),
            shared: shared.clone(),
            report,
            scanned,
            inventory: Inventory::default(),
            workers: Vec::new(),
            others: BTreeSet::new(),
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

    /// Resolves once the guard has looked for the driver, whether it found one or not.
    pub fn looked(&self) -> impl Future<Output = ()> + use<> {
        let mut looked = self.looked.clone();
        async move {
            // An error: the supervisor has ended.
            let _ = looked.wait_for(|looked| *looked).await;
        }
    }

    /// Resolves when the guard can't go on: another one holds a GPU.
    pub async fn fatal(&self) -> String {
        let mut fatal = self.fatal.clone();
        match fatal.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // The supervisor ended without a reason to complain: a stop, or a panic.
            Err(_) if self.shared.is_stopping() => std::future::pending().await,
            Err(_) => "the thread that finds the GPUs ended; please report the log".to_owned(),
        }
    }

    /// Ends the workers. Each gives back what it may. True: all have ended.
    pub fn stop(self) -> bool {
        self.shared.stop();
        self.hang_watch.end();
        let deadline = self.shared.clock.wall() + STOP_PATIENCE;
        let ended = |thread: &dyn Fn() -> bool| {
            while !thread() && self.shared.clock.wall() < deadline {
                thread::park_timeout(Duration::from_millis(5));
            }
            thread()
        };
        // Each time: a call into the driver may have used up an unpark that came during it.
        let supervisor_ended = || {
            self.supervisor.thread().unpark();
            self.supervisor.is_finished()
        };
        if !ended(&supervisor_ended) {
            return false;
        }
        let workers = self.supervisor.join().unwrap_or_default();
        workers
            .into_iter()
            .all(|worker| ended(&|| worker.is_finished()))
    }
}
