//! Any deliveries in any order: each well-formed firing alert that acts and names a guarded GPU takes a
//! lease, whatever its other labels are, and no other alert is lost by it.
//!
//! The judge below knows the GPU of each alert, because the alert was made for it; it reads no label.
//! It excuses only cases that are counted and logged: a delivery that is refused as a whole, a GPU that
//! is full of leases at least as high, and a newer delivery of the same alert that asks for something
//! else.

mod making;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use thermal_guard::policy::Level;
use thermal_guard::policy::ask::lease::{CAPACITY, Holder};

use crate::common::cases::cases;
use crate::hook::bench::{Bench, GPU_0, GPU_1, delivery};
use making::{Meant, Sent, Way, fingerprint, sent, written};

const GPUS: [&str; 2] = [GPU_0, GPU_1];

type Key = (usize, u64);
type Held = BTreeMap<Key, (Level, u64)>;

/// The leases of alerts, as they are.
fn held(bench: &Bench) -> Held {
    let all = bench.leases().into_iter();
    all.filter_map(|(uuid, holder, lease)| {
        let gpu = GPUS.iter().position(|it| *it == uuid)?;
        match holder {
            Holder::Alert(print) => Some(((gpu, print), (lease.level, lease.starts_at.as_secs()))),
            Holder::Manual => None,
        }
    })
    .collect()
}

/// Sends it; false: it was refused as a whole, which it must be where it isn't one.
fn deliver(bench: &Bench, sent: &Sent) -> bool {
    let alerts: Vec<_> = sent.alerts.iter().map(written).collect();
    let mut body = delivery(&alerts);
    let (mut wanted, mut times) = (200, 1);
    match sent.way {
        Way::Whole | Way::Bom => {}
        Way::Twice => times = 2,
        Way::Cut(_) => wanted = 400,
        Way::Version(version) => {
            body["version"] = json!(version);
            wanted = 400;
        }
        Way::Truncated(count) => body["truncatedAlerts"] = json!(count),
    }
    let mut bytes = body.to_string().into_bytes();
    match sent.way {
        Way::Cut(lost) => bytes.truncate(bytes.len().saturating_sub(lost)),
        Way::Bom => bytes.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        _ => {}
    }
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    for _ in 0..times {
        let answer = runtime.block_on(bench.deliver(bytes.clone()));
        assert_eq!(answer.code.as_u16(), wanted, "{}", answer.text);
    }
    wanted == 200
}

/// What an alert that acts must come to, of all that a delivery says of it: the most, and a resolved
/// only where nothing fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Must {
    End(u64),
    Hold(Level),
}

fn judge(before: &Held, after: &Held, sent: &Sent) -> Result<(), TestCaseError> {
    let mut must: BTreeMap<Key, Must> = BTreeMap::new();
    let mut firing_inert = Vec::new();
    for meant in &sent.alerts {
        let key = (meant.gpu, fingerprint(meant));
        match meant.inert {
            None => {
                let one = if meant.firing {
                    Must::Hold(meant.level)
                } else {
                    Must::End(meant.starts)
                };
                let told = must.entry(key).or_insert(one);
                *told = one.max(*told);
            }
            // The same alert fires and is resolved in one delivery: firing counts first.
            Some(_) if meant.firing => firing_inert.push(key),
            Some(_) => {}
        }
    }
    let count = |gpu| after.keys().filter(|(of, _)| *of == gpu).count();
    // Firing counts before resolved: leases that this delivery ends still take room.
    let ended = before.iter().filter(|(key, _)| !after.contains_key(key));
    let at_most: Vec<_> = after.iter().chain(ended).collect();
    let is_full_of = |gpu, level| {
        let high = at_most
            .iter()
            .filter(|((of, _), (held, _))| *of == gpu && *held >= level);
        high.count() >= CAPACITY
    };
    for gpu in [0, 1] {
        prop_assert!(count(gpu) <= CAPACITY, "{} leases on {gpu}", count(gpu));
    }
    for (key, must) in &must {
        match must {
            Must::Hold(level) => match after.get(key) {
                Some((held, _)) => prop_assert_eq!(held, level, "{:?}", key),
                None => prop_assert!(is_full_of(key.0, *level), "no lease, and room: {key:?}"),
            },
            Must::End(_) if firing_inert.contains(key) => {}
            Must::End(starts) => {
                let began = before.get(key).map(|(_, starts)| *starts);
                let base = 1_795_421_200;
                let is_late = began.is_some_and(|began| starts + base < began);
                prop_assert!(
                    !after.contains_key(key) || is_late,
                    "a lease after its end: {key:?}"
                );
            }
        }
    }
    for (key, (level, _)) in before {
        let ended = matches!(must.get(key), Some(Must::End(_)));
        if !after.contains_key(key) && !ended {
            // The alert itself may have lowered it just before.
            let level = match must.get(key) {
                Some(Must::Hold(now)) => now.min(level),
                _ => level,
            };
            let higher = must.iter().any(|((gpu, _), must)| {
                *gpu == key.0 && matches!(must, Must::Hold(asked) if asked > level)
            });
            let was_full = is_full_of(key.0, Level::None);
            prop_assert!(higher && was_full, "lost by others: {key:?}");
        }
        if let (Some((now, _)), None) = (after.get(key), must.get(key)) {
            prop_assert_eq!(now, level, "changed by others: {:?}", key);
        }
    }
    for key in after.keys() {
        let meant = matches!(must.get(key), Some(Must::Hold(_)));
        prop_assert!(meant || before.contains_key(key), "out of nothing: {key:?}");
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        max_shrink_iters: 200,
        failure_persistence: None,
        ..cases(48)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_firing_alert_about_a_guarded_gpu_takes_a_lease_in_any_delivery(
        story in prop::collection::vec(sent(), 1..8)
    ) {
        let bench = Bench::new();
        let mut before = held(&bench);
        for sent in &story {
            let taken = deliver(&bench, sent);
            let after = held(&bench);
            if taken {
                judge(&before, &after, sent)?;
            } else {
                prop_assert_eq!(&before, &after, "a refused delivery moves nothing");
            }
            before = after;
        }
        // Counted: alerts refused for lack of room, and alerts that could not be read.
        let counted: u64 = bench.counters().family("hook_alerts_total", "").iter().sum();
        let sent: usize = story.iter().map(|sent| match sent.way {
            Way::Cut(_) | Way::Version(_) => 0,
            Way::Twice => 2 * sent.alerts.len(),
            _ => sent.alerts.len(),
        }).sum();
        prop_assert_eq!(counted, sent as u64);
    }
}

/// The judge itself can fail: a lost lease, one out of nothing, and one that isn't there.
#[test]
fn the_judge_notices_mistakes() {
    let meant = Meant {
        gpu: 0,
        number: 1,
        level: Level::Gradual,
        firing: true,
        starts: 1,
        labels: Vec::new(),
        inert: None,
    };
    let sent = Sent {
        alerts: vec![meant.clone()],
        way: Way::Whole,
    };
    let own = ((0, fingerprint(&meant)), (Level::Gradual, 0));
    let neighbour = ((1, 7), (Level::Gradual, 0));
    let held = |all: &[(Key, (Level, u64))]| all.iter().copied().collect::<Held>();
    assert!(judge(&held(&[]), &held(&[own]), &sent).is_ok());
    assert!(judge(&held(&[]), &held(&[]), &sent).is_err());
    assert!(judge(&held(&[neighbour]), &held(&[own]), &sent).is_err());
    assert!(judge(&held(&[]), &held(&[own, neighbour]), &sent).is_err());
}
