//! What a running guard itself knows of its GPUs: the state of each sensor and knob, which only
//! shows over time and by writing. It is asked over HTTP, and this check does without an answer.

use std::time::Duration;

use anyhow::Context;

use crate::cli::client::Client;
use crate::guard::lock::{self, Held};
use crate::web::status::{Gpu, Status as Document};

use super::{Finding, Flags};

const CHECK: &str = "running guard";

/// It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// A line for each of its GPUs; none where no guard holds a lock.
pub(super) fn all(flags: &Flags) -> Vec<Finding> {
    let held = lock::held(&flags.lock_dir);
    if held.is_empty() || flags.simulate {
        return Vec::new();
    }
    match document(flags) {
        Ok(document) => of(&document, &held, &flags.url),
        Err(error) => vec![Finding::warn(
            CHECK,
            format!("{error:#}"),
            "nothing is known of its sensors and knobs here: --url says where it listens",
        )],
    }
}

fn document(flags: &Flags) -> anyhow::Result<Document> {
    let status = Client::with_patience(flags, PATIENCE)?.read("/api/v1/status")?;
    serde_json::from_value(status).context("the guard's status is of a form unknown here")
}

/// Of another node's guard, or of one that has other locks, nothing is said.
fn of(document: &Document, held: &[Held], url: &str) -> Vec<Finding> {
    let locked = |gpu: &&Gpu| held.iter().any(|it| it.uuid.as_str() == gpu.uuid);
    let found: Vec<_> = document.gpus.iter().filter(locked).map(of_gpu).collect();
    if found.is_empty() {
        let detail = format!("the guard at {url} has none of the GPUs that are locked here");
        let remedy = "name the one that has them with --url";
        return vec![Finding::warn(CHECK, detail, remedy)];
    }
    let misheard = document.chain.misses();
    let misheard = misheard.map(|others| misheard_by(document, others));
    found.into_iter().chain(misheard).collect()
}

fn misheard_by(document: &Document, others: &str) -> Finding {
    let called = document.names.join(", ");
    Finding::warn(
        CHECK,
        format!("heartbeats come for {others}, and none for this guard ({called})"),
        "if that is this node, put its name under node.names, or start its container with --hostname",
    )
}

fn of_gpu(gpu: &Gpu) -> Finding {
    let sensors = gpu.sensors.iter();
    let sensors = sensors.map(|it| (&it.name, &it.state, &it.why));
    let knobs = gpu.knobs.iter();
    let knobs = knobs.map(|it| (&it.name, &it.state, &it.why));
    let at_fault = sensors
        .clone()
        .chain(knobs.clone())
        .any(|it| it.2.is_some());
    let (sensors, knobs) = (told(sensors), told(knobs));
    let detail = format!("{}; sensors: {sensors}; knobs: {knobs}", gpu.state);
    let finding = if gpu.unguarded.is_some() {
        Finding::warn(CHECK, detail, gpu.why.clone())
    } else if at_fault {
        let remedy = "the guard goes on without what fails; its log says what helps";
        Finding::warn(CHECK, detail, remedy)
    } else {
        Finding::ok(CHECK, detail)
    };
    match gpu.index {
        Some(index) => finding.of_gpu(index),
        None => finding,
    }
}

/// `core working, memory failing (fails with NVML code 999)`.
fn told<'a>(all: impl Iterator<Item = (&'a String, &'a String, &'a Option<String>)>) -> String {
    let words: Vec<_> = all
        .map(|(name, state, why)| match why {
            Some(why) => format!("{name} {state} ({why})"),
            None => format!("{name} {state}"),
        })
        .collect();
    if words.is_empty() {
        "not told".to_owned()
    } else {
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    use super::super::Status;
    use crate::device::Uuid;

    fn findings(gpu: &serde_json::Value) -> Vec<Finding> {
        let document = serde_json::from_value(json!({ "gpus": [gpu] })).unwrap();
        let held = Held {
            uuid: Uuid::new("GPU-a"),
            pid: String::new(),
        };
        of(&document, &[held], "http://127.0.0.1:10835")
    }

    #[test]
    fn a_running_guards_own_findings_are_told() {
        let well = findings(&json!({
            "uuid": "GPU-a", "index": 3, "state": "normal",
            "sensors": [{ "name": "core", "state": "working" }],
            "knobs": [{ "name": "power_limit", "state": "unproven" }],
        }));
        assert_eq!((well[0].status, well[0].gpu), (Status::Ok, Some(3)));
        let detail = "normal; sensors: core working; knobs: power_limit unproven";
        assert_eq!(well[0].detail, detail);
    }

    #[test]
    fn what_fails_there_is_a_warning_and_an_unguarded_gpu_says_why() {
        let failing = findings(&json!({
            "uuid": "GPU-a", "state": "normal",
            "sensors": [{ "name": "memory", "state": "failing", "why": "fails with NVML code 999" }],
        }));
        assert_eq!(failing[0].status, Status::Warn);
        let told = "memory failing (fails with NVML code 999)";
        assert!(failing[0].detail.contains(told), "{failing:?}");
        let unguarded = findings(&json!({
            "uuid": "GPU-a", "state": "unguarded", "unguarded": "no_permission",
            "why": "the driver refuses every write",
        }));
        assert_eq!(unguarded[0].status, Status::Warn);
        let remedy = unguarded[0].remedy.as_deref();
        assert_eq!(remedy, Some("the driver refuses every write"));
    }

    #[test]
    fn whom_heartbeats_are_for_is_told_where_none_is_for_this_guard() {
        let findings = |state: &str| {
            let document = json!({
                "names": ["5f3c0a9b1d2e", "172.17.0.2"],
                "chain": { "state": state, "other_instance": "gpu1.example:10835" },
                "gpus": [{ "uuid": "GPU-a", "index": 0, "state": "normal" }],
            });
            let held = Held {
                uuid: Uuid::new("GPU-a"),
                pid: String::new(),
            };
            of(&serde_json::from_value(document).unwrap(), &[held], "u")
        };
        let missed = findings("standalone");
        assert_eq!((missed.len(), missed[1].status), (2, Status::Warn));
        for name in ["gpu1.example:10835", "5f3c0a9b1d2e", "172.17.0.2"] {
            assert!(missed[1].detail.contains(name), "{missed:?}");
        }
        assert_eq!(findings("ok").len(), 1);
    }

    #[test]
    fn a_guard_of_other_gpus_is_not_taken_for_this_nodes() {
        let other = findings(&json!({ "uuid": "GPU-b", "state": "normal" }));
        assert_eq!((other.len(), other[0].gpu), (1, None));
        assert_eq!(other[0].status, Status::Warn);
    }
}
