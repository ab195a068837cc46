//! The programs that are compared, and one of them running on a machine of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Connection;
use crate::nvml_sim::{Machine, library};
use crate::place;

/// How fast NVML answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// As fast as the simulated library does.
    Instant,
    /// As slow as a real driver was reported to be, call by call.
    Reported,
}

impl Calls {
    pub(crate) const BOTH: [Self; 2] = [Self::Instant, Self::Reported];
}

/// What is started, and how it tells what it sees.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The family with the GPUs' temperatures; without: it writes one into a file.
    family: Option<&'static str>,
    command: fn(&Stand) -> Command,
}

const GUARD_FAMILY: Option<&str> = Some("thermal_guard_gpu_temperature_celsius{");
const ALL_SMI_FAMILY: Option<&str> = Some("all_smi_gpu_temperature_celsius{");

pub(crate) const GUARD: Kind = Kind {
    name: "thermal-guard",
    family: GUARD_FAMILY,
    command: |stand| guard(stand, "enforce"),
};
pub(crate) const WATCHER: Kind = Kind {
    name: "thermal-guard, only observing",
    family: GUARD_FAMILY,
    command: |stand| guard(stand, "observe"),
};
pub(crate) const NVITOP: Kind = Kind {
    name: "nvitop-exporter",
    family: Some("gpu_temperature_C{"),
    command: nvitop,
};
/// At its default interval.
pub(crate) const ALL_SMI: Kind = Kind {
    name: "all-smi",
    family: ALL_SMI_FAMILY,
    command: |stand| all_smi(stand, 3),
};
pub(crate) const ALL_SMI_1S: Kind = Kind {
    name: "all-smi, each second",
    family: ALL_SMI_FAMILY,
    command: |stand| all_smi(stand, 1),
};
pub(crate) const SCRIPTS: Kind = Kind {
    name: "scripts",
    family: None,
    command: scripts,
};

/// Eight of these, as the figures to reach are for eight.
const CARD: &str = "a100-80gb";

/// What one program runs on.
struct Stand {
    machine: Machine,
    directory: TempDir,
    address: SocketAddr,
}

impl Stand {
    fn new(gpus: usize) -> Self {
        static PORTS: AtomicU16 = AtomicU16::new(21_000);
        let directory = TempDir::new().expect("a directory");
        symlink(library(), directory.path().join("libnvidia-ml.so.1")).expect("a link");
        Self {
            machine: Machine::create(&vec![CARD; gpus], &[]),
            directory,
            address: ([127, 0, 0, 1], PORTS.fetch_add(1, Ordering::Relaxed)).into(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Finds the simulated library as the driver's.
    fn command(&self, program: &Path) -> Command {
        let mut command = self.machine.command(program);
        command.env("LD_LIBRARY_PATH", self.directory.path());
        command.env("HOME", self.directory.path());
        let control = library().with_file_name("");
        command.env("PATH", place::path_with(&[&place::scripts(), &control]));
        command
    }
}

fn guard(stand: &Stand, mode: &str) -> Command {
    let mut command = stand
        .machine
        .command(Path::new(env!("CARGO_BIN_EXE_thermal-guard")));
    let config = stand.path("config.yml");
    fs::write(&config, "").expect("a configuration");
    let path = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
    command.args(["serve", &format!("--mode={mode}")]);
    command.arg(format!("--web.listen-address={}", stand.address));
    command.arg(path("config.file", &config));
    command.arg(path("state.dir", &stand.path("state")));
    command.arg(path("lock.dir", &stand.path("lock")));
    command.arg(path("nvml.library", &library()));
    command
}

fn nvitop(stand: &Stand) -> Command {
    let mut command = stand.command(&place::tool("venv/bin/nvitop-exporter"));
    command.args(["--bind-address", "127.0.0.1", "--interval", "1"]);
    command.args(["--port", &stand.address.port().to_string()]);
    command
}

fn all_smi(stand: &Stand, seconds: u64) -> Command {
    let mut command = stand.command(&place::tool("bin/all-smi"));
    command.args(["api", "--port", &stand.address.port().to_string()]);
    command.args(["--interval", &seconds.to_string()]);
    command
}

fn scripts(stand: &Stand) -> Command {
    let mut command = stand.command(&place::scripts().join("loop.sh"));
    command.env("STATUS", stand.path("status"));
    command
}

/// A program at work; it ends with this.
pub(crate) struct Running {
    pub(crate) kind: Kind,
    pub(crate) gpus: usize,
    /// From its start until it first told the temperature of every GPU.
    pub(crate) started: Duration,
    stand: Stand,
    child: Child,
    connection: Connection,
}

impl Running {
    pub(crate) fn start(kind: Kind, gpus: usize, calls: Calls) -> Self {
        let stand = Stand::new(gpus);
        set(&stand, calls);
        let log = File::create(stand.path("log")).expect("a log");
        let mut command = (kind.command)(&stand);
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        let began = Instant::now();
        let child = command.spawn().expect("the program starts");
        let mut running = Self {
            kind,
            gpus,
            started: Duration::ZERO,
            connection: Connection::new(stand.address),
            stand,
            child,
        };
        while running.sample().is_none() {
            let log = running.stand.path("log");
            let late = began.elapsed() > Duration::from_secs(60);
            assert!(!late, "{}: {:?}", kind.name, fs::read_to_string(log));
            thread::sleep(Duration::from_millis(2));
        }
        running.started = began.elapsed();
        running
    }

    /// The temperature of the first GPU, as told now; `None` until there is one for each GPU.
    pub(crate) fn sample(&mut self) -> Option<f64> {
        let Some(family) = self.kind.family else {
            let status = fs::read_to_string(self.stand.path("status")).ok()?;
            return status.trim().parse().ok();
        };
        let text = self.connection.scrape().ok()?;
        let mut lines = text.lines().filter(|line| line.starts_with(family));
        let first = lines.next()?.rsplit(' ').next()?.parse().ok()?;
        (lines.count() + 1 == self.gpus).then_some(first)
    }

    /// Bytes and series of a scrape.
    pub(crate) fn page(&mut self) -> (usize, usize) {
        if !self.is_scraped() {
            return (0, 0);
        }
        let text = self.connection.scrape().expect("a scrape");
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        (text.len(), series)
    }

    pub(crate) fn is_scraped(&self) -> bool {
        self.kind.family.is_some()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stand.address
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn set(&self, calls: Calls) {
        set(&self.stand, calls);
    }

    /// Calls that have touched a GPU; for the scripts, how often they asked nvidia-smi.
    pub(crate) fn calls(&self) -> f64 {
        if !self.is_scraped() {
            let log = fs::read_to_string(self.stand.path("status.log"));
            return log.map_or(0.0, |log| log.lines().count() as f64);
        }
        let machine = self.stand.machine.show();
        let gpus = machine["gpus"].as_array().expect("GPUs");
        gpus.iter().filter_map(|gpu| gpu["calls"].as_f64()).sum()
    }

    /// Puts idle GPUs into air of that temperature, long enough ago.
    pub(crate) fn move_to(&self, inlet: f64) {
        self.stand.machine.ctl(&["set", &format!("inlet={inlet}")]);
        self.stand.machine.ctl(&["rest"]);
    }
}

fn set(stand: &Stand, calls: Calls) {
    let slow = stand.machine.state().with_extension("state.slow");
    match calls {
        Calls::Instant => {
            stand.machine.ctl(&["latency", "0"]);
            let _ = fs::remove_file(slow);
        }
        Calls::Reported => {
            stand.machine.ctl(&["latency", "reported"]);
            fs::write(slow, "").expect("a file");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
