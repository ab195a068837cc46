//! `/metrics`, read as a Prometheus reads it.

#![allow(clippy::float_cmp, reason = "states are exactly 0 or 1")]

use std::collections::BTreeMap;

/// One scrape.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    series: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            series: lines.filter_map(series).collect(),
        }
    }

    /// The values of all series of that name that have these labels.
    pub(crate) fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let has = |own: &BTreeMap<String, String>| {
            let is = |(key, value): &(&str, &str)| own.get(*key).is_some_and(|own| own == value);
            labels.iter().all(is)
        };
        let fits = self
            .series
            .iter()
            .filter(|(own, has_labels, _)| own == name && has(has_labels));
        fits.map(|(_, _, value)| *value).collect()
    }

    /// Labels and value of each series of that name.
    pub(crate) fn series_of(
        &self,
        name: &str,
    ) -> impl Iterator<Item = (&BTreeMap<String, String>, f64)> {
        let fits = self.series.iter().filter(move |(own, _, _)| own == name);
        fits.map(|(_, labels, value)| (labels, *value))
    }

    /// The sum over all series of that name that have these labels; `None` if there is none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let all = self.all(name, labels);
        (!all.is_empty()).then(|| all.iter().sum())
    }

    /// The same of one GPU.
    pub(crate) fn of(&self, gpu: usize, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let index = gpu.to_string();
        let labels: Vec<_> = labels.iter().copied().chain([("gpu", &*index)]).collect();
        self.get(name, &labels)
    }

    pub(crate) fn state(&self, gpu: usize) -> Option<&str> {
        let index = gpu.to_string();
        let mut states = self.series.iter().filter(|(name, labels, value)| {
            name == "thermal_guard_state" && labels["gpu"] == index && *value == 1.0
        });
        states.next().map(|(_, labels, _)| &*labels["state"])
    }

    pub(crate) fn chain(&self) -> Option<&str> {
        let mut states = self
            .series
            .iter()
            .filter(|(name, _, value)| name == "thermal_guard_chain_state" && *value == 1.0);
        states.next().map(|(_, labels, _)| &*labels["state"])
    }

    /// How many throttles began on this GPU, by who brought them about.
    pub(crate) fn throttles(&self, gpu: usize, trigger: &str) -> f64 {
        let name = "thermal_guard_throttle_events_total";
        self.of(gpu, name, &[("trigger", trigger)]).unwrap_or(0.0)
    }
}

/// `name{key="value",…} number`; values here have no quotes and no `}` in them.
fn series(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let pairs = labels.trim_end_matches('}').split_terminator('"');
    let mut map = BTreeMap::new();
    let mut pairs = pairs.map(|text| text.trim_start_matches(',').trim_end_matches('='));
    while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
        map.insert(key.to_owned(), value.to_owned());
    }
    Some((name.to_owned(), map, value.parse().ok()?))
}
