//! Cuts a long alert down to the fields that are read. A command line among its labels may have more
//! bytes than everything else that Alertmanager lists; the guard must not lose the alert for that.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Map, Value};

use crate::alerts::alert::Alert;
use crate::alerts::target::labels::Labels;

/// Bytes of a kept value: more than a label may have that the guard reads, with each letter escaped.
const MAX_VALUE: usize = 8 * 1024;

/// The fields beside the labels, with the members that are kept of each.
const FIELDS: [(&str, &[&str]); 4] = [
    ("status", &["state"]),
    ("annotations", &["eval_ts"]),
    ("startsAt", &[]),
    ("fingerprint", &[]),
];

/// `None`: not a JSON object, or no fingerprint, which only the full set of labels could replace.
pub(crate) fn alert(text: &str) -> Option<Value> {
    let fields = FIELDS.map(|(name, _)| name);
    let wanted: Vec<_> = fields.into_iter().chain(["labels"]).collect();
    let mut slim = Map::new();
    for (name, value) in members(text, &wanted)? {
        let within = FIELDS.iter().find(|(field, _)| *field == name);
        let value = match within {
            Some((_, [])) => short(value),
            Some((_, within)) => object(value, within),
            None => object(value, &Labels::names().collect::<Vec<_>>()),
        };
        slim.insert(name, value?);
    }
    let fingerprint = slim.get("fingerprint").and_then(Value::as_str);
    let is_one = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    fingerprint.is_some_and(is_one).then(|| slim.into())
}

/// For fuzzing: whether an alert means the same read whole and cut down, if both can be read.
pub(crate) fn agrees(text: &str) -> bool {
    let whole = serde_json::from_str(text).ok();
    let whole = whole.as_ref().and_then(Alert::read);
    let slim = alert(text).as_ref().and_then(Alert::read);
    match (whole, slim) {
        (Some(whole), Some(slim)) => format!("{whole:?}") == format!("{slim:?}"),
        _ => true,
    }
}

fn object(text: &RawValue, wanted: &[&str]) -> Option<Value> {
    let members = members(text.get(), wanted)?.into_iter();
    let kept = members.map(|(name, value)| Some((name, short(value)?)));
    kept.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// A value that is too long becomes a text that is too long, so that it is refused for its length.
fn short(value: &RawValue) -> Option<Value> {
    if value.get().len() > MAX_VALUE {
        return Some(" ".repeat(MAX_VALUE).into());
    }
    serde_json::from_str(value.get()).ok()
}

/// The wanted members of an object. If one is there twice, the last one counts.
fn members<'a>(text: &'a str, wanted: &[&str]) -> Option<Vec<(String, &'a RawValue)>> {
    struct Wanted<'w>(&'w [&'w str]);

    impl<'a> Visitor<'a> for Wanted<'_> {
        type Value = Vec<(String, &'a RawValue)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = Vec::new();
            while let Some(name) = map.next_key::<String>()? {
                if self.0.contains(&name.as_str()) {
                    found.retain(|(earlier, _)| *earlier != name);
                    found.push((name, map.next_value()?));
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }

    let mut json = Deserializer::from_str(text);
    let found = json.deserialize_map(Wanted(wanted)).ok()?;
    json.end().ok()?;
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde_json::json;

    #[test]
    fn the_fields_that_are_read_stay_and_no_others() {
        let all = json!({
            "labels": {"command": "x".repeat(400_000), "uuid": "GPU-\u{e9}\"", "guard_action": "gradual"},
            "annotations": {"eval_ts": "1", "description": "y".repeat(100_000)},
            "status": {"state": "active", "silencedBy": []},
            "startsAt": "2026-11-23T08:06:41.752Z", "endsAt": "", "generatorURL": "z",
            "fingerprint": "febc53a2d4c8b45d",
        });
        let slim = alert(&all.to_string());
        let expected = json!({
            "labels": {"uuid": "GPU-\u{e9}\"", "guard_action": "gradual"},
            "annotations": {"eval_ts": "1"},
            "status": {"state": "active"},
            "startsAt": "2026-11-23T08:06:41.752Z",
            "fingerprint": "febc53a2d4c8b45d",
        });
        assert_eq!(slim, Some(expected));
        let read = Alert::read(&slim.unwrap()).unwrap();
        assert_eq!(read.labels, Alert::read(&all).unwrap().labels);
    }

    #[test]
    fn a_label_that_is_too_long_stays_too_long() {
        let long =
            json!({"labels": {"uuid": "x".repeat(70_000)}, "fingerprint": "00000000000000bb"});
        let read = Alert::read(&alert(&long.to_string()).unwrap()).unwrap();
        assert!(read.labels.is_too_long("uuid"));
    }

    #[test]
    fn a_text_that_is_no_alert_is_none() {
        for text in [
            "",
            "[]",
            "7",
            "{\"labels\":{}}",
            "{\"fingerprint\":\"a\"",
            "{}{}",
        ] {
            assert_eq!(alert(text), None, "{text}");
        }
        let odd = alert(r#"{"fingerprint":"febc53a2d4c8b45d","labels":[1]}"#);
        assert_eq!(odd, None);
        let twice = r#"{"fingerprint":"a","fingerprint":"febc53a2d4c8b45d"}"#;
        let last = json!({"fingerprint": "febc53a2d4c8b45d"});
        assert_eq!(alert(twice), Some(last));
    }
}
