//! Whole guards with their threads, over a simulated card: with a second guard, with a driver that
//! hangs, with a driver that reports an Xid.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::shared;
use crate::device::{
    CriticalError, CriticalErrors, Driver, DriverError, Gpu, Identity, Uuid, nvml,
};
use crate::events::{Trouble, What};
use crate::guard::state::Shared;
use crate::guard::{Guard, Plan};
use crate::policy::AppMode;
use crate::sim::card::{Card, Conditions, Rack};
use crate::sim::plant::Load;
use crate::sim::profile::A100_80GB;
use crate::units::{Celsius, Moment};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// Drives a simulated card, reports what the test sends, and opens nothing while the test holds the
/// door.
struct Staged {
    rack: Rack,
    door: Arc<Mutex<()>>,
    reports: Mutex<Option<Receiver<CriticalError>>>,
    /// GPUs that are counted and can't be listed.
    nameless: usize,
}

impl Driver for Staged {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.rack.inventory()
    }

    fn count(&self) -> Result<usize, DriverError> {
        Ok(self.rack.count()? + self.nameless)
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        drop(self.door.lock().unwrap_or_else(PoisonError::into_inner));
        self.rack.open(uuid)
    }

    fn critical_errors(&self) -> Result<Option<Box<dyn CriticalErrors>>, DriverError> {
        let reports = self.reports.lock().unwrap().take();
        Ok(reports.map(|reports| Box::new(Reports(reports)) as Box<dyn CriticalErrors>))
    }
}

struct Reports(Receiver<CriticalError>);

impl CriticalErrors for Reports {
    fn wait(&mut self, timeout: Duration) -> Result<Option<CriticalError>, DriverError> {
        match self.0.recv_timeout(timeout) {
            Ok(xid) => Ok(Some(xid)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(DriverError::GpuLost(nvml::code(15))),
        }
    }
}

/// One idle A100.
fn staged() -> (Arc<Staged>, Uuid) {
    let idle = Conditions {
        load: Load::IDLE,
        ..Conditions::full_load(Celsius::new(18.0))
    };
    let card = Card::new(&A100_80GB, 0, Box::new(move |_| idle));
    let uuid = card.uuid().clone();
    let staged = Staged {
        rack: Rack::new(vec![card], || Moment::START),
        door: Arc::default(),
        reports: Mutex::default(),
        nameless: 0,
    };
    (Arc::new(staged), uuid)
}

fn start(driver: &Arc<Staged>, shared: &Arc<Shared>, state: &Path, locks: &Path) -> Guard {
    let plan = Plan {
        driver: driver.clone(),
        state_dir: Some(state.to_owned()),
        lock_dir: Some(locks.to_owned()),
    };
    Guard::start(plan, shared.clone()).unwrap()
}

#[track_caller]
fn wait(shared: &Shared, what: &str, holds: impl Fn() -> bool) {
    let deadline = shared.clock.wall() + LONG;
    while !holds() {
        assert!(shared.clock.wall() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn told(shared: &Shared, matching: impl Fn(&What) -> bool) -> bool {
    let events = shared.events.recent();
    events.iter().any(|event| matching(&event.what))
}

#[test]
fn a_gpu_without_a_readable_uuid_is_expected_in_addition_to_those_under_guard() {
    let (state, locks) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (driver, _) = staged();
    let driver = Arc::new(Staged {
        nameless: 2,
        ..Arc::into_inner(driver).unwrap()
    });
    let shared = Arc::new(shared());
    assert_eq!(
        shared.driver_status().expected,
        0,
        "no driver was asked yet"
    );
    let guard = start(&driver, &shared, state.path(), locks.path());
    wait(&shared, "ready", || shared.driver_status().ready);
    assert_eq!(shared.driver_status().expected, 3);
    assert_eq!(shared.gpu_handles().len(), 1);
    assert!(guard.stop());
}

#[tokio::test]
async fn a_second_guard_with_another_state_directory_refuses_and_touches_nothing() {
    let (ours, theirs, locks) = (
        TempDir::new().unwrap(),
        TempDir::new().unwrap(),
        TempDir::new().unwrap(),
    );
    let (driver, uuid) = staged();
    let (first, second) = (Arc::new(shared()), Arc::new(shared()));
    let guard = start(&driver, &first, ours.path(), locks.path());
    let ticks = |shared: &Shared| {
        let gpu_handle = shared.gpu_handle(&uuid);
        gpu_handle.is_some_and(|gpu_handle| gpu_handle.latest().is_some())
    };
    wait(&first, "a tick", || ticks(&first));
    let second_guard = start(&driver, &second, theirs.path(), locks.path());
    let reason = tokio::time::timeout(LONG, second_guard.fatal())
        .await
        .unwrap();
    let holder = format!("another thermal-guard (pid {})", std::process::id());
    assert!(reason.contains(&holder), "{reason}");
    assert!(second.gpu_handles().is_empty());
    assert!(second_guard.stop() && ticks(&first));
    let complaint = tokio::time::timeout(Duration::from_millis(50), guard.fatal());
    assert!(complaint.await.is_err(), "the first goes on");
    assert!(guard.stop());
}

#[test]
fn a_call_that_hangs_slows_the_applications_and_is_told_when_it_begins_and_ends() {
    let (state, locks) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (driver, uuid) = staged();
    let apps = Arc::new(super::Told::default());
    let shared = Arc::new(shared().with_apps(apps.clone()));
    let held = driver.door.lock().unwrap();
    let guard = start(&driver, &shared, state.path(), locks.path());
    let began = |what: &What| matches!(what, What::TroubleBegan { trouble, .. } if *trouble == Trouble::GpuHung);
    wait(&shared, "noticed", || told(&shared, began));
    assert_eq!(apps.0.lock()[..], [AppMode::Gradual]);
    drop(held);
    let ended = |what: &What| matches!(what, What::TroubleEnded { trouble, .. } if *trouble == Trouble::GpuHung);
    wait(&shared, "over", || told(&shared, ended));
    let ticks = || shared.gpu_handle(&uuid).unwrap().latest().is_some();
    wait(&shared, "a tick", ticks);
    assert_eq!(apps.0.lock().last(), Some(&AppMode::Normal));
    assert!(guard.stop());
}

#[test]
fn an_xid_that_the_driver_reports_is_counted_on_its_gpu_and_told() {
    let (state, locks) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (driver, uuid) = staged();
    let (report, reports) = channel();
    *driver.reports.lock().unwrap() = Some(reports);
    let shared = Arc::new(shared());
    let guard = start(&driver, &shared, state.path(), locks.path());
    report
        .send(CriticalError {
            uuid: uuid.clone(),
            code: 79,
        })
        .unwrap();
    let counted = || {
        let tick = shared.gpu_handle(&uuid)?.latest()?;
        Some(tick.counters.xids.get(&79)?.count)
    };
    wait(&shared, "counted", || counted() == Some(1));
    assert!(told(&shared, |what| matches!(
        what,
        What::Xid { xid: 79, count: 1 }
    )));
    assert!(guard.stop());
}
