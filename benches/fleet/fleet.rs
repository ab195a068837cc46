//! Some guards over simulated machines, and the chain that `generate` prints for them.

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use tempfile::TempDir;

use crate::common::chain::{Chain, free_ports};
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::{run, stderr, stdout};
use crate::common::wait::{PATIENCE, wait_until};

/// Nodes that get hot together, and nodes that die together.
pub(crate) const RACK: usize = 10;

pub(crate) const GPUS: usize = 8;

/// At a start: more only wait for each other.
const AT_ONCE: usize = 4;

/// What the fleet guide has from 50 nodes on; the fleets of one have it, too, or they would be
/// compared with another chain.
const PACE: &str = "--pace=gentle";

/// Far from what any guard does by itself, so that what it does is by this alert; and only on GPUs
/// that are to show that.
const WARM: &str = "
  - name: fleet
    interval: 5s
    rules:
      - alert: RackWarm
        expr: thermal_guard_margin_to_alert_celsius{gpu=~'[0-3]'} <= 18
        labels: {severity: warning, guard_action: gradual}
";

pub(crate) struct Fleet {
    pub(crate) guards: Vec<Guard>,
    pub(crate) chain: Chain,
}

impl Fleet {
    /// `size` nodes, numbered from `first` on.
    pub(crate) fn start(first: usize, size: usize) -> Self {
        let dir = TempDir::new().expect("a directory for the chain");
        let token = dir.path().join("token");
        fs::write(&token, "one-token-for-all-nodes-of-this-bench").expect("the token");
        fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).expect("its owner's only");
        let guards = started(first..first + size, &settings(&token));
        let [prometheus, alertmanager] = free_ports();
        configure(dir.path(), &guards, &token, alertmanager);
        let chain = Chain::start_on(dir, [prometheus, alertmanager]);
        Self { guards, chain }
    }

    /// Waits until each guard has its heartbeat.
    pub(crate) fn settle(&self) {
        let ok = "thermal_guard_chain_state{state='ok'} == 1";
        let settled = wait_until(PATIENCE, || self.count(ok) == self.guards.len());
        assert!(
            settled,
            "{} of {} chains",
            self.count(ok),
            self.guards.len()
        );
    }

    /// Those that nobody killed.
    pub(crate) fn living(&self) -> impl Iterator<Item = &Guard> {
        self.guards.iter().filter(|guard| guard.runs())
    }

    /// How many series this gives.
    pub(crate) fn count(&self, promql: &str) -> usize {
        self.chain.query(promql).len()
    }

    pub(crate) fn rack(&self, number: usize) -> &[Guard] {
        &self.guards[number * RACK..][..RACK]
    }

    /// `kill -9` to each.
    pub(crate) fn kill_rack(&mut self, number: usize) {
        let rack = &mut self.guards[number * RACK..][..RACK];
        rack.iter_mut().for_each(Guard::kill);
    }

    /// By Prometheus's clock, in seconds.
    pub(crate) fn now() -> f64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.expect("after 1970").as_secs_f64()
    }
}

fn started(numbers: Range<usize>, settings: &str) -> Vec<Guard> {
    let numbers: Vec<_> = numbers.collect();
    let mut guards = Vec::new();
    for some in numbers.chunks(AT_ONCE) {
        thread::scope(|scope| {
            let start = |number: &usize| {
                let number = number.to_string();
                scope.spawn(move || guard(&number, settings))
            };
            let threads: Vec<_> = some.iter().map(start).collect();
            let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
            guards.extend(joined.map(|guard| guard.expect("it starts")));
        });
    }
    guards
}

fn guard(number: &str, settings: &str) -> Guard {
    let machine = Machine::create(&["h100"; GPUS], &["--node", number]);
    File::create(machine.trace()).expect("a trace");
    Guard::started(machine, 1, settings)
}

/// The guard's part, as `generate` prints it, and the token.
fn settings(token: &Path) -> String {
    let printed = generated("alertmanager", &["--node=n1"]);
    let (_, block) = printed.split_once("(thermal-guard.yml):\n").expect("it");
    let lines = block.lines().map_while(|line| line.strip_prefix("# "));
    let settings = lines.collect::<Vec<_>>().join("\n");
    let hook = format!("hook:\n  bearer_token_file: {}\n", token.display());
    settings.replace("hook:\n", &hook)
}

fn configure(dir: &Path, guards: &[Guard], token: &Path, alertmanager: u16) {
    let addresses = guards.iter().map(|guard| guard.address().to_string());
    let list = addresses.collect::<Vec<_>>().join("\n");
    let nodes = dir.join("nodes.txt");
    fs::write(&nodes, list).expect("the list of nodes");
    let nodes = format!("--nodes-file={}", nodes.display());
    let token = format!("--token-file={}", token.display());
    let peer = format!("--alertmanager=127.0.0.1:{alertmanager}");
    let rules = generated("rules", &[&nodes]) + WARM;
    for (file, text) in [
        (
            "alertmanager.yml",
            generated("alertmanager", &[&nodes, &token]),
        ),
        ("prometheus.yml", generated("prometheus", &[&nodes, &peer])),
        ("thermal-guard.rules.yml", rules),
    ] {
        fs::write(dir.join(file), text).expect(file);
    }
}

fn generated(what: &str, options: &[&str]) -> String {
    let output = run(&[&["generate", what, PACE][..], options].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}
