//! A node with simulated GPUs, and the real program on it.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code: starts the program under test, waits on the wall's clock, and fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::nvml_sim::{Machine, USUAL_CONFIG, library};

/// What an operator had set before the guard came: not the default, not whole watts.
pub(crate) const ORIGINAL_WATTS: f64 = 387.654;

/// Much longer than anything here takes, on a loaded machine, too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_thermal-guard"))
}

/// Runs the program without a machine, hence without a driver.
pub(crate) fn run(args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(args).env_remove("THERMAL_GUARD_NVML_LIBRARY");
    command.env(USUAL_CONFIG, "/nonexistent/thermal-guard.yml");
    command.output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A node with simulated GPUs, and a state and a lock directory.
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) directory: TempDir,
    /// How much faster than the wall.
    scale: u32,
}

impl Node {
    pub(crate) fn new(profiles: &[&str]) -> Self {
        Self::faster(profiles, 20)
    }

    pub(crate) fn faster(profiles: &[&str], scale: u32) -> Self {
        Self {
            machine: Machine::create(profiles, &["--time-scale", &scale.to_string()]),
            directory: TempDir::new().unwrap(),
            scale,
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.machine.command(program());
        command.args(args);
        command.arg("--nvml.library").arg(library());
        command.arg("--state.dir").arg(self.state_dir());
        command
            .arg("--lock.dir")
            .arg(self.directory.path().join("lock"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub(crate) fn serve(&self) -> Guard {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, args: &[&str]) -> Guard {
        let mut command = self.command(&["serve", "--web.listen-address=127.0.0.1:0"]);
        command.args(args);
        command.arg(format!("--debug.time-scale={}", self.scale));
        command.arg("--log.level=warn");
        Guard(command.stderr(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn limit(&self) -> f64 {
        self.machine.gpu(0)["limit_watts"].as_f64().unwrap()
    }

    pub(crate) fn is_locked(&self) -> bool {
        !self.machine.gpu(0)["sm_lock_mhz"].is_null()
    }

    /// One for each GPU, also if a guard was killed before the newest had its name.
    pub(crate) fn journals(&self) -> usize {
        let files = fs::read_dir(self.state_dir().join("gpus"));
        let names = files.into_iter().flatten().map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            let named = name.strip_suffix(".thermal-guard");
            let named = named.and_then(|name| name.strip_prefix('.'));
            named.unwrap_or(&name).to_owned()
        });
        names.collect::<BTreeSet<_>>().len()
    }

    /// In air that is over critical by itself, so that no throttling brings it under safe.
    pub(crate) fn heat(&self) {
        self.machine.ctl(&["set", "load=1", "inlet=90"]);
    }

    pub(crate) fn cool(&self) {
        self.machine.ctl(&["set", "load=0", "inlet=20"]);
        self.machine.ctl(&["advance", "1000"]);
    }

    /// A guard throttled to the utmost and was killed; the GPU is still hot.
    pub(crate) fn with_a_dead_guards_remains() -> Self {
        let node = Self::new(&["a100-80gb"]);
        node.machine.ctl(&["limit", &ORIGINAL_WATTS.to_string()]);
        let guard = node.serve();
        node.heat();
        wait_until("throttled", || {
            node.limit() < ORIGINAL_WATTS && node.is_locked()
        });
        drop(guard);
        assert!(node.limit() < ORIGINAL_WATTS && node.is_locked());
        assert_eq!(node.journals(), 1);
        node
    }
}

/// A running guard; killed when dropped, as by `kill -9`.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
