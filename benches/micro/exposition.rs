//! What a scrape's text costs, by format and number of GPUs: where every GPU has ticked since the
//! last one, and where none has.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion};
use thermal_guard::device::profile;
use thermal_guard::guard::virtual_node::Node;
use thermal_guard::guard::{Clock, Live, Shared, Station};
use thermal_guard::policy::chain::Expected;
use thermal_guard::policy::{Chain, Settings};
use thermal_guard::units::Moment;
use thermal_guard::web::Exposition;
use thermal_guard::web::metrics::{Collect, Format, Memo};
use thermal_guard::web::snapshot::{Build, Extra};

/// A node in virtual time whose ticks are shown on the wall's.
struct Shown {
    node: Node,
    stations: Vec<Arc<Station>>,
    exposition: Exposition,
    memo: Memo,
}

impl Shown {
    fn new(gpus: usize) -> Self {
        let card = profile::named("h100").expect("a known card");
        let mut node = Node::new(&vec![card; gpus], &Settings::default());
        let station = |tick: &thermal_guard::guard::Tick| Station::new(tick.identity.clone());
        let stations: Vec<_> = node.run(60).iter().map(station).map(Arc::new).collect();
        let chain = Chain::new(Expected::No, None, Moment::START);
        let tell_apps = Box::new(|_: &_, _| true);
        let shared = Shared::new(Clock::start(1.0), chain, Live::default(), tell_apps);
        for station in &stations {
            shared.enlist(station.clone());
        }
        let rest = Box::new(Extra::default);
        let mut shown = Self {
            node,
            stations,
            exposition: Exposition::new(Arc::new(shared), Build::current(), rest),
            memo: Memo::default(),
        };
        shown.tick();
        shown
    }

    fn tick(&mut self) {
        for (station, mut tick) in self.stations.iter().zip(self.node.step()) {
            // Fresh for as long as this may take.
            tick.at = Moment::from_start(Duration::from_secs(86400));
            station.publish(tick);
        }
    }

    fn scrape(&mut self, format: Format) -> String {
        let snapshot = self.exposition.glance();
        let text = self.memo.render(snapshot, Collect::ALL, format);
        text.expect("a text")
    }
}

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exposition");
    let formats = [
        ("classic", Format::Classic),
        ("OpenMetrics", Format::OpenMetrics),
    ];
    for (name, format) in formats {
        for gpus in [1, 8, 16] {
            let mut shown = Shown::new(gpus);
            assert!(
                shown
                    .scrape(format)
                    .contains("thermal_guard_gpu_temperature_celsius")
            );
            let id =
                |after: &str| BenchmarkId::from_parameter(format!("{name}, {gpus} GPUs, {after}"));
            group.bench_function(id("unchanged"), |bencher| {
                bencher.iter(|| black_box(shown.scrape(format)));
            });
            let shown = std::cell::RefCell::new(shown);
            group.bench_function(id("all ticked"), |bencher| {
                bencher.iter_batched(
                    || shown.borrow_mut().tick(),
                    |()| black_box(shown.borrow_mut().scrape(format)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}
