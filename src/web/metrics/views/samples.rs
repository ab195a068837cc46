//! Picks samples out of a GPU's view: of its reading and its facts while they are fresh, of its last
//! tick for as long as it is known.

use crate::device::{Facts, Reading};
use crate::guard::Tick;
use crate::policy::Level;
use crate::registry::Words;
use crate::web::snapshot::GpuView;

/// Levels that are counted.
pub(crate) const LEVELS: [Level; 2] = [Level::Gradual, Level::Emergency];

/// A value of the reading, while it is fresh.
pub(crate) fn read<N>(value: impl Fn(&Reading) -> Option<N>) -> impl Fn(&GpuView) -> Option<N> {
    move |gpu| value(&gpu.seen()?.reading)
}

/// Values of the reading, while it is fresh.
pub(crate) fn reading<S: IntoIterator>(
    gpu: &GpuView,
    values: impl Fn(&Reading) -> S,
) -> impl Iterator<Item = S::Item> {
    gpu.seen()
        .map(|tick| values(&tick.reading))
        .into_iter()
        .flatten()
}

/// Constants of a card that is gone are gone, too: the next driver may give others.
pub(crate) fn fact<S: IntoIterator>(
    gpu: &GpuView,
    values: impl Fn(&Facts) -> S,
) -> impl Iterator<Item = S::Item> {
    gpu.seen()
        .map(|tick| values(&tick.facts))
        .into_iter()
        .flatten()
}

/// A sample for each value that there is.
pub(crate) fn present<Q, const N: usize>(
    label: &'static str,
    values: [(&'static str, Option<Q>); N],
    number: fn(Q) -> f64,
) -> impl Iterator<Item = (Words<1>, f64)> {
    let values = values.into_iter();
    values.filter_map(move |(name, value)| Some(([(label, name)], number(value?))))
}

/// A value of the last tick, if there was one.
pub(crate) fn ticked<N>(value: impl Fn(&Tick) -> Option<N>) -> impl Fn(&GpuView) -> Option<N> {
    move |gpu| value(gpu.tick.as_deref()?)
}

/// Samples of the last tick, if there was one.
pub(crate) fn each<'s, S: IntoIterator>(
    samples: impl Fn(&'s Tick) -> S,
) -> impl Fn(&'s GpuView) -> std::iter::Flatten<std::option::IntoIter<S>> {
    move |gpu| gpu.tick.as_deref().map(&samples).into_iter().flatten()
}
