//! The alert chain around a guard: real Prometheus and Alertmanager as child processes, with the
//! configuration of `alerts/`, on free loopback ports, in a directory of their own.
//!
//! Everything that is started here dies with the value, also on a panic. Only the speed differs from the
//! shipped configuration: rules and routes are the same.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "tests start programs, wait by the wall clock, and fail by panic"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::wait::wait_until;

/// How much faster than shipped the chain runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Scrape, evaluation and group interval; 1000 as shipped.
    pub(crate) interval_ms: u32,
    /// Divides the windows and holds of the rules. It is the speed of the plant; 1 as shipped.
    pub(crate) time_scale: u32,
}

impl Timing {
    pub(crate) const SHIPPED: Self = Self {
        interval_ms: 1000,
        time_scale: 1,
    };
    /// For a plant and a guard with `--debug.time-scale 5`.
    pub(crate) const FIVE_TIMES: Self = Self {
        interval_ms: 200,
        time_scale: 5,
    };
    /// For a plant and a guard with `--debug.time-scale 10`. The intervals are those of five times, because
    /// a small machine would do little else than scrape.
    pub(crate) const TEN_TIMES: Self = Self {
        interval_ms: 200,
        time_scale: 10,
    };
}

/// Differences from the shipped setup of one node.
pub(crate) struct Setup<'a> {
    /// More `scrape_configs`.
    pub(crate) scrape: &'a str,
    /// Edits Alertmanager's configuration.
    pub(crate) edit: fn(String) -> String,
    /// Ports of Alertmanager. Two ports are a cluster: Prometheus sends every alert to both.
    pub(crate) alertmanagers: Vec<u16>,
    /// Prometheus runs with its own default resend delay of one minute, as many operators have it.
    pub(crate) default_resend_delay: bool,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        let [alertmanager] = free_ports();
        Self {
            scrape: "",
            edit: |shipped| shipped,
            alertmanagers: vec![alertmanager],
            default_resend_delay: false,
        }
    }
}

/// How long the second member of a cluster waits for the first before it sends a notification itself.
pub(crate) const PEER_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Chain {
    pub(crate) prometheus: Service,
    pub(crate) alertmanager: Service,
    /// The second of a cluster.
    pub(crate) peer: Option<Service>,
    _dir: TempDir,
    _place: Place,
}

impl Chain {
    /// Starts both and waits until they are ready. `guard` is scraped, and its `/hook` called with
    /// the token in `token_file`, whether or not it is there yet.
    pub(crate) fn start(guard: SocketAddr, token_file: &Path, timing: Timing) -> Self {
        Self::start_with(guard, token_file, timing, &Setup::default())
    }

    pub(crate) fn start_with(
        guard: SocketAddr,
        token_file: &Path,
        timing: Timing,
        setup: &Setup<'_>,
    ) -> Self {
        let place = Place::take();
        let dir = TempDir::new().expect("a directory for the chain");
        let [prometheus] = free_ports();
        write_config(dir.path(), guard, token_file, timing, setup);
        let mut config = File::options();
        let config = config.append(true).open(dir.path().join("prometheus.yml"));
        let written = config.and_then(|mut file| file.write_all(setup.scrape.as_bytes()));
        written.expect("the configuration");
        let prometheus = if setup.default_resend_delay {
            Service::prometheus(dir.path(), prometheus, None)
        } else {
            Service::shipped_prometheus(dir.path(), prometheus)
        };
        Self::run(dir, prometheus, &setup.alertmanagers, place)
    }

    /// Starts both on the configuration in this directory, on these ports.
    pub(crate) fn start_on(dir: TempDir, [prometheus, alertmanager]: [u16; 2]) -> Self {
        let prometheus = Service::shipped_prometheus(dir.path(), prometheus);
        Self::run(dir, prometheus, &[alertmanager], Place::take())
    }

    fn run(dir: TempDir, prometheus: Service, alertmanagers: &[u16], place: Place) -> Self {
        let mut members = Service::alertmanagers(dir.path(), alertmanagers).into_iter();
        let mut chain = Self {
            prometheus,
            alertmanager: members.next().expect("an Alertmanager"),
            peer: members.next(),
            _dir: dir,
            _place: place,
        };
        chain.alertmanager.start();
        if let Some(peer) = &mut chain.peer {
            peer.start();
        }
        chain.prometheus.start();
        chain
    }

