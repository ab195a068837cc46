//! The families that have one or more samples per GPU: by metric, then by GPU, so that a family
//! stays in one piece.

use std::borrow::Cow;
use std::fmt;

use crate::web::snapshot::GpuView;

use super::families::Families;
use super::labels::{Label, LabelSet, OfGpu, of_gpu};

/// Samples of one GPU under a label of their own.
pub(super) type Split = Vec<(Cow<'static, str>, Option<f64>)>;

/// The same under two labels.
pub(super) type Pairs = Vec<([Cow<'static, str>; 2], f64)>;

/// Writes them.
pub(super) struct PerGpu<'f, 't, 's> {
    families: &'f mut Families<'t>,
    /// Each with the labels that all its series carry.
    gpus: Vec<Gpu<'s>>,
}

impl<'f, 't, 's> PerGpu<'f, 't, 's> {
    pub(super) fn new(
        families: &'f mut Families<'t>,
        gpus: &'s [GpuView],
    ) -> Result<Self, fmt::Error> {
        let labelled = gpus.iter().map(|gpu| Ok((of_gpu(gpu)?, gpu)));
        let gpus = labelled.collect::<Result<_, _>>()?;
        Ok(Self { families, gpus })
    }

    /// A label set per GPU.
    pub(super) fn info<L: LabelSet>(
        &mut self,
        name: &str,
        help: &str,
        labels: impl Fn(&'s GpuView) -> L,
    ) -> fmt::Result {
        let gpus = self.gpus.iter();
        let sets = gpus.map(|(of, gpu)| OfGpu(of, labels(gpu)));
        self.families.info(name, help, sets)
    }

    /// One sample per GPU that has one.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<f64>,
    ) -> fmt::Result {
        let samples = plain(&self.gpus, value);
        self.families.gauge(name, help, samples)
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<f64>,
    ) -> fmt::Result {
        let samples = plain(&self.gpus, value);
        self.families.counter(name, help, samples)
    }

    /// A sample per GPU and value of `label`.
    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        split: impl Fn(&'s GpuView) -> Split,
    ) -> fmt::Result {
        let samples = labelled(&self.gpus, label, split);
        self.families.gauge(name, help, samples)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        split: impl Fn(&'s GpuView) -> Split,
    ) -> fmt::Result {
        let samples = labelled(&self.gpus, label, split);
        self.families.counter(name, help, samples)
    }

    /// A sample per GPU and values of two labels.
    pub(super) fn pairs(
        &mut self,
        name: &str,
        help: &str,
        names: [&'static str; 2],
        split: impl Fn(&'s GpuView) -> Pairs,
    ) -> fmt::Result {
        let samples = paired(&self.gpus, names, split);
        self.families.counter(name, help, samples)
    }

    /// The same of a gauge.
    pub(super) fn gauge_pairs(
        &mut self,
        name: &str,
        help: &str,
        names: [&'static str; 2],
        split: impl Fn(&'s GpuView) -> Pairs,
    ) -> fmt::Result {
        let samples = paired(&self.gpus, names, split);
        self.families.gauge(name, help, samples)
    }
}

type Gpu<'s> = (String, &'s GpuView);

fn plain<'a, 's>(
    gpus: &'a [Gpu<'s>],
    value: impl Fn(&'s GpuView) -> Option<f64>,
) -> impl Iterator<Item = (OfGpu<'a, [Label<'a>; 0]>, f64)> {
    gpus.iter()
        .filter_map(move |(of, gpu)| Some((OfGpu(of, []), value(gpu)?)))
}

fn labelled<'a, 's>(
    gpus: &'a [Gpu<'s>],
    label: &'static str,
    split: impl Fn(&'s GpuView) -> Split,
) -> impl Iterator<Item = (OfGpu<'a, [Label<'static>; 1]>, f64)> {
    gpus.iter().flat_map(move |(of, gpu)| {
        let samples = split(gpu).into_iter();
        samples.filter_map(move |(name, value)| Some((OfGpu(of, [(label, name)]), value?)))
    })
}

fn paired<'a, 's>(
    gpus: &'a [Gpu<'s>],
    names: [&'static str; 2],
    split: impl Fn(&'s GpuView) -> Pairs,
) -> impl Iterator<Item = (OfGpu<'a, [Label<'static>; 2]>, f64)> {
    gpus.iter().flat_map(move |(of, gpu)| {
        let samples = split(gpu).into_iter();
        samples.map(move |([first, second], value)| {
            (OfGpu(of, [(names[0], first), (names[1], second)]), value)
        })
    })
}
