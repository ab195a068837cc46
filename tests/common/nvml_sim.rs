//! A simulated machine with GPUs, for one test: the library that programs load, and `nvml-simctl`, which
//! changes and shows the hardware.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code: starts the simulator's programs and fails by panicking"
)]

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::Value;
use tempfile::TempDir;

/// The environment variable that tells the simulated library which state file to use.
const STATE: &str = "NVML_SIM_STATE";
/// The environment variable with the place where commands look for the configuration if no flag names
/// one.
pub(crate) const USUAL_CONFIG: &str = "THERMAL_GUARD_USUAL_CONFIG";
/// Set in a process that [`Machine::run_test`] started: the test it is to run.
const TEST: &str = "THERMAL_GUARD_TEST";

/// Conditions in which a card has 70 °C at full power: it is hot half a minute after its air gets bad.
pub(crate) const WORKING: [&str; 2] = ["load=1", "airflow=0.85"];

/// A machine with simulated GPUs. All programs under test share its state, which is a file.
pub(crate) struct Machine {
    state: PathBuf,
    /// The directory of that file, in the process that created it.
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

    /// A machine whose cards have run under these conditions for a quarter of an hour.
    pub(crate) fn warm(profiles: &[&str], conditions: &[&str]) -> Self {
        let machine = Self::create(profiles, &["--time-scale", "0"]);
        machine.ctl(&[&["set"][..], conditions].concat());
        machine.ctl(&["advance", "900"]);
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

    /// The file with the state of the machine.
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

    /// The true state of the machine. Its sensors round some of it, and hide some.
    pub(crate) fn show(&self) -> Value {
        serde_json::from_str(&self.ctl(&["show", "--json"])).unwrap()
    }

    /// The true state of one card: see [`Self::show`].
    pub(crate) fn gpu(&self, index: usize) -> Value {
        self.show()["gpus"][index].clone()
    }

    /// The limit in force on each card; none without a driver.
    pub(crate) fn limits(&self) -> Vec<Option<f64>> {
        if !self.is_there() {
            return Vec::new();
        }
        let machine = self.show();
        let gpus = machine["gpus"].as_array().into_iter().flatten();
        gpus.map(|card| card["limit_watts"].as_f64()).collect()
    }

    /// A second handle on the same machine. The machine ends with the first one.
    pub(crate) fn same(&self) -> Self {
        Self {
            state: self.state.clone(),
            _scratch: None,
        }
    }

    /// The file in which the library records each write to a card, if the file exists.
    pub(crate) fn trace(&self) -> PathBuf {
        self.state.with_extension("state.trace")
    }

    /// The machine of the process that started this one.
    fn inherited() -> Self {
        Self {
            state: env::var_os(STATE).unwrap().into(),
            _scratch: None,
        }
    }

    /// Runs one test of this program in a process of its own, on this machine: the library takes the
    /// machine from the environment, and a process has only one.
    fn run_test(&self, test: &str) {
        let output = self
            .command(&env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(TEST, test)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        // A misspelt name would run no test, and succeed.
        let ran = said.contains("1 passed");
        assert!(output.status.success() && ran, "{said}\n{errors}");
    }

    /// A command whose process finds the GPUs of this machine when it loads [`library`].
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env(STATE, &self.state);
        // Not the configuration that a package has installed on this computer.
        command.env(USUAL_CONFIG, self.state.with_extension("yml"));
        // Lines are as long as they are, whatever the terminal of the tests.
        command.env_remove("COLUMNS");
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

/// The full name of the calling test, as the test runner knows it.
#[allow(unused_macros, reason = "each program uses its own part")]
macro_rules! this_test {
    () => {{
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        let name = name.strip_suffix("::here").unwrap_or(name);
        name.split_once("::").map_or(name, |(_, name)| name)
    }};
}
#[allow(unused_imports, reason = "each program uses its own part")]
pub(crate) use this_test;

/// Runs `body` on a machine of its own, in a process of its own. `test` is the name of the calling test
/// ([`this_test`]). Time on the machine stops until the test lets some pass (`advance`).
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

/// A file of the simulator. It lies in the profile's directory, one above the test programs.
fn built(name: &str) -> PathBuf {
    static BUILD: Once = Once::new();
    let program = env::current_exe().unwrap();
    let directory = program.parent().and_then(Path::parent).unwrap();
    let path = directory.join(name);
    if !path.exists() {
        BUILD.call_once(|| build(directory));
    }
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace` first",
        path.display()
    );
    path
}

/// Builds the simulator for test programs in this directory: `cargo test` builds only what it tests.
fn build(directory: &Path) {
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo
        .args(["build", "--quiet", "--locked", "--package", "nvml-sim"])
        .args(["--profile", profile])
        .env("CARGO_TARGET_DIR", directory.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.unwrap().success(), "the simulator doesn't build");
}