    /// An instant query: one entry per series.
    pub(crate) fn query(&self, promql: &str) -> Vec<Sample> {
        let url = format!("{}/api/v1/query", self.prometheus.url);
        let mut response = ureq::get(&url)
            .query("query", promql)
            .call()
            .unwrap_or_else(|error| panic!("query {promql}: {error}"));
        let body: Value = response.body_mut().read_json().expect("JSON");
        let result = body["data"]["result"].as_array().expect("a vector").iter();
        result.map(Sample::from_json).collect()
    }

    /// Names of the alerts that fire now, for this GPU.
    pub(crate) fn firing(&self, gpu: u32) -> Vec<String> {
        let promql = format!("ALERTS{{alertstate='firing',gpu='{gpu}'}}");
        let samples = self.query(&promql).into_iter();
        samples.map(|s| s.labels["alertname"].clone()).collect()
    }
}

/// A place for one chain. Only few run at a time: more would slow each other down on a small machine.
struct Place;

static PLACES: (Mutex<usize>, Condvar) = (Mutex::new(3), Condvar::new());

/// Lets so many more chains run at a time.
pub(crate) fn make_room(chains: usize) {
    *Place::free() += chains;
    PLACES.1.notify_all();
}

impl Place {
    fn free() -> MutexGuard<'static, usize> {
        PLACES.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take() -> Self {
        let mut free = Self::free();
        while *free == 0 {
            free = PLACES.1.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *Self::free() += 1;
        PLACES.1.notify_one();
    }
}

/// One series of a query's result.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Sample {
    fn from_json(json: &Value) -> Self {
        let labels = serde_json::from_value(json["metric"].clone()).expect("labels");
        let value = json["value"][1].as_str().expect("a value");
        Self {
            labels,
            value: value.parse().expect("a number"),
        }
    }
}

/// A program that can be stopped and started again with the same data.
pub(crate) struct Service {
    pub(crate) url: String,
    program: &'static str,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Service {
    /// With the resend delay that the comment at the top of its configuration asks for.
    fn shipped_prometheus(dir: &Path, port: u16) -> Self {
        let flag = resend_delay(&dir.join("prometheus.yml"));
        Self::prometheus(dir, port, Some(flag))
    }

    fn prometheus(dir: &Path, port: u16, resend_delay: Option<String>) -> Self {
        let config = dir.join("prometheus.yml");
        let mut arguments = vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", dir.join("prometheus").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        arguments.extend(resend_delay);
        Self::new("prometheus", &arguments, dir, port)
    }

    /// One Alertmanager, or a cluster of two.
    fn alertmanagers(dir: &Path, ports: &[u16]) -> Vec<Self> {
        let [first, second] = free_ports().map(|port| format!("127.0.0.1:{port}"));
        let gossip = [(&first, &second), (&second, &first)];
        let member = |(port, (own, other)): (&u16, (&String, &String))| {
            let data = dir.join(format!("alertmanager-{port}"));
            let mut arguments = vec![
                format!("--config.file={}", dir.join("alertmanager.yml").display()),
                format!("--storage.path={}", data.display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ];
            if ports.len() == 1 {
                arguments.push("--cluster.listen-address=".to_owned());
            } else {
                arguments.push(format!("--cluster.listen-address={own}"));
                arguments.push(format!("--cluster.peer={other}"));
                let timeout = PEER_TIMEOUT.as_secs();
                arguments.push(format!("--cluster.peer-timeout={timeout}s"));
            }
            Self::new("prometheus-alertmanager", &arguments, dir, *port)
        };
        ports.iter().zip(gossip).map(member).collect()
    }

    fn new(program: &'static str, arguments: &[String], dir: &Path, port: u16) -> Self {
        Self {
            url: format!("http://127.0.0.1:{port}"),
            program,
            arguments: arguments.to_vec(),
            log: dir.join(format!("{program}.log")),
            child: None,
        }
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.launch();
        let started = wait_until(Duration::from_secs(20), || self.is_ready());
        assert!(
            started,
            "{} isn't ready:\n{}",
            self.program,
            self.end_of_log()
        );
    }

    /// Starts it.
    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.program);
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.expect("log file");
        let child = Command::new(self.program)
            .args(&self.arguments)
            .stdout(log.try_clone().expect("log file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; try `make install-deps`", self.program));
        self.child = Some(child);
    }

    pub(crate) const fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Asks it to end (SIGTERM), so that it saves what it has to.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let signalled = Command::new("kill").arg(child.id().to_string()).status();
        assert!(signalled.expect("kill").success());
        child.wait().expect("it ends");
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("kill");
        child.wait().expect("it ends");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    fn is_ready(&self) -> bool {
        ureq::get(format!("{}/-/ready", self.url)).call().is_ok()
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The flag that the comment at the top of the configuration asks for.
fn resend_delay(config: &Path) -> String {
    let text = fs::read_to_string(config).expect("the configuration");
    let mut words = text.split_whitespace();
    let flag = words.find(|word| word.starts_with("--rules.alert.resend-delay="));
    let flag = flag.expect("a resend delay in its first comment");
    flag.trim_end_matches('.').to_owned()
}

/// Free ports. All are held until the last one is found, so that they differ.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("its address").port())
}

