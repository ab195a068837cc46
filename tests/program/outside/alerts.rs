//! Alerts with the labels that exporters, relabelling and Kubernetes give them. An alert about a card
//! of this node holds that card, and no other.

use serde_json::{Value, json};

use super::sending::{
    CONFIG, SCALE, address, alert, delivery, emergency, idle, leases, outcome, said, send, uuid,
};
use crate::common::card::limit;
use crate::common::guard::Guard;

/// An emergency holds the card at its minimum.
const HELD: f64 = 100.0;

/// The alert with these labels, on a guard over two idle cards, holds the second and not the first.
#[track_caller]
fn holds_the_second(labels: impl Fn(&Guard) -> Value) -> Guard {
    let guard = Guard::started(idle(2), SCALE, CONFIG);
    let body = emergency(&labels(&guard));
    assert_eq!(outcome(&guard, &body, "accepted"), 1, "{body}");
    guard.wait_gpu(1, "held", |card| limit(card) <= HELD);
    assert!(limit(&guard.machine.gpu(0)) > HELD);
    guard
}

/// `nvidia_gpu_exporter` leaves the prefix out, and adds the slot.
#[test]
fn a_uuid_without_its_prefix_is_the_card() {
    holds_the_second(|guard| {
        let bare = uuid(1).replace("GPU-", "");
        json!({ "uuid": bare, "pci_bus_id": address(guard, 1), "index": "1" })
    });
}

#[test]
fn a_uuid_is_the_card_under_whatever_name_it_comes() {
    let guard = Guard::started(idle(2), SCALE, CONFIG);
    let bare = uuid(1).replace("GPU-", "").to_uppercase();
    for labels in [
        json!({ "gpu": uuid(1) }),
        json!({ "gpu_id": uuid(1).to_lowercase() }),
        json!({ "gpu_uuid": bare }),
        json!({ "GPU_UUID": uuid(1) }),
        json!({ "gpuuuid": bare.to_lowercase() }),
        json!({ "UUID": bare, "gpu": "0", "device": "nvidia0" }),
        json!({ "device": uuid(1), "uuid": "unknown" }),
        json!({ "uuid": format!("MIG-{}/7/0", uuid(1)) }),
    ] {
        let body = emergency(&labels);
        assert_eq!(outcome(&guard, &body, "accepted"), 1, "{labels}");
    }
    assert_eq!((leases(&guard, 0), leases(&guard, 1)), (0, 8));
}

#[test]
fn a_uuid_of_ours_decides_whatever_stands_beside_it_and_a_mismatch_is_said_once() {
    let guard = holds_the_second(
        |guard| json!({ "uuid": uuid(1), "instance": "n2:9400", "gpu": "0", "pci_bus_id": address(guard, 0) }),
    );
    let body = emergency(&json!({ "uuid": uuid(1), "gpu": "0", "pod": "another" }));
    for _ in 0..3 {
        assert_eq!(send(&guard, &body).0, 200);
    }
    let mismatch = ["contradicts its UUID", &uuid(1)];
    said(&guard, &mismatch);
    let lines = guard.logged(&mismatch);
    let of_index = lines.iter().filter(|line| line.contains("label=gpu"));
    assert!(of_index.count() <= 1, "{lines:?}");
    assert!(lines.len() <= 2, "{lines:?}");
}

#[test]
fn without_a_uuid_an_address_decides_whatever_index_stands_beside_it() {
    holds_the_second(|guard| {
        let short = address(guard, 1).replacen("0000", "", 1).to_lowercase();
        json!({ "pci_bus_id": short, "gpu": "0", "device": "nvidia0" })
    });
}

#[test]
fn a_uuid_that_is_not_ours_is_unmapped_and_said_with_what_helps() {
    let guard = Guard::started(idle(1), SCALE, CONFIG);
    let theirs = uuid(0).replace("GPU-00000000", "GPU-ffffffff");
    let labels = json!({ "uuid": theirs, "pci_bus_id": address(&guard, 0) });
    assert_eq!(outcome(&guard, &emergency(&labels), "unmapped"), 1);
    assert_eq!(leases(&guard, 0), 0);
    said(
        &guard,
        &["unmapped", "UUID is of no GPU under guard", "route"],
    );
}

#[test]
fn a_long_label_does_not_cost_the_alert() {
    holds_the_second(|_| json!({ "uuid": uuid(1), "command": "x".repeat(100_000) }));
}

#[test]
fn the_sixty_fifth_label_does_not_cost_the_alert() {
    holds_the_second(|_| {
        let mut labels = json!({ "uuid": uuid(1) });
        for n in 0..500 {
            labels[format!("l{n}")] = json!("x");
        }
        labels
    });
}

#[test]
fn a_label_that_decides_and_is_too_long_is_refused_in_the_log_too() {
    let guard = Guard::started(idle(1), SCALE, CONFIG);
    let body = emergency(&json!({ "uuid": "x".repeat(5000) }));
    assert_eq!(outcome(&guard, &body, "rejected"), 1);
    said(&guard, &["rejected", "over 1024 bytes", "label=uuid"]);
}

/// One alert a process, as per-process series bring them.
fn flood(gpu: usize, from: usize, count: usize) -> Value {
    let of = |pid: usize| {
        alert(&json!({
            "alertname": "Busy", "guard_action": "gradual", "uuid": uuid(gpu), "pid": pid.to_string(),
        }))
    };
    delivery(&(from..from + count).map(of).collect::<Vec<_>>())
}

#[test]
fn a_flood_about_one_card_costs_no_other_its_lease() {
    let guard = Guard::started(idle(2), SCALE, CONFIG);
    let body = emergency(&json!({ "uuid": uuid(1) }));
    let gradual = delivery(&[alert(
        &json!({ "guard_action": "gradual", "uuid": uuid(1) }),
    )]);
    assert_eq!(outcome(&guard, &gradual, "accepted"), 1);
    for _ in 0..3 {
        assert_eq!(send(&guard, &flood(0, 0, 300)).0, 200);
    }
    assert_eq!(leases(&guard, 1), 1);
    assert_eq!(outcome(&guard, &flood(0, 0, 300), "rejected"), 44);
    assert_eq!(leases(&guard, 0), 256);
    said(&guard, &["got no lease", "aggregate the rule", &uuid(0)]);
    // An emergency has room, and then a flood of others takes nothing of it.
    assert_eq!(outcome(&guard, &body, "accepted"), 1);
    let first = emergency(&json!({ "uuid": uuid(0) }));
    assert_eq!(outcome(&guard, &first, "accepted"), 1);
    assert_eq!(outcome(&guard, &flood(0, 1000, 400), "accepted"), 0);
    for gpu in [0, 1] {
        guard.wait_gpu(gpu, "held", |card| limit(card) <= HELD);
    }
}
