//! Pulls from something that talks like Alertmanager: recorded answers, and bad ones.

mod bad_answers;
mod fake;

use std::time::Duration;

use serde_json::{Value, json};
use thermal_guard::alerts::pull::Puller;
use thermal_guard::alerts::pull::counters::State;
use thermal_guard::alerts::{Action, Outcome};
use thermal_guard::config::{Login, PullConfig};
use thermal_guard::device::Uuid;
use thermal_guard::policy::ask::lease::{CAPACITY, Holder};
use thermal_guard::policy::{ChainState, Decision, Lease, Level, Unguarded};
use thermal_guard::units::Moment;

use crate::hook::bench::{Bench, GPU_0, GPU_1, delivery};
use fake::{Alertmanager, json_answer};

/// The gradual alert among the recorded ones.
const ALERT: &str = "32b7e90f02dcfa4f";

fn recorded(name: &str) -> Value {
    let path = format!(
        "{}/tests/pulled/alertmanager-0.25-{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The recorded alert that asks for this action.
fn only(action: &str) -> Value {
    let mut all = recorded("active");
    let alerts = all.as_array_mut().unwrap();
    alerts.retain(|alert| alert["labels"]["guard_action"] == action);
    assert_eq!(alerts.len(), 1);
    all
}

fn config(members: &[&Alertmanager]) -> PullConfig {
    PullConfig {
        urls: members.iter().map(|member| member.url()).collect(),
        interval: None,
        filter: Vec::new(),
        node: None,
        credential: Login::None,
        ca_file: None,
    }
}

fn puller(bench: &Bench, members: &[&Alertmanager]) -> Puller {
    Puller::new(&bench.desk, &config(members)).unwrap()
}

fn ended_leases(bench: &Bench) -> Option<u64> {
    let counters = bench.counters();
    counters.get("alertmanager_pull_ended_leases_total")
}

/// An Alertmanager that has listed the recorded alerts, after one pull.
async fn after_one_pull() -> (Bench, Alertmanager, Puller) {
    let bench = Bench::new();
    let alertmanager = Alertmanager::listing(&recorded("active"));
    let mut puller = puller(&bench, &[&alertmanager]);
    puller.round().await;
    assert_eq!(bench.leases().len(), 2);
    (bench, alertmanager, puller)
}

#[tokio::test]
async fn recorded_alerts_are_leases_and_a_heartbeat() {
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    assert_eq!(bench.alert_level(GPU_1), Level::Emergency);
    assert_eq!(bench.shared.chain_state(), ChainState::Ok);
    let first = bench.leases();
    puller.round().await;
    let second = bench.leases();
    assert_eq!(second.len(), 2);
    for ((.., before), (.., after)) in first.iter().zip(&second) {
        assert!(after.expires > before.expires && after.since == before.since);
    }
    let counted = bench.counters();
    let count = |action, outcome| counted.pull(State::Active, action, outcome);
    assert_eq!(count(Action::Gradual, Outcome::Accepted), Some(1));
    assert_eq!(count(Action::Emergency, Outcome::Renewed), Some(1));
    assert_eq!(count(Action::Heartbeat, Outcome::Accepted), Some(2));
    let asked = alertmanager.requests();
    let query = "GET /api/v2/alerts?filter=guard_action%3D~%22.%2B%22 HTTP/1.1";
    assert_eq!(asked[0].lines().next(), Some(query), "{asked:?}");
    assert_eq!(asked.len(), 2, "nothing was absent: its age doesn't matter");
}

#[tokio::test]
async fn a_pulled_alert_for_an_unguarded_gpu_is_taken_and_counted_as_not_possible() {
    let bench = Bench::new();
    bench.decided(GPU_0, &Decision::unguarded(Unguarded::NotOpen));
    let alertmanager = Alertmanager::listing(&recorded("active"));
    let mut puller = puller(&bench, &[&alertmanager]);
    puller.round().await;
    puller.round().await;
    let counted = bench.counters();
    let count = |action, outcome| counted.pull(State::Active, action, outcome);
    assert_eq!(count(Action::Gradual, Outcome::Accepted), Some(1));
    assert_eq!(count(Action::Gradual, Outcome::Renewed), Some(1));
    assert_eq!(count(Action::Gradual, Outcome::NotPossible), Some(2));
    assert_eq!(count(Action::Emergency, Outcome::NotPossible), Some(0));
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual, "it may come back");
}

#[tokio::test]
async fn an_alert_that_comes_both_ways_is_one_lease() {
    let (bench, _alertmanager, _puller) = after_one_pull().await;
    let mut alert = only("gradual")[0].take();
    alert["status"] = json!("firing");
    let answer = bench.deliver_json(&delivery(&[alert.clone()])).await;
    assert_eq!(answer.count("renewed"), 1);
    assert_eq!(bench.leases().len(), 2);
    alert["status"] = json!("resolved");
    let answer = bench.deliver_json(&delivery(&[alert])).await;
    assert_eq!(answer.count("released"), 1);
    assert_eq!(bench.alert_level(GPU_0), Level::None);
}

#[tokio::test]
async fn a_silence_neither_renews_nor_ends() {
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    let before = bench.leases();
    alertmanager.list(&recorded("silenced"));
    puller.round().await;
    assert_eq!(bench.leases(), before);
    let counted = bench.counters();
    let silenced = counted.pull(State::Suppressed, Action::Emergency, Outcome::Ignored);
    assert_eq!(silenced, Some(1));
    // Nor does a silenced heartbeat prove anything.
    let beats = bench.shared.chain().last();
    let mut heartbeat = only("heartbeat");
    heartbeat[0]["status"]["state"] = json!("suppressed");
    alertmanager.list(&heartbeat);
    puller.round().await;
    assert_eq!(bench.shared.chain().last(), beats);
    assert_eq!(bench.leases(), before, "absent, but proved by nothing");
}

#[tokio::test]
async fn an_alert_that_is_gone_ends_its_lease_however_it_came() {
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    let by_hook = crate::hook::bench::alert("firing", "emergency");
    assert_eq!(bench.alerts(&[by_hook]).await.count("accepted"), 1);
    manual(&bench);
    alertmanager.list(&only("heartbeat"));
    puller.round().await;
    let left = bench.leases();
    assert!(matches!(left[..], [(_, Holder::Manual, _)]), "{left:?}");
    assert_eq!(ended_leases(&bench), Some(3));
    assert_eq!(bench.shared.leases().endings().resolved, 3);
}

/// An operator's lease, which only an operator may end.
fn manual(bench: &Bench) {
    let lease = Lease {
        level: Level::Gradual,
        since: Moment::START,
        expires: Moment::START + Duration::from_secs(3600),
        starts_at: Duration::ZERO,
    };
    bench
        .shared
        .grant(Moment::START, &Uuid::new(GPU_0), Holder::Manual, lease);
}

/// Each with one reason not to believe it. That one without is believed is the test above.
#[tokio::test]
async fn an_absence_that_proves_nothing_ends_nothing() {
    type Spoil = fn(&Alertmanager);
    let spoilt: [(&str, Spoil); 7] = [
        ("no heartbeat", |am| am.list(&json!([]))),
        ("another node's heartbeat", |am| {
            let mut heartbeat = only("heartbeat");
            heartbeat[0]["labels"]["instance"] = json!("n2.example:10835");
            am.list(&heartbeat);
        }),
        ("evaluated a minute ago", |am| {
            let mut heartbeat = only("heartbeat");
            heartbeat[0]["annotations"]["eval_ts"] = json!("1795438132.393");
            am.list(&heartbeat);
        }),
        ("an alert that can't be read", |am| {
            let mut alerts = only("heartbeat");
            alerts.as_array_mut().unwrap().push(json!({"labels": 5}));
            am.list(&alerts);
        }),
        ("started 29 s ago", |am| {
            am.list(&only("heartbeat"));
            am.answer_status(fake::status(Duration::from_secs(29)));
        }),
        ("no word of its start", |am| {
            am.list(&only("heartbeat"));
            am.answer_status(json_answer(&json!({"uptime": "soon"})));
        }),
        ("the status is refused", |am| {
            am.list(&only("heartbeat"));
            am.answer_status("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".into());
        }),
    ];
    for (why, spoil) in spoilt {
        let (bench, alertmanager, mut puller) = after_one_pull().await;
        let before = bench.leases();
        spoil(&alertmanager);
        puller.round().await;
        assert_eq!(bench.leases(), before, "{why}");
        assert_eq!(ended_leases(&bench), Some(0), "{why}");
    }
}

#[tokio::test]
async fn all_members_must_agree_that_an_alert_is_gone() {
    let bench = Bench::new();
    let members = [(); 2].map(|()| Alertmanager::listing(&recorded("active")));
    let mut puller = puller(&bench, &[&members[0], &members[1]]);
    puller.round().await;
    let before = bench.leases();
    assert_eq!(before.len(), 2, "two members, the same two alerts");
    members[0].list(&only("heartbeat"));
    puller.round().await;
    assert_eq!(bench.leases().len(), 2, "the other still has them");
    members[1].answer_alerts("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into());
    puller.round().await;
    assert_eq!(bench.leases().len(), 2, "the other says nothing");
    let counted = bench.counters();
    let up = |member: &Alertmanager| {
        let url = member.url();
        counted.get(&format!("alertmanager_pull_up{{url=\"{url}\"}}"))
    };
    assert_eq!([up(&members[0]), up(&members[1])], [Some(1), Some(0)]);
    members[1].list(&only("heartbeat"));
    puller.round().await;
    assert!(bench.leases().is_empty());
}

#[tokio::test]
async fn a_lease_that_is_renewed_meanwhile_goes_on() {
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    alertmanager.list(&only("heartbeat"));
    let shared = bench.shared.clone();
    // Between the list and its end: while the age is asked for.
    alertmanager.before_status(move || {
        let now = shared.clock.wall();
        let holder = Holder::Alert(u64::from_str_radix(ALERT, 16).unwrap());
        let gpu = Uuid::new(GPU_0);
        let held = *shared
            .leases()
            .of(&gpu)
            .find(|(by, _)| *by == holder)
            .unwrap()
            .1;
        let renewed = Lease {
            expires: now + Duration::from_secs(30),
            ..held
        };
        shared.grant(now, &gpu, holder, renewed);
    });
    puller.round().await;
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    assert_eq!(bench.alert_level(GPU_1), Level::None);
}

#[tokio::test]
async fn with_a_filter_only_an_alert_that_was_listed_can_be_gone() {
    let bench = Bench::new();
    let alertmanager = Alertmanager::listing(&recorded("active"));
    let filtered = PullConfig {
        filter: vec!["instance=\"{hostname}:10835\"".to_owned()],
        ..config(&[&alertmanager])
    };
    let mut puller = Puller::new(&bench.desk, &filtered).unwrap();
    let by_hook = crate::hook::bench::alert("firing", "gradual");
    assert_eq!(bench.alerts(&[by_hook]).await.count("accepted"), 1);
    puller.round().await;
    assert_eq!(bench.leases().len(), 3);
    alertmanager.list(&only("heartbeat"));
    puller.round().await;
    assert_eq!(bench.leases().len(), 1, "the hook's may be filtered out");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let wanted = format!("filter=instance%3D%22{}%3A10835%22", host.trim());
    let asked = alertmanager.requests().remove(0);
    assert!(asked.contains(&wanted), "{asked}");
}

/// Command lines may have hundreds of kilobytes, more than everything else in the list.
#[tokio::test]
async fn a_long_label_does_not_cost_a_pulled_alert() {
    let bench = Bench::new();
    let mut alerts = recorded("active");
    for alert in alerts.as_array_mut().unwrap() {
        alert["labels"]["command"] = json!("x".repeat(400_000));
        for n in 0..80 {
            alert["labels"][format!("l{n}")] = json!("x");
        }
    }
    let alertmanager = Alertmanager::listing(&alerts);
    let mut puller = puller(&bench, &[&alertmanager]);
    puller.round().await;
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    assert_eq!(bench.alert_level(GPU_1), Level::Emergency);
    assert_eq!(bench.shared.chain_state(), ChainState::Ok);
}

#[tokio::test]
async fn a_pulled_flood_about_one_gpu_costs_no_other_its_lease() {
    let bench = Bench::new();
    let mut alerts = recorded("active");
    let flood = |n: u64| {
        json!({
            "labels": {"guard_action": "gradual", "uuid": GPU_0, "pid": n.to_string()},
            "status": {"state": "active"},
            "startsAt": "2026-11-23T08:06:41.752Z",
            "fingerprint": format!("{n:016x}"),
        })
    };
    alerts.as_array_mut().unwrap().extend((0..600).map(flood));
    let alertmanager = Alertmanager::listing(&alerts);
    let mut puller = puller(&bench, &[&alertmanager]);
    for _ in 0..2 {
        puller.round().await;
        assert_eq!(bench.alert_level(GPU_1), Level::Emergency);
        assert_eq!(bench.leases().len(), CAPACITY + 1);
    }
    let counted = bench.counters();
    let rejected = counted.pull(State::Active, Action::Gradual, Outcome::Rejected);
    assert_eq!(rejected, Some(2 * (600 + 1 - CAPACITY as u64)));
}

/// Without a filter, a pull lists the heartbeats of all nodes: their nodes are known, and the guard's own
/// counts.
#[tokio::test]
async fn the_nodes_of_pulled_heartbeats_are_known() {
    let bench = Bench::new();
    let beat = |instance: &str| {
        let mut beat = only("heartbeat")[0].clone();
        beat["labels"]["instance"] = json!(instance);
        beat["fingerprint"] = json!(format!("{:016x}", instance.len()));
        beat
    };
    let alertmanager = Alertmanager::listing(&json!([beat("n22.example:10835")]));
    let mut puller = puller(&bench, &[&alertmanager]);
    puller.round().await;
    let others = bench.desk.heard().others;
    assert_eq!(others.as_deref(), Some("n22.example:10835"));
    alertmanager.list(&json!([
        beat("n22.example:10835"),
        beat("n1.example:10835")
    ]));
    puller.round().await;
    let heard = bench.desk.heard();
    assert_eq!(heard.ours.as_deref(), Some("n1.example:10835"));
    assert_eq!(heard.others, None);
}

#[tokio::test]
async fn nothing_is_asked_before_the_gpus_are_known() {
    let bench = Bench::new();
    crate::hook::bench::know_gpus(&bench.shared, false);
    let alertmanager = Alertmanager::listing(&recorded("active"));
    let mut puller = puller(&bench, &[&alertmanager]);
    puller.round().await;
    assert!(alertmanager.requests().is_empty() && bench.is_untouched());
    crate::hook::bench::know_gpus(&bench.shared, true);
    puller.round().await;
    assert_eq!(bench.leases().len(), 2);
}

#[tokio::test]
async fn with_a_severity_map_all_alerts_are_asked_for() {
    let bench = Bench::with(|settings| {
        settings.severity_map = [("warning".to_owned(), Level::Emergency)].into();
    });
    let mut alerts = only("gradual");
    let labels = alerts[0]["labels"].as_object_mut().unwrap();
    labels.remove("guard_action");
    let alertmanager = Alertmanager::listing(&alerts);
    puller(&bench, &[&alertmanager]).round().await;
    assert_eq!(bench.alert_level(GPU_0), Level::Emergency);
    assert!(alertmanager.requests()[0].starts_with("GET /api/v2/alerts HTTP"));
}

#[tokio::test]
async fn a_secret_is_read_each_time_and_never_told() {
    let bench = Bench::new();
    let alertmanager = Alertmanager::listing(&json!([]));
    let file = bench.state.path().join("secret");
    let with = |credential| PullConfig {
        credential,
        ..config(&[&alertmanager])
    };
    let bearer = with(Login::Bearer {
        token_file: file.clone(),
    });
    let mut bearer = Puller::new(&bench.desk, &bearer).unwrap();
    bearer.round().await;
    assert!(alertmanager.requests().is_empty(), "no file, no request");
    for token in ["hunter2", "hunter3"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        bearer.round().await;
        let asked = alertmanager.requests().pop().unwrap().to_lowercase();
        assert!(
            asked.contains(&format!("authorization: bearer {token}")),
            "{asked}"
        );
    }
    let basic = with(Login::Basic {
        username: "guard".to_owned(),
        password_file: file.clone(),
    });
    Puller::new(&bench.desk, &basic).unwrap().round().await;
    let asked = alertmanager.requests().pop().unwrap();
    assert!(asked.contains("Basic Z3VhcmQ6aHVudGVyMw=="), "{asked}");
    for bad in ["", "two\nlines"] {
        std::fs::write(&file, bad).unwrap();
        let asked = alertmanager.requests().len();
        bearer.round().await;
        assert_eq!(alertmanager.requests().len(), asked);
    }
    let client =
        thermal_guard::alerts::pull::client::Client::all(&with(Login::Bearer { token_file: file }));
    let error = client.unwrap()[0].census().unwrap_err().to_string();
    assert!(
        error.contains("one line") && !error.contains("two"),
        "{error}"
    );
    // A pipe would be waited for, for ever.
    let device = thermal_guard::alerts::pull::client::Client::all(&with(Login::Bearer {
        token_file: "/dev/zero".into(),
    }));
    let error = device.unwrap()[0].census().unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn a_file_of_authorities_must_have_one() {
    let bench = Bench::new();
    let file = bench.state.path().join("ca.pem");
    let trusting = || PullConfig {
        urls: vec!["https://localhost".to_owned()],
        interval: None,
        filter: Vec::new(),
        node: None,
        credential: Login::None,
        ca_file: Some(file.clone()),
    };
    let said = || {
        Puller::new(&bench.desk, &trusting())
            .err()
            .unwrap()
            .to_string()
    };
    assert!(said().contains("ca.pem"));
    std::fs::write(&file, "no PEM").unwrap();
    assert!(said().contains("no certificate"));
}
