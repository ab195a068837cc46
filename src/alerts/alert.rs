//! One alert as Alertmanager writes it in JSON, the same in a webhook and in its API.
//!
//! Read by hand from a JSON tree, so that a broken alert is lost alone, and so that no error repeats
//! bytes from outside. Unknown fields are ignored: newer versions add some.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::alerts::target::labels::Labels;

/// One alert, without its status: webhook and API write that in different ways.
#[derive(Debug)]
pub(crate) struct Alert {
    pub(crate) labels: Labels,
    pub(crate) fingerprint: u64,
    /// Since the Unix epoch. Zero if missing: then a firing alert is never too old, and a resolved one
    /// is too old to end anything.
    pub(crate) starts_at: Duration,
    /// On heartbeats: when the rule was evaluated.
    pub(crate) eval_ts: Option<f64>,
}

impl Alert {
    /// `None`: a required field is missing or can't be read.
    pub(crate) fn read(alert: &Value) -> Option<Self> {
        let text = |field: &str| alert.get(field).and_then(Value::as_str);
        let all = alert.get("labels")?.as_object()?;
        let fingerprint = text("fingerprint").and_then(sixteen_hex);
        let eval_ts = alert.get("annotations").and_then(|all| all.get("eval_ts"));
        Some(Self {
            fingerprint: fingerprint.unwrap_or_else(|| hash(all)),
            starts_at: text("startsAt").and_then(since_epoch).unwrap_or_default(),
            eval_ts: eval_ts.and_then(Value::as_str).and_then(evaluated),
            labels: Labels::read(all)?,
        })
    }
}

impl Alert {
    /// As the log tells of it.
    pub(crate) fn told(&self) -> String {
        told(self.labels.name(), self.fingerprint)
    }
}

/// The alert's name, and its fingerprint as Alertmanager prints it, so that it can be found there. The
/// sender chose the name.
pub(super) fn told(name: &str, fingerprint: u64) -> String {
    /// Of a name, characters.
    const SHOWN: usize = 64;
    let name = name.chars().filter(|c| !c.is_control()).take(SHOWN);
    format!("{} ({fingerprint:016x})", name.collect::<String>())
        .trim_start()
        .to_owned()
}

fn sixteen_hex(text: &str) -> Option<u64> {
    let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(text, 16).ok())?
}

/// Alertmanager's own fingerprint: FNV-1a over all names and values in order, each followed by 0xff.
fn hash(labels: &Map<String, Value>) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let texts = labels
        .iter()
        .flat_map(|(name, value)| [name.as_str(), value.as_str().unwrap_or_default()]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xff]));
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

/// A time that a sane clock can show. After infinity no evaluation would ever count as newer.
fn evaluated(text: &str) -> Option<f64> {
    let year_5138 = 1e11;
    let seconds = text.trim().parse::<f64>().ok()?;
    (0.0..year_5138).contains(&seconds).then_some(seconds)
}

/// RFC 3339, since the Unix epoch. Prometheus writes UTC; other clients of Alertmanager's API may write
/// an offset.
pub(crate) fn since_epoch(text: &str) -> Option<Duration> {
    let utc = |text: &str| {
        let time = humantime::parse_rfc3339(text).ok()?;
        time.duration_since(UNIX_EPOCH).ok()
    };
    if text.ends_with('Z') {
        return utc(text);
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let minutes = hours.parse::<u64>().ok()? * 60 + minutes.parse::<u64>().ok()?;
    let (local, ahead) = (
        utc(&format!("{local}Z"))?,
        Duration::from_secs(minutes * 60),
    );
    match offset.get(..1) {
        Some("+") => local.checked_sub(ahead),
        Some("-") => local.checked_add(ahead),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_the_same_moment_in_every_time_zone() {
        let utc = since_epoch("2026-11-23T08:06:41.752Z");
        assert!(utc.is_some());
        assert_eq!(since_epoch("2026-11-23T10:06:41.752+02:00"), utc);
        assert_eq!(since_epoch("2026-11-23T03:36:41.752-04:30"), utc);
        for nonsense in [
            "",
            "Z",
            "0001-01-01T00:00:00Z",
            "2026-11-23T10:06:41.752*02:00",
            "2026-11-23",
            "ééé:00",
            "1970-01-01T00:00:00+02:00",
        ] {
            assert_eq!(since_epoch(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_missing_fingerprint_is_computed_as_alertmanager_does() {
        let labels = serde_json::json!({"alertname": "H", "instance": "x"});
        assert_eq!(hash(labels.as_object().unwrap()), 0xa638_e8a7_6d1e_b14b);
    }

    #[test]
    fn an_evaluation_time_is_a_time() {
        assert_eq!(evaluated("1795421657.013"), Some(1_795_421_657.013));
        for nonsense in ["inf", "NaN", "-1", "1e300", "", "soon"] {
            assert_eq!(evaluated(nonsense), None, "{nonsense}");
        }
    }
}
