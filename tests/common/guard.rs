//! The guard, as an operator runs it: the real program on a simulated machine, with its state in a
//! directory of its own.
//!
//! Everything that is started here dies with the value. A test that fails prints the end of the
//! guard's log, and keeps the whole log.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests start programs, wait by the wall clock, fail by panic, and compare limits exactly"
)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use thermal_guard::guard::actuate::journal::JournalDirs;

use super::nvml_sim::{Machine, library};
use super::process::{Running, program, strace_arguments};
use super::scrape::Metrics;
use super::wait::{PATIENCE, wait_until};

/// Lines of its log that a failing test prints.
const LAST_LINES: usize = 60;

/// One guard on one machine. Started again, it goes on with the same state on the same port.
pub(crate) struct Guard {
    pub(crate) machine: Machine,
    pub(crate) dir: TempDir,
    scale: u32,
    flags: Vec<String>,
    env: Vec<(String, String)>,
    /// What the service runs under.
    wrapper: Vec<String>,
    /// What was attached to it.
    tracer: Option<Running>,
    library: PathBuf,
    address: Option<SocketAddr>,
    service: Option<Running>,
    /// Limits before the guard: what must be given back.
    originals: Vec<Option<f64>>,
}

/// To make one and to prepare its starts.
impl Guard {
    /// Not running yet. Machine and guard run `scale` times faster than the wall.
    pub(crate) fn new(machine: Machine, scale: u32, config: &str) -> Self {
        let dir = TempDir::new().expect("a directory for the guard");
        if machine.is_there() {
            machine.ctl(&["time-scale", &scale.to_string()]);
        }
        let guard = Self {
            originals: machine.limits(),
            machine,
            dir,
            scale,
            flags: Vec::new(),
            wrapper: Vec::new(),
            tracer: None,
            env: Vec::new(),
            library: library(),
            address: None,
            service: None,
        };
        guard.configure(config);
        guard
    }

    /// Not running yet, on a new machine with these cards, twenty times faster than the wall.
    pub(crate) fn on(profiles: &[&str]) -> Self {
        Self::new(Machine::create(profiles, &[]), 20, "")
    }

    /// Runs and is ready.
    pub(crate) fn started(machine: Machine, scale: u32, config: &str) -> Self {
        let mut guard = Self::new(machine, scale, config);
        guard.start();
        guard
    }

    /// How many times faster than the wall it runs.
    pub(crate) const fn scale(&self) -> u32 {
        self.scale
    }

    /// One more flag for the starts from now on.
    pub(crate) fn flag(&mut self, flag: &str) {
        self.flags.push(flag.to_owned());
    }

    /// The next starts are under strace, which does that to the calls that these paths take part in.
    /// Its counts are of each thread.
    pub(crate) fn strace(&mut self, inject: &str, paths: &[PathBuf]) {
        // With -D the guard itself is this process's child, and gets its signals.
        let arguments = ["strace".to_owned(), "-D".to_owned()];
        let arguments = arguments.into_iter().chain(strace_arguments(inject, paths));
        self.wrapper = arguments.collect();
    }

    /// The next starts are what this program makes of them.
    pub(crate) fn under(&mut self, wrapper: &[&str]) {
        self.wrapper = wrapper.iter().map(ToString::to_string).collect();
    }

    /// As [`Self::strace`], from now on. It ends with the guard.
    pub(crate) fn strace_now(&mut self, inject: &str, paths: &[PathBuf]) {
        let mut strace = Command::new("strace");
        let strace = strace
            .args(strace_arguments(inject, paths))
            .args(["-p", &self.pid().to_string()])
            .stderr(Stdio::null())
            .spawn();
        self.tracer = Some(Running::new(strace.expect("strace")));
        let traced = || {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
            !status.unwrap_or_default().contains("TracerPid:\t0\n")
        };
        assert!(wait_until(PATIENCE, traced), "strace doesn't attach");
    }

