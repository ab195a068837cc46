//! What was probably meant by a value that isn't accepted, in addition to what is.

use std::ops::RangeInclusive;

use serde_json::Value;
use ureq::http::Uri;

/// The number at the beginning of a text such as `78 °C`, `"78"` or `48%`, and what follows it.
fn number(value: &Value) -> Option<(f64, &str)> {
    match value {
        Value::Number(number) => Some((number.as_f64()?, "")),
        Value::String(text) => {
            let digits = |c: char| c.is_ascii_digit() || c == '.';
            let end = text.find(|c| !digits(c)).unwrap_or(text.len());
            let (number, unit) = text.split_at_checked(end)?;
            Some((number.parse().ok()?, unit.trim()))
        }
        _ => None,
    }
}

/// `; write 78, without quotes or a unit`, or the same temperature in °C.
pub(super) fn degrees(value: &Value, range: &RangeInclusive<f64>) -> String {
    let Some((number, unit)) = number(value) else {
        return String::new();
    };
    let celsius = (number - 32.0) / 1.8;
    let fahrenheit = matches!(unit.trim_start_matches('°'), "F" | "f");
    if range.contains(&number) && !fahrenheit && value.is_string() {
        format!("; write {number}, without quotes or a unit")
    } else if range.contains(&celsius) && (fahrenheit || !range.contains(&number)) {
        format!("; {number} °F are {celsius:.0} °C")
    } else {
        String::new()
    }
}

/// `; 48 % are 0.48`.
pub(super) fn share(value: &Value) -> String {
    match number(value) {
        Some((percent, "" | "%")) if percent > 1.0 && percent <= 100.0 => {
            format!("; {percent} % are {}", percent / 100.0)
        }
        _ => String::new(),
    }
}

/// An example for each section, without the indexes of lists in its path. Each is a good configuration.
pub(crate) const SECTIONS: [(&str, &str); 19] = [
    ("thresholds", "{ alert: 78, critical: 85, safe: 72 }"),
    ("policy", "{ recovery_delay: 60s }"),
    ("actuators", "{ fan: { enabled: true } }"),
    ("actuators.power_limit", "{ enabled: false }"),
    ("actuators.gpu_clock", "{ enabled: false }"),
    ("actuators.memory_clock", "{ enabled: true }"),
    ("actuators.fan", "{ enabled: true }"),
    ("hook", "{ lease: 30s }"),
    ("hook.severity_map", "{ critical: emergency }"),
    ("node", "{ names: [gpu1] }"),
    ("notify", "{ url: https://ntfy.sh/our-gpus, format: ntfy }"),
    ("alertmanager", "{ url: http://alertmanager:9093 }"),
    (
        "alertmanager.basic_auth",
        "{ username: guard, password_file: /etc/thermal-guard/password }",
    ),
    (
        "sensors",
        "{ name: driver, file: /run/gpu-temperature, unit: celsius, critical: 85 }",
    ),
    (
        "apps",
        "{ name: medgemma, http: { url: \"http://127.0.0.1:7860/mode/{mode}\" } }",
    ),
    (
        "apps.env_file",
        "{ path: /srv/app/runtime_config.env, key: reduced_batch_size, normal: 4, gradual: 1 }",
    ),
    (
        "apps.http",
        "{ url: \"http://127.0.0.1:7860/api/thermal_mode?mode={mode}\" }",
    ),
    (
        "apps.http.modes",
        "{ normal: normal, gradual: eco, emergency: eco }",
    ),
    (
        "apps.http.bodies",
        "{ normal: { eco: false }, gradual: { eco: true } }",
    ),
];

/// What a section is, by an example: people write a value of it in its place.
pub(super) fn section(path: &str) -> String {
    match example(path) {
        Some(example) if path == "thresholds" => {
            format!("auto, before_firmware, or {example}; for one number: {{ alert: 78 }}")
        }
        Some(example) => format!("a mapping, such as {example}"),
        None => "a mapping".to_owned(),
    }
}

/// The same of a list of them.
pub(super) fn sections(path: &str) -> String {
    match example(path) {
        Some(example) => format!("a list of mappings, such as [{example}]"),
        None => "a list of mappings".to_owned(),
    }
}

fn example(path: &str) -> Option<&'static str> {
    let names = path.split('.');
    let names = names.map(|part| part.split_once('[').map_or(part, |(name, _)| name));
    let place = names.collect::<Vec<_>>().join(".");
    let known = SECTIONS.iter().find(|(known, _)| *known == place)?;
    Some(known.1)
}

/// `: write http:// in front`, if that would make it a URL.
pub(super) fn scheme(text: &str) -> &'static str {
    let is_whole = text.contains("://") || text.starts_with('/');
    let whole = format!("http://{text}").parse::<Uri>();
    match whole.ok().as_ref().and_then(Uri::host) {
        Some(host) if !is_whole && !host.is_empty() => ": write http:// in front",
        _ => "",
    }
}

/// Keys that people look for in the file and that are flags.
pub(super) fn flag(key: &str) -> Option<&'static str> {
    Some(match key {
        "web" | "port" | "listen" | "listen_address" | "address" => "--web.listen-address",
        "tls" | "basic_auth" | "web_config" | "tls_server_config" => "--web.config.file",
        "log" | "log_level" | "logging" => "--log.level",
        "state_dir" | "state" => "--state.dir",
        "lock_dir" => "--lock.dir",
        "simulate" => "--simulate",
        "dry_run" | "dry-run" => "--dry-run",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_temperature_with_its_unit_or_in_fahrenheit_is_understood() {
        let said = |value| degrees(&value, &(20.0..=110.0));
        for (value, hint) in [
            (json!(172), "; 172 °F are 78 °C"),
            (json!("172 °F"), "; 172 °F are 78 °C"),
            (json!("100F"), "; 100 °F are 38 °C"),
            (json!("78"), "; write 78, without quotes or a unit"),
            (json!("78 °C"), "; write 78, without quotes or a unit"),
            (json!("78C"), "; write 78, without quotes or a unit"),
            (json!(5), ""),
            (json!(1000), ""),
            (json!("hot"), ""),
            (json!(null), ""),
        ] {
            assert_eq!(said(value.clone()), hint, "{value}");
        }
    }

    #[test]
    fn a_share_in_per_cent_is_understood() {
        for (value, hint) in [
            (json!(48), "; 48 % are 0.48"),
            (json!("48%"), "; 48 % are 0.48"),
            (json!("48 %"), "; 48 % are 0.48"),
            (json!(0), ""),
            (json!(101), ""),
            (json!("48 W"), ""),
        ] {
            assert_eq!(share(&value), hint, "{value}");
        }
    }
}
