//! The guard in one line, for `systemctl status`. It has no numbers that change all the time: systemd
//! is told only of another line.

use crate::config::Mode;
use crate::policy::State;
use crate::web::snapshot::{GpuView, Snapshot};

/// The worst first.
const ORDER: [State; 6] = [
    State::Unguarded,
    State::Blind,
    State::Emergency,
    State::Gradual,
    State::Recovering,
    State::Normal,
];

pub(super) fn of(snapshot: &Snapshot) -> String {
    if snapshot.service.mode == Mode::Observe {
        return format!("observe: nothing is written; {}", seen(snapshot));
    }
    seen(snapshot)
}

fn seen(snapshot: &Snapshot) -> String {
    let driver = &snapshot.driver;
    if snapshot.detached {
        return "detached: no GPU is protected until `thermal-guard attach`".to_owned();
    }
    if !driver.ready && driver.error.is_none() {
        return "waiting for the driver".to_owned();
    }
    if !driver.up {
        return "no NVIDIA driver: looking again every 2 s".to_owned();
    }
    let chain = snapshot.chain.state.name();
    format!(
        "{}; alert chain {chain}",
        gpus(&snapshot.gpus, driver.expected)
    )
}

fn gpus(gpus: &[GpuView], expected: usize) -> String {
    let mut counts: Vec<String> = ORDER
        .into_iter()
        .filter_map(|state| counted(gpus, state))
        .collect();
    let fresh = gpus.iter().filter(|gpu| gpu.tick.is_none()).count();
    let missing = expected.saturating_sub(gpus.len());
    for (count, what) in [(fresh, "not read yet"), (missing, "missing")] {
        if count > 0 {
            counts.push(format!("{count} {what}"));
        }
    }
    let total = match gpus.len() {
        0 => "no GPU".to_owned(),
        1 => "1 GPU".to_owned(),
        many => format!("{many} GPUs"),
    };
    if counts.is_empty() {
        return total;
    }
    format!("{total}: {}", counts.join(", "))
}

/// How many are in this state; of unguarded ones, also why.
fn counted(gpus: &[GpuView], state: State) -> Option<String> {
    let decisions = gpus
        .iter()
        .filter_map(|gpu| Some(&gpu.tick.as_ref()?.decision));
    let such: Vec<_> = decisions.filter(|it| it.state == state).collect();
    if such.is_empty() {
        return None;
    }
    let mut reasons: Vec<_> = such
        .iter()
        .filter_map(|it| Some(it.unguarded?.name()))
        .collect();
    reasons.sort_unstable();
    reasons.dedup();
    let why = if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join(", "))
    };
    Some(format!("{} {}{why}", such.len(), state.name()))
}
