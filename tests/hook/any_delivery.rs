//! Whatever comes, in whatever order: each well-formed firing alert that names a GPU of ours and acts
//! is a lease, whatever other labels it carries, and nobody else's is lost by it.
//!
//! The judge below knows what was meant by each alert, because it was made for a GPU; it reads no
//! label. The only ways out that it grants are those that are counted and logged: a delivery that is
//! refused as a whole, a GPU whose room is full of leases at least as high, and a newer delivery of
//! the same alert that says otherwise.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use thermal_guard::policy::Level;
use thermal_guard::policy::lease::{CAPACITY, Holder};

use crate::bench::{Bench, GPU_0, GPU_1, MIG_ON_1, delivery};

const GPUS: [&str; 2] = [GPU_0, GPU_1];

/// As an alert may name a GPU: by its labels.
type Naming = Vec<(String, String)>;

/// One alert, and what it means.
#[derive(Clone, Debug)]
struct Meant {
    gpu: usize,
    /// Which of that GPU's alerts.
    number: u64,
    level: Level,
    firing: bool,
    /// Seconds; of a resolved, which firing it ends.
    starts: u64,
    labels: Naming,
    /// Nothing that it says may act: no labels, another action, somebody else's GPU.
    inert: Option<usize>,
}

/// How a delivery fares on its way.
#[derive(Clone, Debug)]
enum Way {
    Whole,
    Twice,
    /// So many bytes are missing at its end.
    Cut(usize),
    /// Of another version, or by a sender that isn't Alertmanager.
    Version(&'static str),
    Truncated(u64),
    Bom,
}

#[derive(Clone, Debug)]
struct Sent {
    alerts: Vec<Meant>,
    way: Way,
}

type Key = (usize, u64);
type Held = BTreeMap<Key, (Level, u64)>;

fn fingerprint(meant: &Meant) -> u64 {
    (meant.gpu as u64) << 32 | meant.number
}

fn spelt(uuid: &'static str) -> impl Strategy<Value = String> {
    let bare = uuid.split_once('-').unwrap().1;
    prop::sample::select(vec![
        uuid.to_owned(),
        uuid.to_lowercase(),
        uuid.to_uppercase(),
        bare.to_owned(),
        bare.to_uppercase(),
        bare.replace('-', ""),
        format!(" {uuid} "),
    ])
}

/// By a UUID, which decides whatever stands beside it.
fn by_uuid(gpu: usize) -> BoxedStrategy<Naming> {
    let called = ["uuid", "UUID", "gpu_uuid", "GPU_UUID", "gpuuuid"];
    let also = ["gpu", "gpu_id", "device", "GPU"];
    let own = (prop::sample::select(called.to_vec()), spelt(GPUS[gpu]));
    let odd = (
        prop::sample::select(also.to_vec()),
        Just(GPUS[gpu].to_owned()),
    );
    let instance = (Just("UUID"), Just(MIG_ON_1.to_owned()));
    let named = if gpu == 1 {
        prop_oneof![4 => own, 2 => odd, 1 => instance].boxed()
    } else {
        prop_oneof![4 => own, 2 => odd].boxed()
    };
    let beside = prop::sample::select(vec![
        ("instance", "n2.example:9400"),
        ("instance", "10.244.0.7:9400"),
        ("Hostname", "dcgm-exporter-x7k2p"),
        ("node", "another"),
        ("index", "1"),
        ("index", "0"),
        ("index", "77"),
        ("pci_bus_id", "00000000:0A:00.0"),
        ("pci_bus_id", "0000:ff:00.0"),
        ("scope", "node"),
        ("severity", "none"),
    ]);
    let beside = prop::collection::vec(beside, 0..4);
    (named, beside)
        .prop_map(|((name, uuid), beside)| {
            let others = beside.into_iter().filter(|(other, _)| *other != name);
            let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
            others.chain([(name.to_owned(), uuid)]).collect()
        })
        .boxed()
}

/// By an address, whatever index stands beside it.
fn by_address(gpu: usize) -> BoxedStrategy<Naming> {
    let bus = ["0a", "0b"][gpu];
    let spelt = prop::sample::select(vec![
        format!("00000000:{}:00.0", bus.to_uppercase()),
        format!("0000:{bus}:00.0"),
        format!("{bus}:00.0"),
    ]);
    let beside = prop::sample::select(vec![
        ("gpu", "0"),
        ("gpu", "1"),
        ("gpu", "nvidia7"),
        ("device", "nvidia0"),
        ("uuid", "unknown"),
        ("instance", "n1.example:9400"),
    ]);
    (spelt, beside)
        .prop_map(|(address, (name, value))| {
            let address = ("pci_bus_id".to_owned(), address);
            vec![address, (name.to_owned(), value.to_owned())]
        })
        .boxed()
}

/// By an index, with our name.
fn by_index(gpu: usize) -> BoxedStrategy<Naming> {
    let name = prop::sample::select(vec!["gpu", "gpu_id", "index"]);
    let node = prop::sample::select(vec![
        ("instance", "n1.example:10835"),
        ("instance", "10.0.0.5:9400"),
        ("Hostname", "n1"),
        ("exported_instance", "n1.example:9400"),
    ]);
    (name, node)
        .prop_map(move |(name, (node, called))| {
            let index = (name.to_owned(), gpu.to_string());
            vec![index, (node.to_owned(), called.to_owned())]
        })
        .boxed()
}

/// Labels that are nobody's business.
fn odd_labels() -> impl Strategy<Value = Naming> {
    let names = "(pod|command|namespace|owner_id|x_[a-z]{1,6}|__é[a-z]{0,3})";
    let value = prop_oneof![
        4 => "[ -~]{0,24}",
        1 => "\\PC{0,24}",
        1 => Just("x".repeat(3000)),
    ];
    let few = prop::collection::vec((names, value), 0..3);
    let many = Just((0..80).map(|n| (format!("l{n}"), "y".to_owned())).collect());
    prop_oneof![6 => few, 1 => many]
}

fn meant() -> impl Strategy<Value = Meant> {
    let naming = (0..2_usize).prop_flat_map(|gpu| {
        let labels = prop_oneof![3 => by_uuid(gpu), 1 => by_address(gpu), 1 => by_index(gpu)];
        (Just(gpu), labels)
    });
    let level = prop_oneof![Just(Level::Gradual), Just(Level::Emergency)];
    let firing = prop::bool::weighted(0.75);
    let inert = prop::option::weighted(0.15, 0..INERT);
    (
        naming,
        odd_labels(),
        0..5_u64,
        level,
        firing,
        0..4_u64,
        inert,
    )
        .prop_map(
            |((gpu, mut labels), odd, number, level, firing, starts, inert)| {
                labels.extend(odd);
                Meant {
                    gpu,
                    number,
                    level,
                    firing,
                    starts,
                    labels,
                    inert,
                }
            },
        )
}

/// Hundreds about one GPU, as per-process series bring them.
fn flood() -> impl Strategy<Value = Vec<Meant>> {
    let level = prop_oneof![3 => Just(Level::Gradual), 1 => Just(Level::Emergency)];
    (0..2_usize, level, 0..3_u64, 100..301_u64).prop_map(|(gpu, level, from, count)| {
        let of = |number| Meant {
            gpu,
            number: 1000 * (1 + from) + number,
            level,
            firing: true,
            starts: 1,
            labels: vec![("uuid".to_owned(), GPUS[gpu].to_owned())],
            inert: None,
        };
        (0..count).map(of).collect()
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let few = || prop::collection::vec(meant(), 0..6);
    let flooded = (flood(), few()).prop_map(|(mut flood, mut few)| {
        // A level alone, or one after the other.
        flood.append(&mut few);
        flood
    });
    let alerts = prop_oneof![3 => few(), 1 => flooded];
    let way = prop_oneof![
        8 => Just(Way::Whole),
        2 => Just(Way::Twice),
        1 => (1..400_usize).prop_map(Way::Cut),
        1 => prop::sample::select(vec!["1", "3", ""]).prop_map(Way::Version),
        1 => (1..9_u64).prop_map(Way::Truncated),
        1 => Just(Way::Bom),
    ];
    (alerts, way).prop_map(|(alerts, way)| Sent { alerts, way })
}

const INERT: usize = 6;

fn written(meant: &Meant) -> Value {
    let status = if meant.firing { "firing" } else { "resolved" };
    let mut labels = json!({"alertname": "Any", "guard_action": meant.level.name()});
    for (name, value) in &meant.labels {
        labels[name.as_str()] = json!(value);
    }
    let mut alert = json!({
        "status": status,
        "labels": labels,
        "annotations": {},
        "startsAt": format!("2026-11-23T08:06:4{}Z", meant.starts),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": format!("{:016x}", fingerprint(meant)),
    });
    match meant.inert {
        None => {}
        Some(0) => alert["labels"]["guard_action"] = json!("none"),
        Some(1) => alert["labels"]["guard_action"] = json!("shutdown"),
        Some(2) => alert["labels"] = json!({"guard_action": "emergency", "uuid": "GPU-ffffffff"}),
        Some(3) => alert["labels"] = json!([]),
        Some(4) => alert["status"] = json!("pending"),
        Some(_) => alert = json!(null),
    }
    alert
}

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
            // The same alert fires and is resolved at once: that it fires goes before.
            Some(_) if meant.firing => firing_inert.push(key),
            Some(_) => {}
        }
    }
    let count = |gpu| after.keys().filter(|(of, _)| *of == gpu).count();
    // Firing goes before resolved: what this delivery ended still had its room.
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
            // It may have been lowered just before, by itself.
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
        cases: 48,
        // The same deliveries each time in continuous integration.
        rng_seed: match std::env::var_os("CI") {
            Some(_) => RngSeed::Fixed(20_261_129),
            None => RngSeed::Random,
        },
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_firing_alert_about_a_gpu_of_ours_is_a_lease_whatever_comes(
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
        // Counted: what was refused for want of room, and what could not be read.
        let counted: u64 = bench.counters().alerts.values().sum();
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
fn the_judge_sees_what_is_wrong() {
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
