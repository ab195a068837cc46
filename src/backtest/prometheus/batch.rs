//! Gets the samples of a few GPUs, a piece of the period at a time. A piece that the server finds too large
//! is asked for in smaller ones; one that never comes is a gap.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::backtest::history::{History, Told};

use super::answer::Answered;
use super::client::{Client, QueryError};
use super::discover::{GpuSeries, identity, selector};
use super::family::{Fact, Family, Metric};
use super::fold::Folding;
use super::plan::{Fetched, Gap, Plan};

/// Samples of one request: a few megabytes of text.
const PIECE_SAMPLES: f64 = 250_000.0;
/// Values that most exporters tell of a GPU.
const USUAL_SERIES: f64 = 4.0;
const SHORTEST_PIECE: f64 = 600.0;
/// A server may refuse longer ones.
const LONGEST_PIECE: f64 = 7.0 * 86_400.0;
/// Pieces in a row that may be missing: the server is gone.
const MOST_IN_VAIN: u32 = 12;

/// A few GPUs of one exporter.
pub(super) struct Batch<'a> {
    pub(super) client: &'a mut Client,
    pub(super) plan: &'a Plan,
    pub(super) gpus: &'a [GpuSeries],
    pub(super) interval: f64,
    pub(super) fetched: &'a mut Fetched,
}

impl Batch<'_> {
    pub(super) fn run(&mut self) -> Result<Vec<History>, QueryError> {
        let start_ms = milliseconds(self.plan.start);
        let begun = |gpu: &GpuSeries| {
            let history = History {
                key: gpu.key.clone(),
                host: gpu.host.clone(),
                index: gpu.index.clone(),
                model: gpu.model.clone(),
                ..History::default()
            };
            (gpu.key.clone(), Folding::new(history, start_ms))
        };
        let mut foldings: BTreeMap<String, Folding> = self.gpus.iter().map(begun).collect();
        let series = self.gpus.len() as f64 * USUAL_SERIES;
        let usual = PIECE_SAMPLES / series * self.interval;
        // The length of the next piece, and the longest that the server may take.
        let mut most = usual.clamp(SHORTEST_PIECE, LONGEST_PIECE);
        let mut length = most;
        let mut in_vain = 0;
        let mut at = self.plan.start;
        while at < self.plan.end {
            let end = (at + length).min(self.plan.end);
            match self.piece(&mut foldings, at, end) {
                Ok(()) => {
                    at = end;
                    in_vain = 0;
                    length = (length * 2.0).min(most);
                }
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) if length > SHORTEST_PIECE => {
                    length = (length / 4.0).max(SHORTEST_PIECE);
                    if matches!(error, QueryError::Rejected { .. }) {
                        most = length;
                    }
                    continue;
                }
                Err(error) if in_vain == MOST_IN_VAIN => return Err(error),
                Err(error) => {
                    in_vain += 1;
                    self.gap(at, end, &error);
                    at = end;
                }
            }
            for folding in foldings.values_mut() {
                folding.close(self.interval);
            }
        }
        self.facts(&mut foldings)?;
        self.fetched.samples += foldings.values().map(|it| it.samples).sum::<u64>();
        let mut histories = Vec::new();
        for gpu in self.gpus {
            histories.extend(foldings.remove(&gpu.key).map(Folding::finish));
        }
        Ok(histories)
    }

    /// A piece that can't be had, even in small.
    fn gap(&mut self, start: f64, end: f64, error: &QueryError) {
        let why = error.to_string();
        match self.fetched.gaps.last_mut() {
            Some(last) if last.why == why && (last.end - start).abs() < 1.0 => last.end = end,
            _ => self.fetched.gaps.push(Gap {
                start,
                end,
                gpus: self.gpus.len(),
                why,
            }),
        }
    }

    /// One piece of the period. Nothing of it is kept unless all of it came.
    fn piece(
        &mut self,
        foldings: &mut BTreeMap<String, Folding>,
        start: f64,
        end: f64,
    ) -> Result<(), QueryError> {
        let family = self.gpus[0].family;
        let seconds = milliseconds(end - start);
        let within = milliseconds(start)..=milliseconds(end);
        let mut whole: Vec<Answered> = Vec::new();
        for selector in self.selectors(family) {
            let query = format!("{selector}[{seconds}ms]");
            let mut part = self.patiently(&query, end)?;
            whole.append(&mut part);
        }
        for mut answered in whole {
            // Others aren't asked for. One from far ahead would end the history.
            answered.samples.retain(|(at, _)| within.contains(at));
            let Some(metric) = answered.label("__name__").and_then(|it| family.meaning(it)) else {
                continue;
            };
            let Some((_, _, key)) = identity(&answered, family) else {
                continue;
            };
            let Some(folding) = foldings.get_mut(&key) else {
                continue;
            };
            let reason = answered.label("reason").or(answered.label("level"));
            let which = format!("{}/{}", metric.name, reason.unwrap_or_default());
            folding.add(metric.means, &which, &answered.samples, metric.factor);
        }
        Ok(())
    }

    fn patiently(&mut self, query: &str, at: f64) -> Result<Vec<Answered>, QueryError> {
        let mut found = Vec::new();
        let aside = self.client.patiently(|client| {
            found.clear();
            client.query(query, at, |answered| found.push(std::mem::take(answered)))
        })?;
        self.warn(aside.warnings);
        Ok(found)
    }

    fn warn(&mut self, warnings: Vec<String>) {
        const MOST: usize = 10;
        for warning in warnings {
            let known = &mut self.fetched.warnings;
            if known.len() < MOST && !known.contains(&warning) {
                known.push(warning);
            }
        }
    }

    /// Plain metrics in one request, and those of which only some series are wanted in one each.
    fn selectors(&self, family: &Family) -> Vec<String> {
        let gpus = self.matcher();
        let plain = family.samples.iter().filter(|it| it.only.is_empty());
        let names: Vec<&str> = plain.map(|it| it.name).collect();
        let by_name = format!("__name__=~\"{}\"", names.join("|"));
        let matching = self.plan.matching.as_str();
        let mut selectors = vec![selector("", &[&by_name, &gpus, matching])];
        for metric in family.samples.iter().filter(|it| !it.only.is_empty()) {
            selectors.push(selector(metric.name, &[metric.only, &gpus, matching]));
        }
        selectors
    }

    /// The batch's GPUs.
    fn matcher(&self) -> String {
        let mut values: Vec<String> = self.gpus.iter().map(|gpu| quoted(&gpu.value)).collect();
        values.sort();
        values.dedup();
        format!("{}=~\"{}\"", self.gpus[0].label, values.join("|"))
    }

    /// The last value of each fact within the period's last day, or at all.
    fn facts(&mut self, foldings: &mut BTreeMap<String, Folding>) -> Result<(), QueryError> {
        let family = self.gpus[0].family;
        let days = ((self.plan.end - self.plan.start) / 86_400.0).clamp(1.0 / 24.0, 30.0);
        let window = milliseconds(days * 86_400.0);
        let gpus = self.matcher();
        for metric in family.facts {
            let matching = self.plan.matching.as_str();
            let selector = selector(metric.name, &[metric.only, &gpus, matching]);
            let query = format!("last_over_time({selector}[{window}ms])");
            let answers = match self.patiently(&query, self.plan.end) {
                Ok(answers) => answers,
                Err(error) if error.may_pass() => {
                    let name = metric.name;
                    self.warn(vec![format!("{name} can't be had: {error}")]);
                    continue;
                }
                Err(error) => return Err(error),
            };
            for answered in answers {
                let key = identity(&answered, family).map(|(_, _, key)| key);
                if let Some(folding) = key.and_then(|key| foldings.get_mut(&key)) {
                    learn(&mut folding.history, metric, &answered);
                }
            }
        }
        Ok(())
    }
}

