//! The table of configuration keys. The test makes mistakes on purpose, and the reader's complaints name
//! the keys and their accepted values. The defaults come from the example file; another test compares
//! that with the code. Only the last column is written by hand, and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};
use thermal_guard::config::{Config, ConfigError};

use crate::{between, cells, derived};

const DOCUMENT: &str = "docs/configuration.md";

/// No key is called anything like it, so nothing is guessed.
const STRANGER: &str = "zzzzzzzzzzzz";

/// The reader's complaints about `value` at `path`; `[]` is the one entry of a list.
fn complaints(path: &str, value: Value) -> Vec<ConfigError> {
    let wrapped = path
        .rsplit('.')
        .fold(value, |inner, part| match part.strip_suffix("[]") {
            Some(list) => json!({ list: [inner] }),
            None => json!({ part: inner }),
        });
    let read = Config::from_yaml(&wrapped.to_string());
    read.map_or_else(|errors| errors.0, |_| Vec::new())
}

fn complaint(path: &str, value: Value, about: &str) -> Option<ConfigError> {
    let about = about.replace("[]", "[0]");
    let found = complaints(path, value);
    found.into_iter().find(|error| error.path == about)
}

/// The keys of a section, if `path` is one.
fn keys(path: &str) -> Option<Vec<String>> {
    let stranger = format!("{path}.{STRANGER}");
    let error = complaint(path, json!({ STRANGER: 1 }), &stranger)?;
    let known = (error.problem == "unknown key").then_some(error.accepted?)?;
    Some(known.split(", ").map(str::to_owned).collect())
}

/// Every key that has a value, with its path.
fn leaves(path: &str, into: &mut Vec<String>) {
    let list = format!("{path}[]");
    let sections = [path, list.as_str()];
    let section = sections.iter().find_map(|path| Some((*path, keys(path)?)));
    match section {
        Some((path, keys)) => keys
            .iter()
            .for_each(|key| leaves(&format!("{path}.{key}"), into)),
        None => into.push(path.to_owned()),
    }
}

fn top_level() -> Vec<String> {
    let error = Config::from_yaml(&json!({ STRANGER: 1 }).to_string()).unwrap_err();
    let known = error.0[0].accepted.clone().unwrap();
    known.split(", ").map(str::to_owned).collect()
}

fn all() -> Vec<String> {
    let mut paths = Vec::new();
    for key in top_level() {
        leaves(&key, &mut paths);
    }
    paths
}

/// Helm refuses what isn't there, so what is missing there couldn't be configured on Kubernetes.
#[test]
fn the_chart_takes_the_top_level_keys_of_the_configuration_and_no_other() {
    let schema = fs::read_to_string("deploy/helm/thermal-guard/values.schema.json").unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let config = &schema["properties"]["config"];
    assert_eq!(config["additionalProperties"], false);
    let there = config["properties"].as_object().unwrap().keys();
    let there: BTreeSet<_> = there.cloned().collect();
    assert_eq!(there, top_level().into_iter().collect());
}

fn accepted(path: &str) -> String {
    let stranger = format!("{path}.{STRANGER}");
    let wrong = || json!({ STRANGER: 1 });
    let error = complaint(path, wrong(), path)
        // There the keys are the operator's own names, so the complaint is about one of them.
        .or_else(|| complaint(path, wrong(), &stranger))
        // There anything may be in the mapping.
        .or_else(|| complaint(path, json!(1), path));
    let error = error.unwrap_or_else(|| panic!("{path} accepts anything?"));
    error
        .accepted
        .unwrap_or_else(|| panic!("{path} doesn't say what it accepts"))
}

fn is_required(path: &str) -> bool {
    let (section, _) = path.rsplit_once('.').unwrap_or_default();
    let missing = complaint(section, json!({}), path);
    missing.is_some_and(|error| error.problem == "is missing")
}

/// The example file with its settings in force; prose is `# like this`.
fn example() -> Value {
    let file = fs::read_to_string("deploy/thermal-guard.example.yml").unwrap();
    let prose = |line: &&str| !line.starts_with("# ") || line.starts_with("#  ");
    let settings = file.lines().filter(prose);
    let text: Vec<_> = settings
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .collect();
    serde_saphyr::from_str(&text.join("\n")).unwrap()
}

