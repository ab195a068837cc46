//! From the true temperature's crossing to the limit that is written, as the simulated hardware
//! itself noted both: the local loop's own, and an alert's that comes far before it.

use std::thread::sleep;
use std::time::Duration;

use crate::common::guard::Guard;
use crate::common::wait::PATIENCE;
use crate::fleet::GPUS;
use crate::trace::{Deed, Trace};

/// GPUs of each node that get as warm as the alert asks for, and no warmer.
const BY_ALERT: usize = 4;

/// Inlets in which an idle H100 comes to rest (5.2 °C over its inlet) 12 °C before its alert trip,
/// where the bench's own alert fires (18) and nothing else does, and 1 °C past critical, where one
/// reading is enough for the local loop. (Between alert and critical the governor asks its picture
/// of the card first, and no card that jumps is in it.)
const WARM: &str = "inlet=62.8";
const HOT: &str = "inlet=82.8";

/// Between one GPU and the next, so that they get hot at all moments of a tick and of a scrape.
const APART: Duration = Duration::from_millis(40);

#[derive(Default)]
pub(crate) struct Reactions {
    /// By the local loop.
    pub(crate) local: Vec<Duration>,
    /// By the alert.
    pub(crate) alert: Vec<Duration>,
    /// Hot enough for the local loop, but an alert came first.
    pub(crate) led: usize,
    /// Never throttled.
    pub(crate) silent: usize,
}

/// All GPUs of these nodes get hot, half of them by the local loop's measure and half by the
/// alert's. Those of `mute` (node and GPU) can't tell.
pub(crate) fn heat(nodes: &[&Guard], mute: &[(usize, usize)]) -> Reactions {
    for gpu in 0..GPUS {
        let index = gpu.to_string();
        for node in nodes {
            let inlet = if gpu < BY_ALERT { WARM } else { HOT };
            node.machine.ctl(&["set", "--gpu", &index, inlet]);
            node.machine.ctl(&["rest", "--gpu", &index]);
            sleep(APART);
        }
    }
    let mut reactions = Reactions::default();
    for (number, node) in nodes.iter().enumerate() {
        let trace = Trace::follow(&node.machine.trace());
        let tell = (0..GPUS).filter(|gpu| !mute.contains(&(number, *gpu)));
        for gpu in tell {
            reactions.add(gpu, reaction(&trace, gpu), node);
        }
    }
    reactions
}

impl Reactions {
    fn add(&mut self, gpu: usize, took: Option<Duration>, node: &Guard) {
        let Some(took) = took else {
            self.silent += 1;
            return;
        };
        let by_alert = node.metrics().throttles(gpu, "alert") > 0.0;
        match (gpu < BY_ALERT, by_alert) {
            (true, true) => self.alert.push(took),
            (false, false) => self.local.push(took),
            (false, true) => self.led += 1,
            // The local loop has no reason here.
            (true, false) => self.silent += 1,
        }
    }
}

/// From the moment at which the GPU was hot to the first lower limit.
fn reaction(trace: &Trace, gpu: usize) -> Option<Duration> {
    let hot = trace.first(gpu, Duration::ZERO, Deed::is_jump)?;
    let lower = |deed: &Deed| deed.is_limit() && deed.watts < hot.watts;
    let lower = trace.wait(gpu, hot.at, PATIENCE, lower)?;
    lower.at.checked_sub(hot.at)
}
