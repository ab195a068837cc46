//! From heat to the limit without alerts: the guard's own loop at its shipped interval, and beside
//! it, on machines of their own, shell loops as people write them.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::nvml_sim::simctl;
use crate::stand::{CRITICAL, HOT, Stand, Trial};
use crate::table::{BASE, Row};

/// A node has eight.
const CARDS: usize = 8;

/// Giving back takes 43 s after an emergency; on a busy machine, more.
const PATIENCE: Duration = Duration::from_secs(120);

/// The guard's shipped interval; the bar is one of it and 5 ms.
const TICK: Duration = Duration::from_secs(1);
const BAR: Duration = Duration::from_millis(1005);

/// A script's round: its sleep, and both of its calls.
const ROUND: Duration = Duration::from_secs(5);

/// What a call of `nvidia-smi` takes, in seconds: at best, and as reported of a query.
const BEST: &str = "0";
const REPORTED: &str = "1.5";

/// The shipped policy. Over alert it goes by its estimate of where the temperature will be: it acts
/// before a slope gets there, and takes a jump for noise until a second reading says the same.
const GOVERNOR: &str = "policy: { recovery_delay: 0s }";

/// The one that goes by the reading.
const LADDER: &str = "policy: { name: ladder, recovery_delay: 0s }";

/// Reactions of the local loop and of the scripts, until then.
pub(crate) fn measure(until: Instant) -> Vec<Row> {
    let slow = |cards| Stand::new(cards).slow();
    thread::scope(|scope| {
        let own = scope.spawn(move || local_loop(CRITICAL, GOVERNOR, until, Stand::new));
        let slow = scope.spawn(move || local_loop(CRITICAL, GOVERNOR, until, slow));
        let ladder = scope.spawn(move || local_loop(HOT, LADDER, until, Stand::new));
        let alert = scope.spawn(move || local_loop(HOT, GOVERNOR, until, Stand::new));
        let [best, reported] = [BEST, REPORTED].map(|smi| scope.spawn(move || scripts(smi, until)));
        let times = |row: thread::ScopedJoinHandle<'_, _>| row.join().expect("reactions");
        vec![
            Row::new(BASE, times(own)).within(1.0, BAR),
            Row::new("guard's own loop, critical, slow NVML", times(slow)).within(1.0, BAR),
            Row::new("guard's own loop, over alert, ladder", times(ladder)).within(1.0, BAR),
            Row::new("guard's own loop, over alert, governor", times(alert)).within(1.0, BAR),
            Row::new("shell loop, 2 s, if `nvidia-smi` took no time", times(best)),
            Row::new("shell loop, 2 s, `nvidia-smi` takes 1.5 s", times(reported)),
        ]
    })
}

/// Three nodes, as a card needs more than half a minute until it is as before.
fn local_loop(
    celsius: f64,
    policy: &str,
    until: Instant,
    stand: fn(usize) -> Stand,
) -> Vec<Duration> {
    let node = || {
        let stand = stand(CARDS);
        let _guard = stand.guard(policy, None);
        let trial = Trial {
            celsius,
            period: TICK,
            patience: PATIENCE,
            gives_back: true,
        };
        stand.reactions(CARDS, until, &trial)
    };
    thread::scope(|scope| {
        let nodes = [(); 3].map(|()| scope.spawn(node));
        let times = nodes.map(|node| node.join().expect("a node"));
        times.concat()
    })
}

fn scripts(smi: &str, until: Instant) -> Vec<Duration> {
    let stand = Stand::new(CARDS);
    let _scripts: Vec<_> = (0..CARDS)
        .map(|gpu| Script::start(&stand, gpu, smi))
        .collect();
    let trial = Trial {
        celsius: CRITICAL,
        period: ROUND,
        patience: PATIENCE,
        gives_back: false,
    };
    stand.reactions(CARDS, until, &trial)
}

/// A running shell loop.
struct Script(Child);

impl Script {
    fn start(stand: &Stand, gpu: usize, smi: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/reaction");
        let mut command = stand.machine.command(&folder.join("loop.sh"));
        command.env("NVML_SIMCTL", simctl()).env("SMI_SECONDS", smi);
        command.arg(folder.join("nvidia-smi.sh"));
        command.arg(gpu.to_string());
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        Self(child.expect("the script starts"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The whole group: its sleep, too.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-s", "KILL", "--", &group])
            .status();
        let _ = self.0.wait();
    }
}