fn learn(history: &mut History, metric: &Metric<Fact>, answered: &Answered) {
    let value = answered
        .samples
        .last()
        .map(|(_, value)| value * metric.factor);
    let value = value.filter(|it| it.is_finite() && *it > 0.0 && *it < 10_000.0);
    let Told {
        default_limit_watts,
        min_limit_watts,
        max_operating_celsius,
        alert_celsius,
        critical_celsius,
        ..
    } = &mut history.told;
    match metric.means {
        Fact::DefaultLimit => *default_limit_watts = value,
        Fact::MinLimit => *min_limit_watts = value,
        Fact::MaxOperating => *max_operating_celsius = value,
        Fact::Slowdown => *max_operating_celsius = max_operating_celsius.or(value),
        Fact::Alert => *alert_celsius = value,
        Fact::Critical => *critical_celsius = value,
        Fact::Model => {
            let name = answered.label("name").map(str::to_owned);
            history.model = history.model.take().or(name);
            let index = answered.label("index").map(str::to_owned);
            history.index = history.index.take().or(index);
        }
    }
}

/// For a regular expression between double quotes.
fn quoted(value: &str) -> String {
    let mut quoted = String::new();
    for letter in value.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\\\\\"),
            '\n' => quoted.push_str("\\n"),
            _ if letter.is_ascii_alphanumeric()
                || "-_:/ ".contains(letter)
                || !letter.is_ascii() =>
            {
                quoted.push(letter);
            }
            _ => {
                let _ = write!(quoted, "\\\\{letter}");
            }
        }
    }
    quoted
}

#[expect(clippy::cast_possible_truncation, reason = "times of this century")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_value_is_quoted_for_the_query() {
        assert_eq!(quoted("GPU-1a-2b"), "GPU-1a-2b");
        assert_eq!(quoted("node.a"), "node\\\\.a");
        assert_eq!(quoted("a\"}[1d]"), "a\\\"\\\\}\\\\[1d\\\\]");
        assert_eq!(quoted("a|b"), "a\\\\|b");
    }
}
