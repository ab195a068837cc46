//! The guard itself, as an operator runs it: the real program on a simulated machine, with its state
//! in a directory that goes with it.
//!
//! What is started here dies with the value, and a failing test shows what the guard said last.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests start programs, wait by the wall clock, fail by panic, and compare limits exactly"
)]

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::chain::wait_until;
use super::nvml_sim::{Machine, library};

/// What a busy machine with two cores is given for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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
    tracer: Option<Child>,
    library: PathBuf,
    address: Option<SocketAddr>,
    child: Option<Child>,
    /// Limits before the guard: what must be given back.
    originals: Vec<Option<f64>>,
}

impl Guard {
    /// Not running yet. Machine and guard run `scale` times faster than the wall.
    pub(crate) fn new(machine: Machine, scale: u32, config: &str) -> Self {
        let dir = TempDir::new().expect("a directory for the guard");
        if machine.is_there() {
            machine.ctl(&["time-scale", &scale.to_string()]);
        }
        let flags = vec![format!("--debug.time-scale={scale}")];
        let guard = Self {
            originals: limits(&machine),
            machine,
            dir,
            scale,
            flags,
            wrapper: Vec::new(),
            tracer: None,
            env: Vec::new(),
            library: library(),
            address: None,
            child: None,
        };
        guard.configure(config);
        guard
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
        // The tracer is nobody's parent: signals go to the guard.
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
        self.tracer = Some(strace.expect("strace"));
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

    /// Starts it and waits until it has read its GPUs.
    pub(crate) fn start(&mut self) {
        self.launch();
        let ready = wait_until(PATIENCE, || self.get("/-/ready").is_ok());
        assert!(ready, "not ready");
    }

    /// Starts it and waits until it answers at all: where there is no driver, that is all it does.
    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.path("guard.log"));
        let log = log.expect("log file");
        let known = fs::metadata(self.path("guard.log")).map_or(0, |file| file.len());
        let port = self.address.map_or(0, |address| address.port());
        let mut serve = self.wrapped("serve");
        let child = serve
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn();
        let mut child = child.expect("the guard starts");
        let mut address = None;
        let listens = wait_until(PATIENCE, || {
            let said = self.log();
            let since = said.get(usize::try_from(known).unwrap_or(0)..);
            address = since.and_then(listening);
            let ended = child.try_wait().expect("its state");
            address.is_some() || ended.is_some()
        });
        self.child = Some(child);
        assert!(listens && address.is_some(), "it doesn't listen");
        self.address = address;
    }

    /// One of the program's commands, with what says which guard is meant.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = self.machine.command(&program());
        let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        command
            .arg(name)
            .arg(path("config.file", &self.path("config.yml")))
            .arg(path("state.dir", &self.path("state")))
            .arg(path("lock.dir", &self.path("lock")))
            .arg(path("nvml.library", &self.library))
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

    /// SIGTERM. The exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        let mut child = self.child.take().expect("it runs");
        child.wait().expect("it ends").code()
    }

    /// SIGTERM. The exit code, if it ended in time; if not, it is killed.
    pub(crate) fn stop_within(&mut self, patience: Duration) -> Option<i32> {
        self.signal("TERM");
        let mut child = self.child.take().expect("it runs");
        let ended = wait_until(patience, || {
            child.try_wait().expect("its state").is_some() || is_zombie(child.id())
        });
        // Nobody can wait for what a tracer still delays.
        self.end_tracer();
        if !ended {
            let _ = child.kill();
        }
        let status = child.wait().expect("it ends");
        ended.then(|| status.code()).flatten()
    }

    fn end_tracer(&mut self) {
        if let Some(mut tracer) = self.tracer.take() {
            let _ = tracer.kill();
            let _ = tracer.wait();
        }
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let child = self.child.as_ref().expect("it runs");
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("kill");
        child.wait().expect("it ends");
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("guard.log")).unwrap_or_default()
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

    /// Waits for `condition` of the hardware's truth about one GPU, and returns what met it.
    #[track_caller]
    pub(crate) fn wait_gpu(
        &self,
        gpu: usize,
        what: &str,
        mut condition: impl FnMut(&Value) -> bool,
    ) -> Value {
        let began = Instant::now();
        loop {
            let card = self.machine.gpu(gpu);
            if condition(&card) {
                return card;
            }
            assert!(began.elapsed() < PATIENCE, "never: {what}: {card:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until somebody wrote a limit under the original one.
    #[track_caller]
    pub(crate) fn wait_throttled(&self, gpu: usize) -> Value {
        let original = self.originals[gpu].expect("a limit");
        self.wait_gpu(gpu, "throttled", |card| limit(card) < original)
    }

    /// Work that heats the GPU, in a hot room with a failing fan.
    pub(crate) fn heat(&self, gpu: usize) {
        let gpu = gpu.to_string();
        let hot = ["load=1", "inlet=38", "airflow=1.6"];
        self.machine
            .ctl(&[&["set", "--gpu", &gpu][..], &hot].concat());
    }

    /// The work ends, in a cool room.
    pub(crate) fn cool(&self, gpu: usize) {
        let gpu = gpu.to_string();
        let cool = ["load=0.05", "inlet=20", "airflow=0.5"];
        self.machine
            .ctl(&[&["set", "--gpu", &gpu][..], &cool].concat());
    }

    /// What is to be given back from here on: the driver forgot what was before.
    pub(crate) fn originals_are_now(&mut self, originals: &[f64]) {
        self.originals = originals.iter().copied().map(Some).collect();
    }

    /// The original limit of a GPU.
    pub(crate) fn original(&self, gpu: usize) -> f64 {
        self.originals[gpu].expect("a limit")
    }

    /// Every GPU gets back exactly the limit that it had before the guard, and has no lock.
    #[track_caller]
    pub(crate) fn assert_given_back(&self) {
        if self.child.is_some() {
            // Not just between two throttles.
            self.wait("normal again", |metrics| {
                let normal = metrics.all("thermal_guard_state", &[("state", "normal")]);
                normal.len() == self.originals.len() && normal.iter().all(|is| *is == 1.0)
            });
        }
        let began = Instant::now();
        loop {
            let machine = self.machine.show();
            let gpus = machine["gpus"].as_array().expect("GPUs");
            let unlocked =
                |card: &Value| card["sm_lock_mhz"].is_null() && card["memory_lock_mhz"].is_null();
            if limits_of(&machine) == self.originals && gpus.iter().all(unlocked) {
                break;
            }
            let wanted = &self.originals;
            assert!(
                began.elapsed() < PATIENCE,
                "not given back, wanted {wanted:?}: {machine:#}"
            );
            thread::sleep(Duration::from_millis(50));
        }
        if self.child.is_some() {
            let what = "nothing is claimed any more";
            self.wait(what, |metrics| {
                let claimed = metrics.all("thermal_guard_action_active", &[]);
                claimed.iter().all(|value| *value == 0.0)
            });
        }
        assert_eq!(self.journals(), 0, "the journal still claims something");
    }

    /// GPUs on which the journal says that something is ours.
    pub(crate) fn journals(&self) -> usize {
        let journals = fs::read_dir(self.path("state/gpus"));
        journals.map_or(0, Iterator::count)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end_tracer();
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            println!("the guard's last words:\n{}", last.join("\n"));
        }
    }
}

/// The guard under test: what was built with the test, or the one named in the environment, to see
/// what an older one does.
pub(crate) fn program() -> PathBuf {
    let other = env::var_os("THERMAL_GUARD_TEST_BINARY");
    other.map_or_else(|| env!("CARGO_BIN_EXE_thermal-guard").into(), PathBuf::from)
}

/// It has ended, whatever is left of its threads.
fn is_zombie(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|status| status.contains("State:\tZ"))
}

