//! What a check makes of the guard that answers, and of the locks that are held.

use super::*;

use serde_json::json;

use crate::cli::check::finding::Status;
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
    assert_eq!((well[0].status, well[0].gpu), (Status::Ok, None));
    assert_eq!((well[1].status, well[1].gpu), (Status::Ok, Some(3)));
    let detail = "normal; sensors: core working; knobs: power_limit unproven";
    assert_eq!(well[1].detail, detail);
}

#[test]
fn what_fails_there_is_a_warning_and_an_unguarded_gpu_says_why() {
    let failing = findings(&json!({
        "uuid": "GPU-a", "state": "normal",
        "sensors": [{ "name": "memory", "state": "failing", "why": "fails with NVML code 999" }],
    }));
    assert_eq!(failing[1].status, Status::Warn);
    let told = "memory failing (fails with NVML code 999)";
    assert!(failing[1].detail.contains(told), "{failing:?}");
    let unguarded = findings(&json!({
        "uuid": "GPU-a", "state": "unguarded", "unguarded": "no_permission",
        "why": "the driver refuses every write",
    }));
    assert_eq!(unguarded[1].status, Status::Warn);
    let remedy = unguarded[1].remedy.as_deref();
    assert_eq!(remedy, Some("the driver refuses every write"));
}

#[test]
fn a_suspect_fan_is_told_with_its_remedy() {
    let found = findings(&json!({
        "uuid": "GPU-a", "state": "gradual",
        "fans": [
            { "index": 0, "speed_ratio": 0.54 },
            { "index": 1, "speed_ratio": 0.3, "suspect": "low", "why": "stays under 40 %" },
        ],
    }));
    assert_eq!(found[1].status, Status::Warn);
    assert!(
        found[1].detail.ends_with("; fan 1 stays under 40 %"),
        "{found:?}"
    );
    assert_eq!(found[1].remedy.as_deref(), Some(REMEDY_OF_FAN));
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
    assert_eq!((missed.len(), missed[2].status), (3, Status::Warn));
    for name in ["gpu1.example:10835", "5f3c0a9b1d2e", "172.17.0.2"] {
        assert!(missed[2].detail.contains(name), "{missed:?}");
    }
    assert_eq!(findings("ok").len(), 2);
}

#[test]
fn a_guard_of_other_gpus_is_not_taken_for_this_nodes() {
    let other = findings(&json!({ "uuid": "GPU-b", "state": "normal" }));
    assert_eq!((other.len(), other[0].gpu), (1, None));
    assert_eq!(other[0].status, Status::Warn);
}

#[test]
fn a_guard_whose_locks_cannot_be_seen_is_told_of_by_what_it_answers() {
    let document = json!({
        "names": ["gpu1", "127.0.0.1"], "mode": "observe",
        "gpus": [{ "uuid": "GPU-a", "index": 0, "state": "normal" }],
    });
    let document: Document = serde_json::from_value(document).unwrap();
    let told = of(&document, &[], "u");
    assert!(told.iter().all(|it| it.status == Status::Ok), "{told:?}");
    assert!(told[0].detail.contains("mode observe"), "{told:?}");
    let node = |name: &str| Node::new(name, &[], &[]);
    assert!(is_of(&document, &node("gpu1")));
    assert!(!is_of(&document, &node("gpu2")) && !is_of(&document, &node("")));
}

#[test]
fn what_another_guard_has_is_a_warning_beside_ones_own() {
    let held = ["GPU-a", "GPU-b"].map(|uuid| Held {
        uuid: Uuid::new(uuid),
        pid: "7".to_owned(),
    });
    let document = json!({ "gpus": [{ "uuid": "GPU-a", "state": "normal" }] });
    let told = of(&serde_json::from_value(document).unwrap(), &held, "u");
    let statuses: Vec<_> = told.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Warn]);
    assert!(told[2].detail.contains("pid 7 has GPU-b"), "{told:?}");
    assert!(!told[2].detail.contains("GPU-a"), "{told:?}");
}
