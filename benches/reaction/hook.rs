//! From a call of `/hook` to the limit: one alert on one of eight GPUs, as Alertmanager sends it over
//! a connection that is kept, at no particular moment of the guard's tick.

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chance;
use crate::common::guard::Guard;
use crate::stand::{ORIGINAL, Stand};
use crate::table::Row;
use crate::trace::{Deed, now};

const CARDS: usize = 8;

/// Enough for a 99th percentile.
const CALLS: usize = 520;

/// Between two of them, at least: longer than a tick, which an Alertmanager doesn't wait for either.
const PAUSE: Duration = Duration::from_millis(10);

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

const BAR: Duration = Duration::from_millis(5);

/// Where a state directory may lie: what the bar is for, and what most nodes have.
const MEMORY: &str = "/dev/shm";
const DISK: &str = env!("CARGO_TARGET_TMPDIR");

pub(crate) fn measure() -> Vec<Row> {
    let (written, answered) = calls(MEMORY, &Stand::new(CARDS));
    let (slow, _) = calls(MEMORY, &Stand::new(CARDS).slow());
    let (disk, _) = calls(DISK, &Stand::new(CARDS));
    vec![
        Row::new("hook, state on tmpfs", written).within(0.99, BAR),
        Row::new("hook, the same calls: their answers", answered),
        Row::new("hook, state on tmpfs, slow NVML", slow),
        Row::new("hook, state on a disk", disk),
    ]
}

/// From sending to the write, and to the answer.
fn calls(place: &str, stand: &Stand) -> (Vec<Duration>, Vec<Duration>) {
    fs::create_dir_all(place).expect("a place for the state");
    let state = TempDir::new_in(place).expect("a state directory");
    // Given back with `resolved`, for the next call.
    let guard = stand.guard("policy: { recovery_delay: 0s }", Some(state.path()));
    let sender = Sender::to(&guard);
    let gpus = (0..CARDS).cycle().take(CALLS);
    gpus.map(|gpu| sender.call(stand, gpu)).unzip()
}

struct Sender {
    agent: ureq::Agent,
    url: String,
    credential: String,
}

impl Sender {
    fn to(guard: &Guard) -> Self {
        Self {
            agent: ureq::Agent::config_builder()
                .proxy(None)
                .build()
                .new_agent(),
            url: guard.url("/hook"),
            credential: format!("Bearer {}", guard.token()),
        }
    }

    /// Fires, and is resolved when all is over.
    fn call(&self, stand: &Stand, gpu: usize) -> (Duration, Duration) {
        thread::sleep(PAUSE + chance(3 * PAUSE));
        let since = SystemTime::now();
        let body = delivery("firing", gpu, since);
        let sent = now();
        self.post(&body);
        let answered = now().saturating_sub(sent);
        let lower = |deed: &Deed| deed.is_limit() && deed.watts < ORIGINAL;
        let limited = stand.trace.wait(gpu, sent, PATIENCE, lower);
        let written = limited.expect("a reaction").at.saturating_sub(sent);
        thread::sleep(PAUSE + chance(PAUSE));
        let resolved = now();
        self.post(&delivery("resolved", gpu, since));
        let back = |deed: &Deed| deed.is_limit() && deed.watts >= ORIGINAL;
        let back = stand.trace.wait(gpu, resolved, PATIENCE, back);
        back.expect("the original limit");
        (written, answered)
    }

    fn post(&self, body: &Value) {
        let request = self.agent.post(&self.url);
        let request = request.header("Authorization", &self.credential);
        let mut answer = request.send_json(body).expect("taken");
        // Read, so that the connection is used again.
        answer.body_mut().read_to_string().expect("an answer");
    }
}

fn delivery(status: &str, gpu: usize, since: SystemTime) -> Value {
    json!({
        "version": "4",
        "groupKey": "{}:{alertname=\"GpuHot\"}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "guard",
        "alerts": [{
            "status": status,
            "labels": {
                "alertname": "GpuHot",
                "guard_action": "gradual",
                "uuid": format!("GPU-00000000-0000-4000-8000-{gpu:012x}"),
            },
            "annotations": {"summary": "one of many"},
            "startsAt": humantime::format_rfc3339_nanos(since).to_string(),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": format!("febc53a2d4c8{gpu:04x}"),
        }],
    })
}
