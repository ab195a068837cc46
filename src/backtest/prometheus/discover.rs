//! Finds the GPUs of a period, and which exporter tells of each.

use std::collections::BTreeMap;

use super::answer::Answered;
use super::client::{Client, QueryError};
use super::family::{FAMILIES, Family};

/// One GPU, and how its series are found.
#[derive(Clone, Debug)]
pub struct GpuSeries {
    pub key: String,
    pub host: Option<String>,
    pub index: Option<String>,
    pub model: Option<String>,
    pub(super) family: &'static Family,
    /// The label and value that select it, perhaps with others of its host.
    pub(super) label: &'static str,
    pub(super) value: String,
}

/// The GPUs of a period.
#[derive(Debug, Default)]
pub struct Found {
    pub gpus: Vec<GpuSeries>,
    /// What the server said beside its answer.
    pub warnings: Vec<String>,
}

impl GpuSeries {
    pub fn exporter(&self) -> &'static str {
        self.family.name
    }

    pub fn how_to_see_slowdown(&self) -> &'static str {
        self.family.how_to_see_slowdown
    }
}

/// `matching`: further matchers, such as `cluster="a"`.
pub fn discover(
    client: &mut Client,
    between: (f64, f64),
    matching: &str,
) -> Result<Found, QueryError> {
    let matches: Vec<String> = FAMILIES
        .iter()
        .map(|family| selector(family.temperature(), &["", matching]))
        .collect();
    let mut gpus: BTreeMap<(String, &'static str), GpuSeries> = BTreeMap::new();
    let aside = client.patiently(|client| {
        client.series(&matches, between, |answered| {
            if let Some(gpu) = gpu(answered) {
                let key = (gpu.key.clone(), gpu.family.name);
                gpus.entry(key).or_insert(gpu);
            }
        })
    })?;
    let mut best: BTreeMap<String, GpuSeries> = BTreeMap::new();
    for family in &FAMILIES {
        let its = gpus.values().filter(|gpu| gpu.family.name == family.name);
        for gpu in its {
            best.entry(gpu.key.clone()).or_insert_with(|| gpu.clone());
        }
    }
    let mut gpus: Vec<GpuSeries> = best.into_values().collect();
    gpus.sort_by(|a, b| place(a).cmp(&place(b)));
    Ok(Found {
        gpus,
        warnings: aside.warnings,
    })
}

fn place(gpu: &GpuSeries) -> (&str, Option<u32>, &str) {
    let index = gpu.index.as_ref().and_then(|it| it.parse().ok());
    (gpu.host.as_deref().unwrap_or_default(), index, &gpu.key)
}

/// `name{one,other}`, without the empty ones.
pub(super) fn selector(name: &str, matchers: &[&str]) -> String {
    let there = matchers.iter().filter(|it| !it.is_empty());
    let joined: Vec<&str> = there.copied().collect();
    format!("{name}{{{}}}", joined.join(","))
}

fn gpu(answered: &Answered) -> Option<GpuSeries> {
    let family = Family::of_temperature(answered.label("__name__")?)?;
    let (label, value, key) = identity(answered, family)?;
    let text = |name: &str| answered.label(name).map(str::to_owned);
    let host = family.host.iter().find_map(|name| text(name));
    Some(GpuSeries {
        key,
        host: host.map(|host| without_port(&host)),
        index: text("gpu").or_else(|| text("index")),
        model: text("modelName").or_else(|| text("name")),
        family,
        label,
        value,
    })
}

/// The label that selects a series' GPU, its value, and the GPU's key.
pub(super) fn identity(
    answered: &Answered,
    family: &Family,
) -> Option<(&'static str, String, String)> {
    let by_uuid = family.uuid.iter().find_map(|name| {
        let uuid = answered.label(name)?;
        (!uuid.is_empty()).then(|| (*name, uuid.to_owned(), uuid.to_owned()))
    });
    by_uuid.or_else(|| {
        let host = |name: &&'static str| Some((*name, answered.label(name)?.to_owned()));
        let (name, host) = family.host.iter().find_map(host)?;
        let index = answered.label("gpu").unwrap_or_default();
        let key = format!("{host}/{index}");
        Some((name, host, key))
    })
}

fn without_port(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) && !name.contains(':') => {
            name.to_owned()
        }
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)]) -> Answered {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Answered {
            labels: labels.iter().map(owned).collect(),
            ..Answered::default()
        }
    }

    #[test]
    fn a_gpu_is_known_by_its_uuid_or_by_host_and_index() {
        let dcgm = gpu(&series(&[
            ("__name__", "DCGM_FI_DEV_GPU_TEMP"),
            ("Hostname", "node-7"),
            ("UUID", "GPU-1"),
            ("gpu", "3"),
            ("modelName", "NVIDIA H100"),
            ("pod", "train"),
        ]));
        let dcgm = dcgm.unwrap();
        assert_eq!((dcgm.key.as_str(), dcgm.label), ("GPU-1", "UUID"));
        assert_eq!(dcgm.host.as_deref(), Some("node-7"));
        let bare = gpu(&series(&[
            ("__name__", "DCGM_FI_DEV_GPU_TEMP"),
            ("instance", "node-8:9400"),
            ("gpu", "0"),
        ]));
        let bare = bare.unwrap();
        assert_eq!(
            (bare.key.as_str(), bare.label),
            ("node-8:9400/0", "instance")
        );
        assert_eq!(bare.host.as_deref(), Some("node-8"));
        assert!(gpu(&series(&[("__name__", "up"), ("instance", "x")])).is_none());
    }

    #[test]
    fn matchers_are_joined() {
        assert_eq!(selector("a", &["", "x=\"1\""]), "a{x=\"1\"}");
        assert_eq!(selector("a", &["", ""]), "a{}");
    }
}
