//! Writing metric families. Const metrics, made anew when they have changed: what vanished is gone,
//! and a family is written in one piece, as both formats want it.
//!
//! Labelled as the other, either format breaks a scrape: classic has no `info`, no `# UNIT` and no
//! `# EOF`, and names a counter's family as its samples. The text is written here and not by a
//! client library, because a library keeps the metrics that it writes, and ours are views of ticks;
//! to hand it a thousand const metrics took ten times as long as all else of a guard.

use std::fmt::{self, Write as _};

use crate::web::snapshot::DurationHistogram;

use super::Format;
use super::labels::{LabelSet, Labels};

/// Units as metric names end in them; OpenMetrics wants them said apart as well.
const UNITS: [&str; 8] = [
    "bytes", "celsius", "hertz", "joules", "ratio", "rpm", "seconds", "watts",
];

/// Some families of one scrape.
pub(super) struct Families<'t> {
    text: &'t mut String,
    format: Format,
}

impl<'t> Families<'t> {
    pub(super) fn new(text: &'t mut String, format: Format) -> Self {
        Self { text, format }
    }

    /// A gauge. Without a sample, or with none that is a number, there is no family.
    pub(super) fn gauge<L: LabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        self.family((name, help, "gauge"), samples)
    }

    /// A counter, by its full name.
    pub(super) fn counter<L: LabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        self.family((name, help, "counter"), samples)
    }

    /// One gauge without labels.
    pub(super) fn single(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        self.gauge(name, help, value.map(|value| (Labels::new(), value)))
    }

    /// A label set as a metric, by its full name.
    pub(super) fn info<L: LabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = L>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|labels| (labels, 1.0));
        self.family((name, help, "info"), samples)
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
        self.describe((name, help, "histogram"))?;
        let count: u64 = seconds.buckets.iter().map(|(_, count)| count).sum();
        writeln!(self.text, "{name}_sum {:?}", seconds.sum_seconds)?;
        writeln!(self.text, "{name}_count {count}")?;
        let mut up_to = 0;
        for (bound, count) in &seconds.buckets {
            up_to += count;
            if bound.is_finite() {
                writeln!(self.text, "{name}_bucket{{le=\"{bound:?}\"}} {up_to}")?;
            } else {
                writeln!(self.text, "{name}_bucket{{le=\"+Inf\"}} {up_to}")?;
            }
        }
        Ok(())
    }

    fn family<L: LabelSet>(
        &mut self,
        about: (&str, &str, &str),
        samples: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut samples = samples
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        self.describe(about)?;
        samples.try_for_each(|(labels, value)| self.sample(about.0, &labels, value))
    }

    fn describe(&mut self, (name, help, kind): (&str, &str, &str)) -> fmt::Result {
        let text = &mut *self.text;
        match self.format {
            Format::Classic => {
                let kind = if kind == "info" { "gauge" } else { kind };
                writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
            }
            Format::OpenMetrics => {
                let suffix = match kind {
                    "counter" => "_total",
                    "info" => "_info",
                    _ => "",
                };
                let family = name.strip_suffix(suffix).unwrap_or(name);
                writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}")?;
                match unit(family) {
                    Some(unit) => writeln!(text, "# UNIT {family} {unit}"),
                    None => Ok(()),
                }
            }
        }
    }

    fn sample(&mut self, name: &str, labels: &impl LabelSet, value: f64) -> fmt::Result {
        let text = &mut *self.text;
        text.push_str(name);
        let before = text.len();
        text.push('{');
        labels.write(text)?;
        if text.len() == before + 1 {
            text.truncate(before);
        } else {
            text.push('}');
        }
        // A number as people write it: 1, not 1.0.
        match whole(value) {
            Some(whole) => writeln!(text, " {whole}"),
            None => writeln!(text, " {value:?}"),
        }
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

fn unit(family: &str) -> Option<&str> {
    let (_, last) = family.rsplit_once('_')?;
    UNITS.contains(&last).then_some(last)
}

/// Beyond, an f64 has no exact integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_gets_the_names_of_its_format() {
        let table = [
            (
                Format::OpenMetrics,
                "# HELP a_seconds Time\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n\
                 # HELP b Build\n# TYPE b info\nb_info{x=\"y\"} 1\n\
                 # HELP d Gauge\n# TYPE d gauge\nd 4.5\n",
            ),
            (
                Format::Classic,
                "# HELP a_seconds_total Time\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
                 # HELP b_info Build\n# TYPE b_info gauge\nb_info{x=\"y\"} 1\n\
                 # HELP d Gauge\n# TYPE d gauge\nd 4.5\n",
            ),
        ];
        for (format, expected) in table {
            let mut text = String::new();
            let mut families = Families::new(&mut text, format);
            let one = [(Labels::new(), 1.0)];
            assert!(families.counter("a_seconds_total", "Time", one).is_ok());
            let labels = [[("x", "y".into())]];
            assert!(families.info("b_info", "Build", labels).is_ok());
            assert!(families.single("d", "Gauge", Some(4.5)).is_ok());
            assert!(families.single("e", "None", Some(f64::NAN)).is_ok());
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn numbers_are_exact_and_short() {
        let written = |value| {
            let mut text = String::new();
            let mut families = Families::new(&mut text, Format::Classic);
            assert!(families.sample("x", &Labels::new(), value).is_ok());
            text
        };
        let table = [
            (0.0, "x 0\n"),
            (-1.0, "x -1\n"),
            (0.1, "x 0.1\n"),
            (1_790_000_000.125, "x 1790000000.125\n"),
            (9_007_199_254_740_991.0, "x 9007199254740991\n"),
            (1e300, "x 1e300\n"),
            (0.000_001_5, "x 1.5e-6\n"),
        ];
        for (value, expected) in table {
            assert_eq!(written(value), expected);
        }
    }
}
