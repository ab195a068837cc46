//! Metric families of const metrics, through the library's encoder. They are made from a snapshot
//! each time: a value that is gone from the snapshot is gone from the text.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
};
use prometheus_client::metrics::MetricType;

use crate::registry::{Words, split};

/// Writes the families of one text.
pub(crate) struct Families<'e>(pub(crate) DescriptorEncoder<'e>);

/// A value of a sample.
pub(crate) trait Number: EncodeGaugeValue + EncodeCounterValue {
    fn is_finite(&self) -> bool {
        true
    }
}

impl Number for u64 {}

impl Number for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

impl Families<'_> {
    /// Without a sample, or with none that is a number, there is no family. The same holds below.
    pub(crate) fn gauge<L: EncodeLabelSet, N: Number>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let about = (name, help, MetricType::Gauge);
        self.family(about, samples, |mut series, value| {
            series.encode_gauge(&value)
        })
    }

    pub(crate) fn counter<L: EncodeLabelSet, N: Number>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, N)>,
    ) -> fmt::Result {
        let about = (name, help, MetricType::Counter);
        self.family(about, samples, |mut series, value| {
            series.encode_counter::<Words<0>, _, f64>(&value, None)
        })
    }

    /// A gauge without labels.
    pub(crate) fn single<N: Number>(
        &mut self,
        name: &str,
        help: &str,
        value: Option<N>,
    ) -> fmt::Result {
        self.gauge(name, help, value.map(|value| (NO_LABELS, value)))
    }

    /// A counter without labels.
    pub(crate) fn total<N: Number>(
        &mut self,
        name: &str,
        help: &str,
        value: Option<N>,
    ) -> fmt::Result {
        self.counter(name, help, value.map(|value| (NO_LABELS, value)))
    }

    /// Label sets as a metric.
    pub(crate) fn info<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        label_sets: impl IntoIterator<Item = L>,
    ) -> fmt::Result {
        let samples = label_sets.into_iter().map(|labels| (labels, 1));
        let about = (name, help, MetricType::Info);
        self.family(about, samples, |mut series, _: u64| {
            series.encode_info(&NO_LABELS)
        })
    }

    fn family<L: EncodeLabelSet, N: Number>(
        &mut self,
        (exported, help, kind): (&str, &str, MetricType),
        samples: impl IntoIterator<Item = (L, N)>,
        encode: impl Fn(MetricEncoder<'_>, N) -> fmt::Result,
    ) -> fmt::Result {
        let samples = samples.into_iter();
        let mut samples = samples.filter(|(_, value)| value.is_finite()).peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let (name, unit) = split(exported);
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        samples.try_for_each(|(labels, value)| encode(family.encode_family(&labels)?, value))
    }
}

const NO_LABELS: Words<0> = [];

/// A sample for each of `all`: 1 for the one that `is`, and 0 for the others.
pub(crate) fn one_hot<T: Copy + PartialEq, const N: usize>(
    label: &'static str,
    all: [T; N],
    name: fn(T) -> &'static str,
    is: impl Into<Option<T>>,
) -> [(Words<1>, u64); N] {
    let is = is.into();
    all.map(|it| ([(label, name(it))], flag(is == Some(it))))
}

/// A sample for each value of a label.
pub(crate) fn labelled<V, const N: usize>(
    label: &'static str,
    values: [(&'static str, V); N],
) -> [(Words<1>, V); N] {
    values.map(|(name, value)| ([(label, name)], value))
}

pub(crate) fn flag(is_true: bool) -> u64 {
    u64::from(is_true)
}

#[cfg(test)]
mod tests {
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::{prometheus_text, text};

    use super::*;
    use crate::registry::Registry;

    #[derive(Debug)]
    struct Sample;

    impl Collector for Sample {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let mut families = Families(encoder);
            families.total("a_seconds_total", "Time.", Some(1.5))?;
            families.info("b_info", "Build.", [[("x", "y")]])?;
            families.single("d", "Gauge.", Some(4))?;
            families.gauge(
                "f",
                "Number or not.",
                [([("x", "a")], f64::NAN), ([("x", "b")], 1e300)],
            )?;
            families.single("e", "None.", Some(f64::NAN))
        }
    }

    #[test]
    fn every_type_gets_the_names_of_its_format() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Sample));
        let (mut open, mut classic) = (String::new(), String::new());
        assert!(text::encode(&mut open, &registry).is_ok());
        assert!(prometheus_text::encode(&mut classic, &registry).is_ok());
        assert_eq!(
            open,
            "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1.5\n\
             # HELP b Build.\n# TYPE b info\nb_info{x=\"y\"} 1\n\
             # HELP d Gauge.\n# TYPE d gauge\nd 4\n\
             # HELP f Number or not.\n# TYPE f gauge\nf{x=\"b\"} 1e300\n# EOF\n"
        );
        assert_eq!(
            classic,
            "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total 1.5\n\
             # HELP b_info Build.\n# TYPE b_info gauge\nb_info{x=\"y\"} 1\n\
             # HELP d Gauge.\n# TYPE d gauge\nd 4\n\
             # HELP f Number or not.\n# TYPE f gauge\nf{x=\"b\"} 1e300\n"
        );
    }
}
