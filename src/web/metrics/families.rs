//! Writing metric families. Const metrics, made anew for every scrape: what vanished is gone, and
//! a family is written in one piece, as both formats want it.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::encoding::{
    CounterValueEncoder, DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue,
    GaugeValueEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::web::snapshot::DurationHistogram;

/// Label names are ours; so is every value but those of `gpu_info`.
pub(super) type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// Units as metric names end in them; OpenMetrics wants them said apart as well.
const UNITS: [&str; 8] = [
    "bytes", "celsius", "hertz", "joules", "ratio", "rpm", "seconds", "watts",
];

/// The families of one scrape.
pub(super) struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    pub(super) fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self { encoder }
    }

    /// A gauge. Without a sample, or with none that is a number, there is no family.
    pub(super) fn gauge<'s>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, f64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples)
    }

    /// A counter, by its full name.
    pub(super) fn counter<'s>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, f64)>,
    ) -> fmt::Result {
        let name = name.strip_suffix("_total").unwrap_or(name);
        self.family(name, help, MetricType::Counter, samples)
    }

    /// One gauge without labels.
    pub(super) fn single(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        self.gauge(name, help, value.map(|value| (Labels::new(), value)))
    }

    /// A label set as a metric, by its full name.
    pub(super) fn info<'s>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Labels<'s>>,
    ) -> fmt::Result {
        let name = name.strip_suffix("_info").unwrap_or(name);
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, None, MetricType::Info)?;
        samples.try_for_each(|labels| metric.encode_info(&labels))
    }

    pub(super) fn histogram(
        &mut self,
        name: &str,
        help: &str,
        seconds: &DurationHistogram,
    ) -> fmt::Result {
        if seconds.buckets.is_empty() {
            return Ok(());
        }
        let (stem, unit) = split_unit(name);
        let count = seconds.buckets.iter().map(|(_, count)| count).sum();
        self.encoder
            .encode_descriptor(stem, help, unit.as_ref(), MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(seconds.sum_seconds, count, &seconds.buckets, None)
    }

    fn family<'s>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'s>, f64)>,
    ) -> fmt::Result {
        let mut samples = samples
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let (stem, unit) = split_unit(name);
        let counts = matches!(kind, MetricType::Counter);
        let mut metric = self
            .encoder
            .encode_descriptor(stem, help, unit.as_ref(), kind)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                write_sample(&mut metric, counts, value)?;
            } else {
                write_sample(&mut metric.encode_family(&labels)?, counts, value)?;
            }
        }
        Ok(())
    }
}

fn write_sample(metric: &mut MetricEncoder<'_>, counts: bool, value: f64) -> fmt::Result {
    if counts {
        metric.encode_counter::<NoLabelSet, _, f64>(&Value(value), None)
    } else {
        metric.encode_gauge(&Value(value))
    }
}

/// 1 for the one that holds.
pub(super) fn one_hot<const N: usize>(
    all: [&'static str; N],
    holds: &str,
) -> [(&'static str, f64); N] {
    all.map(|name| (name, flag(name == holds)))
}

pub(super) fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

fn split_unit(name: &str) -> (&str, Option<Unit>) {
    let unit = |stem: &str, unit: &str| (stem.len(), Unit::Other(unit.to_owned()));
    let found = name
        .rsplit_once('_')
        .filter(|(_, last)| UNITS.contains(last));
    match found.map(|(stem, last)| unit(stem, last)) {
        Some((length, unit)) => (&name[..length], Some(unit)),
        None => (name, None),
    }
}

/// A number as people write it: `1`, not `1.0`.
#[derive(Debug)]
struct Value(f64);

/// Beyond, an f64 has no exact integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    fn whole(&self) -> Option<i64> {
        (self.0.fract() == 0.0 && self.0.abs() < EXACT).then_some(self.0 as i64)
    }
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => EncodeGaugeValue::encode(&whole, encoder),
            None => EncodeGaugeValue::encode(&self.0, encoder),
        }
    }
}

impl EncodeCounterValue for Value {
    fn encode(&self, encoder: &mut CounterValueEncoder<'_>) -> fmt::Result {
        match self.whole().and_then(|whole| u64::try_from(whole).ok()) {
            Some(whole) => EncodeCounterValue::encode(&whole, encoder),
            None => EncodeCounterValue::encode(&self.0, encoder),
        }
    }
}
