//! Alerts and leases for GPUs that nothing can be done for: leases are taken all the same, and the answer
//! says that they have no effect.

use std::time::Duration;

use serde_json::{Value, json};
use thermal_guard::alerts::{Action, Outcome, Status};
use thermal_guard::guard::state::Live;
use thermal_guard::policy::{Decision, Level, Unguarded};

use crate::hook::api::{call, lease};
use crate::hook::bench::{Bench, GPU_0, GPU_1, alert, labelled};

/// A scope of both GPUs.
fn of_the_node(status: &str) -> Value {
    let labels = [
        ("guard_action", "gradual"),
        ("scope", "node"),
        ("node", "n1.example"),
    ];
    labelled(status, &labels)
}

#[tokio::test]
async fn an_alert_for_an_unguarded_gpu_takes_its_lease_and_is_told_that_it_is_in_vain() {
    for why in Unguarded::ALL {
        let bench = Bench::new();
        bench.decided(GPU_0, &Decision::unguarded(why));
        for (action, level) in [("gradual", Level::Gradual), ("emergency", Level::Emergency)] {
            let answer = bench.alerts(&[alert("firing", action)]).await;
            let taken = answer.count("accepted") + answer.count("renewed");
            assert_eq!((taken, answer.count("not_possible")), (1, 1), "{why:?}");
            assert_eq!(bench.alert_level(GPU_0), level);
        }
        let counted = bench.counters();
        let count = |action, outcome| counted.hook(Status::Firing, action, outcome);
        assert_eq!(count(Action::Gradual, Outcome::NotPossible), Some(1));
        assert_eq!(count(Action::Gradual, Outcome::Accepted), Some(1));
        assert_eq!(count(Action::Emergency, Outcome::NotPossible), Some(1));
        assert_eq!(count(Action::Emergency, Outcome::Renewed), Some(1));
    }
}

#[tokio::test]
async fn one_unguarded_gpu_of_many_is_enough_and_counts_once() {
    let bench = Bench::new();
    bench.decided(GPU_0, &Decision::unseen());
    bench.decided(GPU_1, &Decision::unguarded(Unguarded::NothingToTurn));
    let answer = bench.alerts(&[of_the_node("firing")]).await;
    let counts = (answer.count("accepted"), answer.count("not_possible"));
    assert_eq!(counts, (1, 1));
    let first = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(first.count("not_possible"), 0, "the other one's");
}

#[tokio::test]
async fn an_alert_without_a_lease_is_never_counted_as_not_possible() {
    let bench = Bench::new();
    bench.decided(GPU_0, &Decision::unguarded(Unguarded::NotOpen));
    for body in [
        alert("resolved", "gradual"),
        alert("firing", "heartbeat"),
        alert("firing", "none"),
        alert("firing", "dance"),
    ] {
        let answer = bench.alerts(std::slice::from_ref(&body)).await;
        assert_eq!(answer.count("not_possible"), 0, "{body}");
    }
    bench.alerts(&[alert("firing", "gradual")]).await;
    let resolved = bench.alerts(&[alert("resolved", "gradual")]).await;
    assert_eq!(resolved.count("released"), 1);
    assert_eq!(resolved.count("not_possible"), 0);
}

#[tokio::test]
async fn an_operators_own_wish_and_an_observer_make_nothing_impossible() {
    let bench = Bench::new();
    let paused = json!({"gpu": 0, "for": "30m"});
    bench.decided(
        GPU_0,
        &Decision {
            overheld: true,
            ..Decision::unseen()
        },
    );
    call(&bench, "POST", "/api/v1/pauses", &paused).await;
    let answer = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(answer.count("not_possible"), 0);

    bench.decided(GPU_0, &Decision::unguarded(Unguarded::NoTemperature));
    bench.shared.reload(Live {
        observes: true,
        ..Live::default()
    });
    let answer = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(answer.count("not_possible"), 0, "nothing is to be done");
    bench.shared.reload(Live::default());
    let answer = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(answer.count("not_possible"), 1);
}

/// Of a lease on the first GPU.
async fn notes(bench: &Bench, period: &str) -> Vec<String> {
    let mut wanted = lease(0, "gradual");
    wanted["for"] = json!(period);
    let answer = call(bench, "POST", "/api/v1/leases", &wanted).await;
    assert_eq!(answer.code, 200, "{}", answer.text);
    let notes = answer.json()["gpus"][0]["notes"].clone();
    serde_json::from_value(notes).unwrap_or_default()
}

#[tokio::test]
async fn a_manual_lease_on_an_unguarded_gpu_says_why_nothing_can_be_done() {
    for why in Unguarded::ALL {
        let bench = Bench::new();
        bench.decided(GPU_0, &Decision::unguarded(why));
        let notes = notes(&bench, "10m").await;
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("nothing can be done"), "{notes:?}");
        assert!(notes[0].ends_with(why.explained()), "{notes:?}");
    }
    let bench = Bench::new();
    bench.shared.detach();
    bench.decided(GPU_0, &Decision::unguarded(Unguarded::Detached));
    let notes = notes(&bench, "10m").await;
    assert_eq!(notes.len(), 1, "detached is said once: {notes:?}");
}

#[tokio::test]
async fn a_manual_lease_says_what_max_hold_will_leave_of_it() {
    let bench = Bench::new();
    let left = |seconds: u64| Decision {
        hold_left: Duration::from_millis(seconds * 1000 + 400),
        ..Decision::unseen()
    };
    bench.decided(GPU_0, &left(720));
    assert_eq!(notes(&bench, "12m").await, [""; 0]);
    let cut = notes(&bench, "13m").await;
    let said = "max_hold lets leases hold it for another 12m within this hour: after that it is counted, not obeyed";
    assert_eq!(cut, [said]);
    bench.decided(GPU_0, &left(0));
    let none = notes(&bench, "1s").await;
    assert!(none[0].contains("counted, not obeyed"), "{none:?}");
}