    /// In the environment of what is started from now on.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Where the next start looks for NVML.
    pub(crate) fn library_is_at(&mut self, path: PathBuf) {
        self.library = path;
    }

    /// The configuration of the next start or reload.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.path("config.yml"), config).expect("the configuration");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn journal_dirs(&self) -> JournalDirs {
        JournalDirs::new(&self.state_dir(), Some(&self.path("lock")))
    }

    /// What is to be given back from here on: the driver forgot what was before.
    pub(crate) fn originals_are_now(&mut self, originals: &[f64]) {
        self.originals = originals.iter().copied().map(Some).collect();
    }

    /// The limits that the GPUs had before the guard.
    pub(crate) fn originals(&self) -> &[Option<f64>] {
        &self.originals
    }

    /// The limit that this GPU had before the guard.
    pub(crate) fn original(&self, gpu: usize) -> f64 {
        self.originals[gpu].expect("a limit")
    }
}

/// To start it and to end it.
impl Guard {
    /// Starts it and waits until it has read its GPUs.
    pub(crate) fn start(&mut self) {
        self.launch();
        let ready = wait_until(PATIENCE, || self.get("/-/ready").is_ok());
        assert!(ready, "not ready");
    }

    /// Starts it and waits until it answers at all: where there is no driver, that is all it does.
    pub(crate) fn launch(&mut self) {
        assert!(self.service.is_none(), "it runs already");
        let known = fs::metadata(self.log_file()).map_or(0, |file| file.len());
        let mut service = self.spawn();
        let mut address = None;
        let listens = wait_until(PATIENCE, || {
            let log = self.log();
            let since = log.get(usize::try_from(known).unwrap_or(0)..);
            address = since.and_then(listening);
            address.is_some() || service.ended().is_some()
        });
        self.service = Some(service);
        assert!(listens && address.is_some(), "it doesn't listen");
        self.address = address;
    }

    /// Starts it beside this value, and doesn't wait for anything.
    pub(crate) fn spawn(&self) -> Running {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file());
        let log = log.expect("log file");
        let port = self.address.map_or(0, |address| address.port());
        let service = self
            .wrapped("serve")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn();
        Running::new(service.expect("the guard starts"))
    }

    /// One of the program's commands, on this machine, configuration and state.
    pub(crate) fn command(&self, name: &str) -> Command {
        self.command_at(self.scale, name)
    }

    /// The same, so many times faster than the wall.
    pub(crate) fn command_at(&self, scale: u32, name: &str) -> Command {
        let mut command = self.machine.command(&program());
        let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        command
            .arg(name)
            .arg(path("config.file", &self.path("config.yml")))
            .arg(path("state.dir", &self.state_dir()))
            .arg(path("lock.dir", &self.path("lock")))
            .arg(path("nvml.library", &self.library))
            .arg(format!("--debug.time-scale={scale}"))
            .args(&self.flags)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn wrapped(&self, name: &str) -> Command {
        let plain = self.command(name);
        let Some((wrapper, arguments)) = self.wrapper.split_first() else {
            return plain;
        };
        let mut under = Command::new(wrapper);
        under
            .args(arguments)
            .arg(plain.get_program())
            .args(plain.get_args());
        let variables = plain.get_envs();
        under.envs(variables.filter_map(|(key, value)| Some((key, value?))));
        under
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let output = self.command(name).args(arguments).output();
        output.expect("the command runs")
    }

    /// SIGTERM. The exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.take().wait().code()
    }

    /// SIGTERM. The exit code, if it ended in time; if not, it is killed.
    pub(crate) fn stop_within(&mut self, patience: Duration) -> Option<i32> {
        self.signal("TERM");
        let mut service = self.take();
        let ended = wait_until(patience, || service.is_over());
        // A process whose tracer still delays it can't be waited for.
        self.tracer = None;
        ended.then(|| service.wait().code()).flatten()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        drop(self.take());
    }

    pub(crate) fn signal(&self, name: &str) {
        self.service().signal(name);
    }

    pub(crate) const fn runs(&self) -> bool {
        self.service.is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.service().pid()
    }

    fn service(&self) -> &Running {
        self.service.as_ref().expect("it runs")
    }

    fn take(&mut self) -> Running {
        self.service.take().expect("it runs")
    }
}

