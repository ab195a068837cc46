//! YAML text to a plain tree. Bounded: a file of a few lines must not become gigabytes.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::files;

use super::error::ConfigErrors;

/// Chosen, because a configuration of hundreds of apps is still under a tenth of it.
const MAX_BYTES: usize = 1024 * 1024;

/// Nodes of the tree, aliases counted each time they are used.
const MAX_NODES: usize = 50_000;

/// Deeper than any key of ours by far, and safe for the stack.
const MAX_DEPTH: usize = 16;

/// The top-level mapping; an empty document is an empty one. Duplicate keys are an error.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, ConfigErrors> {
    if text.len() > MAX_BYTES {
        return Err(ConfigErrors::whole("the file is larger than 1 MiB"));
    }
    let tree: Option<Value> = tree(text)
        .map_err(|error| ConfigErrors::whole(in_our_words(&one_line(&error.to_string()))))?;
    match tree {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(ConfigErrors::whole(
            "the file is not a mapping of keys to values, such as `key: value` on each line",
        )),
    }
}

/// One document, in whatever form the caller wants it.
pub(super) fn tree<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        // YAML 1.2: `on`, `off`, `yes`, `no` are words, as an app's value they are meant so.
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// How long a start or a reload waits for the disk that the file is on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a file of at most the size that [`parse`] takes, if its disk answers.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let its = path.to_owned();
    files::patiently(path, PATIENCE, move || {
        files::read_text(&its, MAX_BYTES as u64)
    })
    .flatten()
}

/// The reader speaks of its own options, which nobody who edits a file can set.
fn in_our_words(complaint: &str) -> String {
    let (what, place) = match complaint.rfind(" at line ") {
        Some(at) => complaint.split_at(at),
        None => (complaint, ""),
    };
    if let Some(rest) = what.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(", set ").next().unwrap_or(rest);
        return format!(
            "{} is there twice{place}: keep one of them",
            key.escape_debug()
        );
    }
    if what.starts_with("budget breached: Documents") {
        return format!("there is a second document{place}: leave out the `---` before it");
    }
    if what.starts_with("budget breached") || what.starts_with("alias") {
        return format!("it is more than any configuration{place}: make it smaller ({what})");
    }
    if what.starts_with("non-finite float") {
        return format!("there is a number without an end{place}: write a plain one");
    }
    complaint.to_owned()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
