//! The families that have one or more samples per GPU: by metric, then by GPU, so that a family
//! stays in one piece.

use std::borrow::Cow;
use std::fmt;

use crate::web::snapshot::{GpuView, Snapshot};

use super::families::{Families, Labels};

/// Samples of one GPU under a label of their own.
pub(super) type Split = Vec<(Cow<'static, str>, Option<f64>)>;

/// Writes them.
pub(super) struct PerGpu<'f, 'a, 's> {
    pub(super) families: &'f mut Families<'a>,
    pub(super) snapshot: &'s Snapshot,
}

impl<'s> PerGpu<'_, '_, 's> {
    /// One sample per GPU that has one.
    pub(super) fn gauge(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<f64>,
    ) -> fmt::Result {
        let samples = plain(self.snapshot, value);
        self.families.gauge(name, help, samples)
    }

    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
        value: impl Fn(&'s GpuView) -> Option<f64>,
    ) -> fmt::Result {
        let samples = plain(self.snapshot, value);
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
        let samples = labelled(self.snapshot, label, split);
        self.families.gauge(name, help, samples)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        split: impl Fn(&'s GpuView) -> Split,
    ) -> fmt::Result {
        let samples = labelled(self.snapshot, label, split);
        self.families.counter(name, help, samples)
    }

    /// A sample per GPU and values of two labels.
    pub(super) fn pairs(
        &mut self,
        name: &str,
        help: &str,
        names: [&'static str; 2],
        split: impl Fn(&'s GpuView) -> Vec<([&'static str; 2], f64)>,
    ) -> fmt::Result {
        let samples = self.snapshot.gpus.iter().flat_map(|gpu| {
            split(gpu).into_iter().map(|([first, second], value)| {
                let mut labels = gpu_labels(gpu);
                labels.push((names[0], first.into()));
                labels.push((names[1], second.into()));
                (labels, value)
            })
        });
        self.families.counter(name, help, samples)
    }
}

fn plain<'s>(
    snapshot: &'s Snapshot,
    value: impl Fn(&'s GpuView) -> Option<f64>,
) -> impl Iterator<Item = (Labels<'s>, f64)> {
    let gpus = snapshot.gpus.iter();
    gpus.filter_map(move |gpu| Some((gpu_labels(gpu), value(gpu)?)))
}

fn labelled<'s>(
    snapshot: &'s Snapshot,
    label: &'static str,
    split: impl Fn(&'s GpuView) -> Split,
) -> impl Iterator<Item = (Labels<'s>, f64)> {
    snapshot.gpus.iter().flat_map(move |gpu| {
        split(gpu).into_iter().filter_map(move |(name, value)| {
            let mut labels = gpu_labels(gpu);
            labels.push((label, name));
            Some((labels, value?))
        })
    })
}

/// What every per-GPU series carries, first.
pub(super) fn gpu_labels(gpu: &GpuView) -> Labels<'_> {
    vec![
        ("gpu", gpu.identity.index.to_string().into()),
        ("uuid", gpu.identity.uuid.as_str().into()),
    ]
}
