//! Reads one mapping of a configuration file key by key. It collects mistakes instead of returning the
//! first, so that one pass finds all of them. Keys that are left at the end are unknown.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ConfigError, ConfigErrors};
use super::hint;
use super::shown::{Manners, quoted};
use super::value::Wrong;

/// A mapping being read.
pub(crate) struct Section<'a> {
    path: String,
    map: Map<String, Value>,
    known: Vec<&'static str>,
    taken: Vec<&'static str>,
    found: &'a Found,
}

/// The mistakes and keys found in a file.
#[derive(Default)]
struct Found {
    errors: RefCell<Vec<ConfigError>>,
    /// Full paths of all keys that were read.
    keys: RefCell<Vec<String>>,
}

/// The problem of a key that no reader takes.
const UNKNOWN: &str = "unknown key";

/// Reads a whole file: `read` takes its keys from the top-level section.
pub(crate) fn read_all<T>(
    map: Map<String, Value>,
    read: impl FnOnce(&mut Section<'_>) -> T,
) -> Result<T, ConfigErrors> {
    let found = Found::default();
    let value = Section::read(String::new(), map, &found, read);
    let (mut errors, keys) = (found.errors.into_inner(), found.keys.into_inner());
    if errors.is_empty() {
        return Ok(value);
    }
    for error in errors.iter_mut().filter(|error| error.problem == UNKNOWN) {
        if let Some(key) = elsewhere(&error.path, &keys) {
            error.problem = format!("{UNKNOWN} here; did you mean {key}?");
            error.accepted = None;
        }
    }
    Err(ConfigErrors(errors))
}

/// The one key of that name in another section.
fn elsewhere<'k>(path: &str, keys: &'k [String]) -> Option<&'k str> {
    let name = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    let wanted = name(path);
    let mut same = keys.iter().filter(|key| name(key) == wanted);
    let (key, None) = (same.next()?, same.next()) else {
        return None;
    };
    Some(key)
}