fn strace_arguments(inject: &str, paths: &[PathBuf]) -> Vec<String> {
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

fn limits(machine: &Machine) -> Vec<Option<f64>> {
    if machine.is_there() {
        limits_of(&machine.show())
    } else {
        Vec::new()
    }
}

fn limits_of(machine: &Value) -> Vec<Option<f64>> {
    let gpus = machine["gpus"].as_array().into_iter().flatten();
    gpus.map(|card| card["limit_watts"].as_f64()).collect()
}

/// The limit in force on a card.
pub(crate) fn limit(card: &Value) -> f64 {
    card["limit_watts"].as_f64().expect("a limit")
}

/// The true temperature of a card.
pub(crate) fn die(card: &Value) -> f64 {
    card["die"].as_f64().expect("a temperature")
}

/// How often anybody wrote to a card.
pub(crate) fn writes(card: &Value) -> u64 {
    let count = |name: &str| card[name].as_u64().expect("a count");
    count("limit_writes") + count("lock_writes") + count("refused_writes")
}

/// One scrape.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    series: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            series: lines.filter_map(series).collect(),
        }
    }

    /// The values of all series of that name that have these labels.
    pub(crate) fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let has = |own: &BTreeMap<String, String>| {
            let is = |(key, value): &(&str, &str)| own.get(*key).is_some_and(|own| own == value);
            labels.iter().all(is)
        };
        let fits = self
            .series
            .iter()
            .filter(|(own, has_labels, _)| own == name && has(has_labels));
        fits.map(|(_, _, value)| *value).collect()
    }

    /// Labels and value of each series of that name.
    pub(crate) fn series_of(
        &self,
        name: &str,
    ) -> impl Iterator<Item = (&BTreeMap<String, String>, f64)> {
        let fits = self.series.iter().filter(move |(own, _, _)| own == name);
        fits.map(|(_, labels, value)| (labels, *value))
    }

    /// The sum over all series of that name that have these labels; `None` if there is none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let all = self.all(name, labels);
        (!all.is_empty()).then(|| all.iter().sum())
    }

    /// The same of one GPU.
    pub(crate) fn of(&self, gpu: usize, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let index = gpu.to_string();
        let labels: Vec<_> = labels.iter().copied().chain([("gpu", &*index)]).collect();
        self.get(name, &labels)
    }

    pub(crate) fn state(&self, gpu: usize) -> Option<&str> {
        let index = gpu.to_string();
        let mut states = self.series.iter().filter(|(name, labels, value)| {
            name == "thermal_guard_state" && labels["gpu"] == index && *value == 1.0
        });
        states.next().map(|(_, labels, _)| &*labels["state"])
    }

    pub(crate) fn chain(&self) -> Option<&str> {
        let mut states = self
            .series
            .iter()
            .filter(|(name, _, value)| name == "thermal_guard_chain_state" && *value == 1.0);
        states.next().map(|(_, labels, _)| &*labels["state"])
    }

    /// How many throttles began on this GPU, by who brought them about.
    pub(crate) fn throttles(&self, gpu: usize, trigger: &str) -> f64 {
        let name = "thermal_guard_throttle_events_total";
        self.of(gpu, name, &[("trigger", trigger)]).unwrap_or(0.0)
    }
}

/// `name{key="value",…} number`; values here have no quotes and no `}` in them.
fn series(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let pairs = labels.trim_end_matches('}').split_terminator('"');
    let mut map = BTreeMap::new();
    let mut pairs = pairs.map(|text| text.trim_start_matches(',').trim_end_matches('='));
    while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
        map.insert(key.to_owned(), value.to_owned());
    }
    Some((name.to_owned(), map, value.parse().ok()?))
}