/// To ask it.
impl Guard {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("it was started")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.path("state/hook-token")
    }

    pub(crate) fn token(&self) -> String {
        let token = fs::read_to_string(self.token_file()).expect("the token");
        token.trim().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Result<String, ureq::Error> {
        ureq::get(self.url(path))
            .config()
            // One that listens and doesn't answer must not hang its test.
            .timeout_global(Some(PATIENCE / 2))
            .build()
            .call()?
            .body_mut()
            .read_to_string()
    }

    /// `/metrics` in the classic format.
    pub(crate) fn metrics(&self) -> Metrics {
        let text = self.get("/metrics").expect("metrics");
        Metrics::parse(&text)
    }

    pub(crate) fn status(&self) -> Value {
        let text = self.get("/api/v1/status").expect("status");
        serde_json::from_str(&text).expect("JSON")
    }

    /// `POST` with this `Authorization`; the answer's code.
    pub(crate) fn post(&self, path: &str, authorization: Option<&str>, body: &Value) -> u16 {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent.post(self.url(path));
        if let Some(credential) = authorization {
            request = request.header("Authorization", credential);
        }
        let response = request.send_json(body).expect("an answer");
        response.status().as_u16()
    }

    /// What Alertmanager would post, with the right token.
    pub(crate) fn hook(&self, body: &Value) -> u16 {
        self.post("/hook", Some(&format!("Bearer {}", self.token())), body)
    }

    fn log_file(&self) -> PathBuf {
        self.path("guard.log")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Lines of the log with all of these words.
    pub(crate) fn logged(&self, words: &[&str]) -> Vec<String> {
        let log = self.log();
        let lines = log.lines();
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        lines.filter(has_all).map(str::to_owned).collect()
    }

    /// Waits for `condition` of the metrics, and returns those that met it.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut(&Metrics) -> bool) -> Metrics {
        let began = Instant::now();
        loop {
            let metrics = self.metrics();
            if condition(&metrics) {
                return metrics;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this GPU is in `state`.
    #[track_caller]
    pub(crate) fn wait_state(&self, gpu: usize, state: &str) -> Metrics {
        let what = format!("GPU {gpu} {state}");
        self.wait(&what, |metrics| metrics.state(gpu) == Some(state))
    }

    /// GPUs that have a journal, also one whose newest version hasn't got its name because the guard
    /// was killed.
    pub(crate) fn journals(&self) -> usize {
        let files = fs::read_dir(self.path("state/gpus"));
        let names = files.into_iter().flatten().map(|file| {
            let name = file.expect("an entry").file_name();
            let name = name.into_string().expect("text");
            let named = name.strip_suffix(".thermal-guard");
            let named = named.and_then(|name| name.strip_prefix('.'));
            named.unwrap_or(&name).to_owned()
        });
        names.collect::<BTreeSet<_>>().len()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tracer = None;
        self.service = None;
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            println!("the end of the guard's log:\n{}", last.join("\n"));
            if let Some(kept) = keep(&self.log_file()) {
                println!("all of it: {}", kept.display());
            }
        }
    }
}

/// Copies the log of a failed test to a place that outlives it.
fn keep(log: &Path) -> Option<PathBuf> {
    let thread = thread::current();
    let test = thread.name().unwrap_or("test").replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failed");
    fs::create_dir_all(&folder).ok()?;
    let kept = folder.join(format!("{test}.log"));
    fs::copy(log, &kept).ok().map(|_| kept)
}

/// The address in `… message=listening address=127.0.0.1:4711`.
fn listening(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("listening"))?;
    let (_, rest) = line.split_once("address=")?;
    rest.split_whitespace()
        .next()?
        .trim_matches('"')
        .parse()
        .ok()
}