fn write_config(dir: &Path, guard: SocketAddr, token: &Path, timing: Timing, setup: &Setup<'_>) {
    let members = setup.alertmanagers.iter();
    let members: Vec<_> = members.map(|port| format!("127.0.0.1:{port}")).collect();
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
    let token = token.display().to_string();
    let place = [
        ("n1.example:10835", guard.to_string()),
        ("127.0.0.1:9093", members.join("\", \"")),
        ("/etc/alertmanager/thermal-guard.token", token),
    ];
    for name in [
        "prometheus.yml",
        "alertmanager.yml",
        "thermal-guard.rules.yml",
    ] {
        let shipped = fs::read_to_string(alerts.join(name)).expect(name);
        let local = place
            .iter()
            .fold(shipped, |text, (from, to)| text.replace(from, to));
        let text = match name {
            "alertmanager.yml" => faster_config(&(setup.edit)(local), timing),
            "prometheus.yml" => faster_config(&local, timing),
            _ => faster_rules(&local, timing),
        };
        fs::write(dir.join(name), text).expect(name);
    }
}

/// Changes only the intervals: 1 s becomes the wanted interval, and repeats shrink by the same factor.
fn faster_config(shipped: &str, timing: Timing) -> String {
    let ms = timing.interval_ms;
    shipped
        .replace("_interval: 1s", &format!("_interval: {ms}ms"))
        .replace("scrape_timeout: 1s", &format!("scrape_timeout: {ms}ms"))
        .replace(
            "repeat_interval: 5s",
            &format!("repeat_interval: {}ms", 5 * ms),
        )
        .replace(
            "repeat_interval: 10s",
            &format!("repeat_interval: {}ms", 10 * ms),
        )
}

/// Scales windows, holds and slopes for a plant that runs faster. It fails if the rules no longer have
/// one of these patterns, so that it follows every change of the rules.
fn faster_rules(shipped: &str, timing: Timing) -> String {
    let scale = timing.time_scale;
    let ms = |seconds: u32| format!("{}ms", 1000 * seconds / scale);
    let pieces = [
        (
            "interval: 1s",
            format!("interval: {}ms", timing.interval_ms),
        ),
        ("[30s]", format!("[{}]", ms(30))),
        ("[1m]", format!("[{}]", ms(60))),
        ("[5s]", format!("[{}]", ms(5))),
        (", 5)", format!(", {})", 5.0 / f64::from(scale))),
        (", 7)", format!(", {})", 7.0 / f64::from(scale))),
        ("< -0.4", format!("< {}", -0.4 * f64::from(scale))),
        (
            "keep_firing_for: 30s",
            format!("keep_firing_for: {}", ms(30)),
        ),
        (
            "keep_firing_for: 10s",
            format!("keep_firing_for: {}", ms(10)),
        ),
    ];
    pieces.iter().fold(shipped.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the rules have no `{from}` any more");
        text.replace(from, to)
    })
}
