//! Finds the line of each mistake. This parses the text a second time, and only after a mistake: the
//! tree that is checked is plain JSON values, without positions.

use std::iter;

use granit_parser::{Event, Parser, Span};

use super::tree::error::ConfigErrors;

/// Adds to each mistake the line of its key or, if the key is missing, of the section that lacks it, and
/// puts them into the order of their lines.
pub(crate) fn point_out(text: &str, errors: &mut ConfigErrors) {
    // A mistake of the file as a whole already names its line, and the text may be no tree.
    if errors.0.iter().all(|error| error.path.is_empty()) {
        return;
    }
    let mut parser = Parser::new_from_str(text);
    let events = iter::from_fn(|| parser.next_event()?.ok());
    let begins = |event: &Event<'_>| matches!(event, Event::StreamStart | Event::DocumentStart(..));
    let Some(tree) = next(&mut events.skip_while(|(event, _)| begins(event))) else {
        return;
    };
    for error in errors.0.iter_mut().filter(|error| !error.path.is_empty()) {
        error.line = tree.line_of(&error.path);
    }
    // As an editor shows the file.
    errors.0.sort_by_key(|error| error.line);
}

/// A key or a value, and its line.
struct Node {
    line: u64,
    is: Is,
}

enum Is {
    Map(Vec<(Node, Node)>),
    List(Vec<Node>),
    Text(String),
}

/// The next key or value. `None`: the mapping or list that it would belong to ends. The depth is the
/// text's, and what is deeper than a configuration has been refused before.
fn next<'text>(events: &mut impl Iterator<Item = (Event<'text>, Span)>) -> Option<Node> {
    let (event, at) = events.next()?;
    let is = match event {
        Event::MappingStart(..) => {
            let entry = || Some((next(events)?, next(events)?));
            Is::Map(iter::from_fn(entry).collect())
        }
        Event::SequenceStart(..) => Is::List(iter::from_fn(|| next(events)).collect()),
        Event::Scalar(text, ..) => Is::Text(text.into_owned()),
        // What it stands for is shown where it is used.
        Event::Alias(_) => Is::Text(String::new()),
        _ => return None,
    };
    let line = at.start.line() as u64;
    Some(Node { line, is })
}

impl Node {
    /// The line of the last part of `path` (such as `apps[0].http.url`) that exists.
    fn line_of(&self, path: &str) -> Option<u64> {
        let mut node = self;
        let mut line = None;
        for part in path.split(['.', '[']) {
            let found = match (&node.is, part.strip_suffix(']')) {
                (Is::Map(entries), None) => {
                    let found = entries.iter().find(|(key, _)| key.is(part));
                    line = found.map(|(key, _)| key.line).or(line);
                    found.map(|(_, value)| value)
                }
                (Is::List(items), Some(index)) => items.get(index.parse::<usize>().ok()?),
                _ => None,
            };
            let Some(found) = found else { break };
            node = found;
        }
        line
    }

    fn is(&self, key: &str) -> bool {
        matches!(&self.is, Is::Text(text) if text == key)
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