/// As the example says it; of `auto` in place of a section, every key has it.
fn default(path: &str, example: &Value) -> String {
    let mut value = example;
    for part in path.split('.') {
        match value.get(part) {
            Some(inner) => value = inner,
            None if value == "auto" => break,
            None => panic!("deploy/thermal-guard.example.yml doesn't show {path}"),
        }
    }
    match value {
        Value::String(word) => format!("`{word}`"),
        other => format!("`{other}`"),
    }
}

#[test]
fn the_table_of_keys_is_what_the_reader_takes() {
    let written = fs::read_to_string(DOCUMENT).unwrap();
    let written = between(&written, "keys");
    let rows: BTreeMap<_, _> = written
        .lines()
        .map(cells)
        .filter(|row| row.len() == 4)
        .map(|row| (row[0].to_owned(), row))
        .collect();
    let by_hand = |key: &str, column: usize| rows.get(key).map_or("", |row| row[column]);
    let example = example();
    let mut table = "| key | default | accepted | meaning |\n|---|---|---|---|\n".to_owned();
    for path in all() {
        let key = format!("`{path}`");
        let default = match (path.contains("[]"), is_required(&path)) {
            (_, true) => "required".to_owned(),
            // The example's app and sensor are examples.
            (true, false) => by_hand(&key, 1).to_owned(),
            (false, false) => default(&path, &example),
        };
        let accepted = accepted(&path).replace('\\', "\\\\").replace('|', "\\|");
        let meaning = by_hand(&key, 3);
        writeln!(table, "| {key} | {default} | {accepted} | {meaning} |").unwrap();
    }
    derived(DOCUMENT, "keys", &table);
    let silent = table
        .lines()
        .filter(|row| cells(row).iter().any(|cell| cell.is_empty()));
    assert_eq!(
        silent.collect::<Vec<_>>(),
        [""; 0],
        "{DOCUMENT}: say what these are"
    );
}

/// Smallest entries of the two lists, to see that a default written by hand changes nothing.
fn least() -> Value {
    json!({
        "sensors": [{ "name": "a", "file": "/a", "unit": "celsius", "critical": 45 }],
        "apps": [{
            "name": "a",
            "env_file": { "path": "/a", "key": "A", "normal": "4", "gradual": "1" },
            "http": { "url": "http://a/{mode}", "modes": {} },
        }],
    })
}

#[test]
fn a_default_written_by_hand_is_the_default() {
    let config = |tree: &Value| Config::from_yaml(&tree.to_string()).unwrap();
    let written = fs::read_to_string(DOCUMENT).unwrap();
    let mut seen = 0;
    for row in between(&written, "keys").lines().map(cells) {
        let [key, default, ..] = row[..] else {
            continue;
        };
        let literal = default
            .strip_prefix('`')
            .and_then(|text| text.strip_suffix('`'));
        let Some(literal) = literal.filter(|_| key.contains("[]")) else {
            continue;
        };
        let pointer = format!(
            "/{}",
            key.trim_matches('`').replace("[]", ".0").replace('.', "/")
        );
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let value: Value = serde_saphyr::from_str(literal).unwrap();
        let mut said = least();
        said.pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(config(&said), config(&least()), "{key}: {literal}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}

#[test]
fn the_reader_is_asked_in_a_way_it_answers() {
    let paths = all();
    for known in [
        "mode",
        "actuators.power_limit.gradual_floor",
        "apps[].http.modes.gradual",
        "alertmanager.basic_auth.username",
    ] {
        assert!(
            paths.iter().any(|path| path == known),
            "{known} in {paths:?}"
        );
    }
    assert_eq!(
        accepted("hook.lease"),
        "a duration from 1s to 15m, such as \"30s\""
    );
    assert!(
        is_required("sensors[].critical")
            && !is_required("sensors[].alert")
            && !is_required("mode")
    );
}
