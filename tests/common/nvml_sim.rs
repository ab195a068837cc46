//! A simulated machine with GPUs, for one test: the library to load and the hands on the hardware.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code: starts the simulator's programs and fails by panicking"
)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// Tells the simulated library which state file to use.
const STATE: &str = "NVML_SIM_STATE";
/// Where the commands of a person look for a configuration that isn't named.
pub(crate) const USUAL_CONFIG: &str = "THERMAL_GUARD_USUAL_CONFIG";
/// Set in a process that [`Machine::run_test`] started: the test it is to run.
const TEST: &str = "THERMAL_GUARD_TEST";

/// A machine of simulated GPUs. Its state lies in a file that all programs under test share.
pub(crate) struct Machine {
    state: PathBuf,
    /// The file's directory, in the process that made it.
    _scratch: Option<TempDir>,
}

impl Machine {
    /// A machine with a card of each profile, in that order, idle. `options` are those of
    /// `nvml-simctl create`.
    pub(crate) fn create(profiles: &[&str], options: &[&str]) -> Self {
        let machine = Self::without_driver();
        machine.install(profiles, options);
        machine
    }

    /// The same, with its state in a directory under this one.
    pub(crate) fn create_in(place: &Path, profiles: &[&str], options: &[&str]) -> Self {
        let machine = Self::in_scratch(TempDir::new_in(place).unwrap());
        machine.install(profiles, options);
        machine
    }

    /// A machine on which no driver was ever installed.
    pub(crate) fn without_driver() -> Self {
        Self::in_scratch(TempDir::new().unwrap())
    }

    fn in_scratch(scratch: TempDir) -> Self {
        Self {
            state: scratch.path().join("nvml-sim.state"),
            _scratch: Some(scratch),
        }
    }

    /// Driver and cards; see [`Self::create`].
    pub(crate) fn install(&self, profiles: &[&str], options: &[&str]) {
        let gpus = profiles.iter().flat_map(|profile| ["--gpu", profile]);
        let args: Vec<&str> = ["create"]
            .into_iter()
            .chain(gpus)
            .chain(options.iter().copied())
            .collect();
        self.ctl(&args);
    }

    pub(crate) fn is_there(&self) -> bool {
        self.state.exists()
    }

    /// The file that the machine is.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Runs `nvml-simctl` on this machine and returns what it printed.
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        let output = self.command(&simctl()).args(args).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nvml-simctl {args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The truth about the machine, which its own sensors round or deny.
    pub(crate) fn show(&self) -> Value {
        serde_json::from_str(&self.ctl(&["show", "--json"])).unwrap()
    }

    /// The truth about one card: see [`Self::show`].
    pub(crate) fn gpu(&self, index: usize) -> Value {
        self.show()["gpus"][index].clone()
    }

    /// Other hands on the same machine, which goes with the first.
    pub(crate) fn same(&self) -> Self {
        Self {
            state: self.state.clone(),
            _scratch: None,
        }
    }

    /// Where what is done to the cards is written down, by processes that find the file there.
    pub(crate) fn trace(&self) -> PathBuf {
        self.state.with_extension("state.trace")
    }

    /// The machine of the process that this one was started by.
    fn inherited() -> Self {
        Self {
            state: env::var_os(STATE).unwrap().into(),
            _scratch: None,
        }
    }

    /// Runs one test of this program in a process of its own, on this machine: the library takes
    /// its machine from the environment, of which a process has one.
    fn run_test(&self, test: &str) {
        let output = self
            .command(&env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(TEST, test)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        // A misspelt name would run nothing, successfully.
        let ran = said.contains("1 passed");
        assert!(output.status.success() && ran, "{said}\n{errors}");
    }

    /// A program that will find this machine's GPUs once it loads [`library`].
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env(STATE, &self.state);
        // Not what a package has put on the machine that the tests run on.
        command.env(USUAL_CONFIG, self.state.with_extension("yml"));
        command
    }
}

/// The simulated library. Loading it by this path needs no `LD_LIBRARY_PATH`.
pub(crate) fn library() -> PathBuf {
    built("libnvidia_ml.so")
}

/// The program that controls the machine.
pub(crate) fn simctl() -> PathBuf {
    built("nvml-simctl")
}

/// Runs `body` on a machine of its own, in a process of its own. `test` is the calling test's name;
/// time on the machine stands still until the test lets some pass (`advance`).
pub(crate) fn in_own_process(test: &str, profiles: &[&str], body: impl FnOnce(&Machine)) {
    in_own_process_with(test, profiles, &[], body);
}

/// The same with options of `nvml-simctl create`.
pub(crate) fn in_own_process_with(
    test: &str,
    profiles: &[&str],
    options: &[&str],
    body: impl FnOnce(&Machine),
) {
    if env::var_os(TEST).is_some_and(|running| running == test) {
        return body(&Machine::inherited());
    }
    let options: Vec<&str> = ["--time-scale", "0"]
        .iter()
        .chain(options)
        .copied()
        .collect();
    Machine::create(profiles, &options).run_test(test);
}

/// A file that `cargo build --workspace` leaves in the profile's directory, over the tests' own.
fn built(name: &str) -> PathBuf {
    let program = env::current_exe().unwrap();
    let directory = program.parent().and_then(Path::parent).unwrap();
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}
