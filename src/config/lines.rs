//! Finds the line of each mistake. This parses the text a second time, and only after a mistake: the
//! tree that is checked is plain JSON values, without positions.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::tree::error::ConfigErrors;
use super::yaml;

/// Adds to each mistake the line of its key or, if the key is missing, of the section that lacks it, and
/// puts them into the order of their lines.
pub(crate) fn point_out(text: &str, errors: &mut ConfigErrors) {
    // A mistake of the file as a whole already names its line.
    let Ok(tree) = yaml::tree::<Tree>(text) else {
        return;
    };
    for error in errors.0.iter_mut().filter(|error| !error.path.is_empty()) {
        error.line = tree.line(&error.path);
    }
    // As an editor shows the file.
    errors.0.sort_by_key(|error| error.line);
}

/// Keys with their lines; values don't matter.
enum Tree {
    Map(Vec<(Spanned<String>, Tree)>),
    List(Vec<Tree>),
    Leaf,
}

impl Tree {
    /// The line of the last part of `path` (such as `apps[0].http.url`) that exists.
    fn line(&self, path: &str) -> Option<u64> {
        let mut tree = self;
        let mut line = None;
        for part in path.split(['.', '[']) {
            let next = match (tree, part.strip_suffix(']')) {
                (Tree::Map(keys), None) => {
                    let found = keys.iter().find(|(key, _)| key.value == part);
                    line = found.map(|(key, _)| key.referenced.line()).or(line);
                    found.map(|(_, value)| value)
                }
                (Tree::List(items), Some(index)) => items.get(index.parse::<usize>().ok()?),
                _ => None,
            };
            let Some(next) = next else { break };
            tree = next;
        }
        line
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = map.next_entry()? {
            keys.push(entry);
        }
        Ok(Tree::Map(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut trees = Vec::new();
        while let Some(item) = items.next_element()? {
            trees.push(item);
        }
        Ok(Tree::List(trees))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn each_mistake_names_its_line() {
        let text = "# a comment\n\
            mode: maybe\n\
            hook:\n\
            \x20 lease: soon\n\
            \x20 leese: 30s\n\
            apps:\n\
            \x20 - name: one\n\
            \x20   env_file: { path: a.env, key: SIZE, gradual: 1 }\n\
            \x20 - name: two\n\
            \x20   http: { url: nowhere, modes: { normal: a, gradual: b, emergency: c } }\n\
            7: 8\n";
        let mut errors = Config::from_yaml(text).unwrap_err();
        point_out(text, &mut errors);
        let line = |path: &str| {
            let error = errors.0.iter().find(|error| error.path == path);
            error.unwrap_or_else(|| panic!("{path}: {errors}")).line
        };
        assert_eq!(line("mode"), Some(2));
        assert_eq!(line("hook.lease"), Some(4));
        assert_eq!(line("hook.leese"), Some(5));
        assert_eq!(line("apps[1].http.url"), Some(10));
        // Of what is missing, the section that lacks it.
        assert_eq!(line("apps[0].env_file.normal"), Some(8));
        assert_eq!(line("7"), Some(11));
    }
}
