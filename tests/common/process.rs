//! The program under test, as a process.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests start programs, and fail by panic"
)]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output};

use super::nvml_sim::USUAL_CONFIG;

/// The program under test: the one that was built with the test, or the one that the environment
/// names, to see what an older one does.
pub(crate) fn program() -> PathBuf {
    let other = env::var_os("THERMAL_GUARD_TEST_BINARY");
    other.map_or_else(|| env!("CARGO_BIN_EXE_thermal-guard").into(), PathBuf::from)
}

/// Runs the program on a machine without a driver.
pub(crate) fn run(args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(args).env_remove("THERMAL_GUARD_NVML_LIBRARY");
    command.env(USUAL_CONFIG, "/nonexistent/thermal-guard.yml");
    // As for a program that reads it: lines are as long as they are.
    command.env_remove("COLUMNS");
    let output = command.output().expect("the program runs");
    keeps_off(args, &output);
    output
}

/// As root, `serve` and `restore` write to this machine's own state directory if they are told no other.
/// Only a mistake in the flags, or a question about themselves, ends them before that.
fn keeps_off(args: &[&str], output: &Output) {
    let writes = matches!(args.first(), Some(&("serve" | "restore")));
    let told = |arg: &&str| {
        arg.starts_with("--state.dir") || ["--simulate", "--help", "--version"].contains(arg)
    };
    let elsewhere = args.iter().any(told) || output.status.code() == Some(2);
    assert!(
        !writes || elsewhere,
        "{args:?} writes to /var/lib/thermal-guard"
    );
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A process that dies with this value, as by `kill -9`.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) const fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Its status, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("its state")
    }

    /// It has ended, or only threads inside the kernel are left of it.
    pub(crate) fn is_over(&mut self) -> bool {
        self.ended().is_some() || is_zombie(self.pid())
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.0.wait().expect("it ends")
    }

    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &self.pid().to_string()]).status();
        assert!(status.expect("kill").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_zombie(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| status.contains("State:\tZ"))
}

/// Arguments of strace that do `inject` to the calls that take part in these paths.
pub(crate) fn strace_arguments(inject: &str, paths: &[PathBuf]) -> Vec<String> {
    let call = inject.split(':').next().unwrap_or_default();
    let mut arguments = ["-f", "-qq", "-o", "/dev/null"].map(str::to_owned).to_vec();
    for (option, value) in [("trace", call), ("inject", inject)] {
        arguments.extend(["-e".to_owned(), format!("{option}={value}")]);
    }
    for path in paths {
        arguments.extend(["-P".to_owned(), path.display().to_string()]);
    }
    arguments
}
