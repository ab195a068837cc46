//! Applications to be told, and a guard that tells them.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::Machine;
use crate::common::wait::{PATIENCE, wait_until};

/// An application that gets a mode, and that can be stopped and started again.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) listener: Listener,
    mode: Arc<Mutex<String>>,
    away: Arc<AtomicBool>,
}

impl App {
    pub(crate) fn start() -> Self {
        let mode = Arc::new(Mutex::new("normal".to_owned()));
        let away = Arc::new(AtomicBool::new(false));
        let (minds, gone) = (Arc::clone(&mode), Arc::clone(&away));
        let listener = Listener::start(move |request| {
            if gone.load(Ordering::SeqCst) {
                return Some(("", String::new()));
            }
            let mut mode = minds.lock().unwrap();
            if let Some((_, said)) = request.split_once("?mode=") {
                said.split(' ').next().unwrap().clone_into(&mut mode);
            }
            Some(("application/json", json!({ "mode": *mode }).to_string()))
        });
        Self {
            listener,
            mode,
            away,
        }
    }

    pub(crate) fn mode(&self) -> String {
        self.mode.lock().unwrap().clone()
    }

    /// Everything is forgotten.
    pub(crate) fn start_anew(&self) {
        "normal".clone_into(&mut self.mode.lock().unwrap());
    }

    /// 503 to everything.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The modes that it got so far, in order.
    pub(crate) fn told(&self) -> Vec<String> {
        let told = self.listener.requests();
        let modes = told.iter().filter_map(|line| line.split_once("?mode="));
        modes.map(|(_, mode)| mode.to_owned()).collect()
    }

    /// Its entry in the guard's configuration.
    pub(crate) fn entry(&self, name: &str) -> String {
        self.entry_with(name, "")
    }

    pub(crate) fn entry_with(&self, name: &str, more: &str) -> String {
        let url = self.url();
        format!(
            "  - {{ name: {name}, http: {{ url: '{url}/set?mode={{mode}}', modes: {{ gradual: eco, emergency: eco }}{more} }} }}\n"
        )
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.address)
    }
}

pub(crate) fn config(apps: &str) -> String {
    format!("policy: {{ recovery_delay: 5s }}\napps:\n{apps}")
}

/// Plant and guard, times as fast as the wall.
pub(crate) const SCALE: u32 = 20;

pub(crate) fn guard(gpus: usize, apps: &str) -> Guard {
    let machine = Machine::create(&vec!["a100-80gb"; gpus], &[]);
    Guard::started(machine, SCALE, &config(apps))
}

#[track_caller]
pub(crate) fn until(guard: &Guard, what: &str, holds: impl FnMut() -> bool) {
    assert!(
        wait_until(PATIENCE, holds),
        "never: {what}\n{}",
        guard.log()
    );
}

/// Holds at every look for so long.
#[track_caller]
pub(crate) fn stays(guard: &Guard, seconds: f64, what: &str, mut holds: impl FnMut() -> bool) {
    let broken = wait_until(Duration::from_secs_f64(seconds), || !holds());
    assert!(!broken, "not for {seconds} s: {what}\n{}", guard.log());
}

fn authorization(guard: &Guard) -> String {
    format!("Bearer {}", guard.token())
}

/// An operator's lease on the first GPU.
#[track_caller]
pub(crate) fn throttle(guard: &Guard, level: &str) {
    let body = json!({ "gpu": "0", "level": level, "for": "20m" });
    let code = guard.post("/api/v1/leases", Some(&authorization(guard)), &body);
    assert_eq!(code, 200);
}

#[track_caller]
pub(crate) fn actuate(guard: &Guard, path: &str, body: &serde_json::Value) {
    let code = guard.post(path, Some(&authorization(guard)), body);
    assert_eq!(code, 200, "{path}");
}

/// The configuration with these applications, in force.
#[track_caller]
pub(crate) fn reload(guard: &Guard, apps: &str) {
    guard.configure(&config(apps));
    actuate(guard, "/-/reload", &json!({}));
}

/// The contents of the applications' journal.
pub(crate) fn journal(guard: &Guard) -> String {
    fs::read_to_string(guard.path("state/apps.json")).unwrap_or_default()
}

/// `restore`, after a kill, by the configuration that is there.
#[track_caller]
pub(crate) fn restore(guard: &Guard) {
    let output = guard.run("restore", &["--wait=1s", "--force"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
}
