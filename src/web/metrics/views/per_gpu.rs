//! The families that have samples for each GPU: by metric, then by GPU, because a family must be in
//! one piece.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

use crate::web::snapshot::GpuView;

use super::families::{Families, Number};

/// A label's name and its value.
pub(crate) type Label<'a> = (&'static str, Cow<'a, str>);

/// Writes families, with the labels of each GPU in front of its samples.
pub(crate) struct PerGpu<'e, 's> {
    pub(crate) families: Families<'e>,
    gpus: Vec<(GpuLabels<'s>, &'s GpuView)>,
}

/// The labels of one GPU, as the library writes them, but for the value of the last one: they stand
/// before each of some two hundred samples.
struct GpuLabels<'s> {
    index_and_key: String,
    uuid: &'s str,
}

/// In place of an index that another card has now: a reader would take two cards for one.
const GONE: &str = "gone";

impl<'e, 's> PerGpu<'e, 's> {
    pub(crate) fn new(families: Families<'e>, gpus: &'s [GpuView]) -> Self {
        let labelled = gpus.iter().map(|gpu| {
            let index = gpu.index.map(|index| index.to_string());
            let index = index.as_deref().unwrap_or(GONE);
            let labels = GpuLabels {
                index_and_key: format!("gpu=\"{index}\",uuid"),
                uuid: gpu.identity.uuid.as_str(),
            };
            (labels, gpu)
        });
        Self {
            families,
            gpus: labelled.collect(),
        }
    }

    /// A label set for each GPU.
    pub(crate) fn info<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        labels: impl Fn(&'s GpuView) -> L,
    ) -> fmt::Result {
        let gpus = self.gpus.iter();
        let label_sets = gpus.map(|(of, gpu)| (of, labels(gpu)));
        self.families.info(name, help, label_sets)
    }

    /// One sample for each GPU that has one.
    pub(crate) fn gauge<N: Number>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<N>,
    ) -> fmt::Result {
        let gpus = self.gpus.iter();
        let samples = gpus.filter_map(|(of, gpu)| Some((of, value(gpu)?)));
        self.families.gauge(name, help, samples)
    }

    pub(crate) fn counter<N: Number>(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<N>,
    ) -> fmt::Result {
        let gpus = self.gpus.iter();
        let samples = gpus.filter_map(|(of, gpu)| Some((of, value(gpu)?)));
        self.families.counter(name, help, samples)
    }

    /// Samples of each GPU, with labels of their own.
    pub(crate) fn gauges<L: EncodeLabelSet, N: Number, S: IntoIterator<Item = (L, N)>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Fn(&'s GpuView) -> S,
    ) -> fmt::Result {
        let samples = labelled(&self.gpus, samples);
        self.families.gauge(name, help, samples)
    }

    pub(crate) fn counters<L: EncodeLabelSet, N: Number, S: IntoIterator<Item = (L, N)>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Fn(&'s GpuView) -> S,
    ) -> fmt::Result {
        let samples = labelled(&self.gpus, samples);
        self.families.counter(name, help, samples)
    }
}

impl EncodeLabelSet for &GpuLabels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let mut label = encoder.encode_label();
        let mut key = label.encode_label_key()?;
        key.write_str(&self.index_and_key)?;
        let mut value = key.encode_label_value()?;
        value.write_str(self.uuid)?;
        value.finish()
    }
}

fn labelled<'a, 's, L, N, S: IntoIterator<Item = (L, N)>>(
    gpus: &'a [(GpuLabels<'s>, &'s GpuView)],
    samples: impl Fn(&'s GpuView) -> S,
) -> impl Iterator<Item = ((&'a GpuLabels<'s>, L), N)> {
    gpus.iter().flat_map(move |(of, gpu)| {
        let samples = samples(gpu).into_iter();
        samples.map(move |(labels, value)| ((of, labels), value))
    })
}
