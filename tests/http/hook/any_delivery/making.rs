//! Deliveries made for the property: what each alert means is known before it has a label.

use proptest::prelude::*;
use serde_json::{Value, json};
use thermal_guard::policy::Level;

use super::GPUS;
use crate::hook::bench::MIG_ON_1;

/// As an alert may name a GPU: by its labels.
type Naming = Vec<(String, String)>;

/// One alert, and its meaning.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) gpu: usize,
    /// The number of the alert among that GPU's.
    pub(super) number: u64,
    pub(super) level: Level,
    pub(super) firing: bool,
    /// Seconds. For a resolved alert, the start of the firing that it ends.
    pub(super) starts: u64,
    pub(super) labels: Naming,
    /// It must not act: it has no labels, another action, or another node's GPU.
    pub(super) inert: Option<usize>,
}

/// How a delivery fares on its way.
#[derive(Clone, Debug)]
pub(super) enum Way {
    Whole,
    Twice,
    /// That many bytes are missing at its end.
    Cut(usize),
    /// It has another version, or comes from a sender other than Alertmanager.
    Version(&'static str),
    Truncated(u64),
    Bom,
}

#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) alerts: Vec<Meant>,
    pub(super) way: Way,
}

pub(super) fn fingerprint(meant: &Meant) -> u64 {
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

/// Names the GPU by a UUID, which decides whatever the other labels say.
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

/// Names the GPU by an address, beside any index.
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
        ("device", "gpu-0"),
        ("device", "0000:af:00.0"),
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

/// Labels that mean nothing to the guard.
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

pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let few = || prop::collection::vec(meant(), 0..6);
    let flooded = (flood(), few()).prop_map(|(mut flood, mut few)| {
        // One level alone, or both, one after the other.
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

pub(super) fn written(meant: &Meant) -> Value {
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