impl<'a> Section<'a> {
    /// The value of `key`; `None` if it isn't there or is wrong.
    pub(crate) fn take<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        let value = self.remove(key)?;
        parse(&value).map_err(|wrong| self.wrong(key, wrong)).ok()
    }

    /// As [`Section::take`], for a key whose `null` means as much as its absence.
    pub(crate) fn nullable<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        if self.map.get(key).is_some_and(Value::is_null) {
            self.map.remove(key);
        }
        self.take(key, parse)
    }

    /// As [`Section::take`], for a key without which the section makes no sense.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        if self.map.contains_key(key) {
            return self.take(key, parse);
        }
        self.known.push(key);
        // The error for null says which values are accepted.
        let accepted = parse(&Value::Null).err().map(|wrong| wrong.accepted);
        self.wrong(key, Wrong::new("is missing", accepted.unwrap_or_default()));
        None
    }

    /// A subsection of which every key has a default: absent or empty is all defaults.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let map = self.mapping(key).unwrap_or_default();
        Section::read(self.path_of(key), map, self.found, read)
    }

    /// A subsection that may be left out as a whole.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        let map = self.mapping(key)?;
        Some(Section::read(self.path_of(key), map, self.found, read))
    }

    /// A list of subsections.
    pub(crate) fn sections<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&mut Section<'_>) -> T,
    ) -> Vec<T> {
        let items = match self.remove(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                let accepted = hint::sections(&self.path_of(key));
                self.wrong(key, Wrong::of(&other, accepted));
                return Vec::new();
            }
        };
        let mut read_items = Vec::with_capacity(items.len());
        for (n, item) in items.into_iter().enumerate() {
            let path = format!("{}[{n}]", self.path_of(key));
            match item {
                Value::Object(map) => {
                    read_items.push(Section::read(path, map, self.found, &read));
                }
                other => {
                    let accepted = hint::section(&path);
                    self.push(path, Wrong::of(&other, accepted));
                }
            }
        }
        read_items
    }

    /// The subsections of a list that could be read. Two with the same name are a mistake.
    pub(crate) fn unique<T>(
        &self,
        key: &str,
        read: Vec<Option<T>>,
        name: impl Fn(&T) -> &String,
    ) -> Vec<T> {
        let mut all: Vec<T> = Vec::with_capacity(read.len());
        for (n, item) in read.into_iter().enumerate() {
            let Some(item) = item else { continue };
            if all.iter().any(|earlier| name(earlier) == name(&item)) {
                let problem = format!("{} is the name of an earlier one", quoted(name(&item)));
                let wrong = Wrong::new(problem, "unique names");
                self.push(format!("{}[{n}].name", self.path_of(key)), wrong);
            }
            all.push(item);
        }
        all
    }

    /// A mapping whose keys are the operator's own names.
    pub(crate) fn entries<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str, &Value) -> Result<T, Wrong>,
    ) -> BTreeMap<String, T> {
        let path = self.path_of(key);
        let mut entries = BTreeMap::new();
        for (name, value) in self.mapping(key).unwrap_or_default() {
            match parse(&name, &value) {
                Ok(value) => {
                    entries.insert(name, value);
                }
                Err(wrong) => {
                    let path = format!("{path}.");
                    let strange = Some(path.len());
                    self.push_at(format!("{path}{}", name.escape_debug()), strange, wrong);
                }
            }
        }
        entries
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// Whether nothing is in it that wasn't taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether `key` had a value in the file, and it was taken.
    pub(crate) fn took(&self, key: &str) -> bool {
        self.taken.contains(&key)
    }

    /// Whether `key` is just that word, where otherwise a mapping is meant.
    pub(crate) fn is_word(&self, key: &str, word: &str) -> bool {
        self.map.get(key).and_then(Value::as_str) == Some(word)
    }

    /// A mistake that shows only when several keys are seen together.
    pub(crate) fn wrong(&self, key: &str, wrong: Wrong) {
        self.push(self.path_of(key), wrong);
    }

    fn read<T>(
        path: String,
        map: Map<String, Value>,
        found: &'a Found,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        let mut section = Section {
            path,
            map,
            known: Vec::new(),
            taken: Vec::new(),
            found,
        };
        let value = read(&mut section);
        let known = section.known.iter().map(|key| section.path_of(key));
        found.keys.borrow_mut().extend(known);
        section.refuse_the_rest();
        value
    }

    fn mapping(&mut self, key: &'static str) -> Option<Map<String, Value>> {
        match self.remove(key)? {
            Value::Null => None,
            Value::Object(map) => Some(map),
            other => {
                let accepted = hint::section(&self.path_of(key));
                self.wrong(key, Wrong::of(&other, accepted));
                None
            }
        }
    }

    fn remove(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        let value = self.map.remove(key)?;
        self.taken.push(key);
        Some(value)
    }

    fn refuse_the_rest(&self) {
        for key in self.map.keys() {
            let path = self.path_of(key);
            // What begins a key of this very file is meant for it, unless that is there, too.
            let begun = begun(key, &self.known).filter(|it| !self.taken.contains(it));
            let flag = hint::flag(key).filter(|_| self.path.is_empty() && begun.is_none());
            if let Some(flag) = flag {
                let problem = format!("{UNKNOWN}; it is a flag: {flag}");
                self.push(path, Wrong::new(problem, ""));
            } else if let Some(near) = nearest(key, &self.known).or(begun) {
                self.push(
                    path,
                    Wrong::new(format!("{UNKNOWN}; did you mean {near}?"), ""),
                );
            } else {
                let strange = path.len() - key.escape_debug().map(char::len_utf8).sum::<usize>();
                let wrong = Wrong::new(UNKNOWN, self.known.join(", "));
                self.push_at(path, Some(strange), wrong);
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        // A key comes from the file: it must not break the one line it is reported on.
        let key = key.escape_debug();
        match self.path.as_str() {
            "" => key.to_string(),
            path => format!("{path}.{key}"),
        }
    }

    fn push(&self, path: String, wrong: Wrong) {
        self.push_at(path, None, wrong);
    }

    fn push_at(&self, path: String, strange_from: Option<usize>, wrong: Wrong) {
        self.found.errors.borrow_mut().push(ConfigError {
            path,
            problem: wrong.problem,
            accepted: Some(wrong.accepted).filter(|accepted| !accepted.is_empty()),
            line: None,
            strange_from,
            manners: Manners::default(),
        });
    }
}

/// The key that was probably meant: a slip or two away, hyphens and case aside.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = key.to_lowercase().replace('-', "_");
    let distance = |candidate: &str| strsim::osa_distance(&plain, candidate);
    let best = known.iter().min_by_key(|candidate| distance(candidate))?;
    let slips = if best.len() > 4 { 2 } else { 1 };
    (distance(best) <= slips).then_some(*best)
}

/// The only key that begins with these words.
fn begun<'k>(words: &str, known: &[&'k str]) -> Option<&'k str> {
    let mut longer = known.iter().filter(|candidate| {
        let rest = candidate.strip_prefix(words);
        rest.is_some_and(|rest| rest.starts_with('_'))
    });
    let first = longer.next();
    first.copied().filter(|_| longer.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["poll_interval", "gpus", "mode"];
        assert_eq!(nearest("pol_interval", &known), Some("poll_interval"));
        assert_eq!(nearest("Poll-Interval", &known), Some("poll_interval"));
        assert_eq!(nearest("gpu", &known), Some("gpus"));
        assert_eq!(nearest("webhook", &known), None);
        let web = [
            "basic_auth_users",
            "http_server_config",
            "tls_server_config",
        ];
        assert_eq!(begun("basic_auth", &web), Some("basic_auth_users"));
        let two = ["heartbeat_age", "heartbeat_timeout"];
        assert_eq!(begun("heartbeat", &two), None);
    }
}
