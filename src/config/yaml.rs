//! YAML text to a plain tree. Bounded: a file of a few lines must not become gigabytes.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::disk;

use super::tree::error::ConfigErrors;
use super::tree::shown::bare;

/// Chosen, because a configuration of hundreds of apps is still under a tenth of it.
const MAX_BYTES: usize = 1024 * 1024;

/// Nodes of the tree, aliases counted each time they are used.
const MAX_NODES: usize = 50_000;

/// Deeper than any key of this configuration, and safe for the stack.
const MAX_DEPTH: usize = 16;

/// The top-level mapping; an empty document is an empty one. Duplicate keys are an error.
pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, ConfigErrors> {
    if text.len() > MAX_BYTES {
        return Err(ConfigErrors::whole("the file is larger than 1 MiB"));
    }
    let tree: Option<Value> =
        tree(text).map_err(|error| ConfigErrors::whole(explained(&error, text)))?;
    match tree {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(ConfigErrors::whole(
            "the file is not a mapping of keys to values, such as `key: value` on each line",
        )),
    }
}

/// One document as the caller's type.
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
        // YAML 1.2: `on`, `off`, `yes`, `no` are plain words, and values of apps mean them so.
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
    disk::patiently(path, PATIENCE, move || {
        disk::read_text(&its, MAX_BYTES as u64)
    })
    .flatten()
}

/// Begins the message about a text that the parser can't make sense of.
const NO_YAML: &str = "it is no YAML";

/// A tab that indents is the likeliest reason for no YAML.
fn explained(error: &serde_saphyr::Error, text: &str) -> String {
    let said = in_our_words(error);
    match tab_near(text, error) {
        Some(line) if said.starts_with(NO_YAML) => {
            format!("there is a tab at the beginning of line {line}: YAML indents with spaces")
        }
        _ => said,
    }
}

/// The parser's errors in words for the person who edits the file. Errors that could repeat text of the
/// file are replaced, and so are errors about the parser's own options.
fn in_our_words(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    use serde_saphyr::budget::BudgetBreach;
    let place = match error.location() {
        Some(at) if at.line() > 0 => format!(" at line {}, column {}", at.line(), at.column()),
        _ => String::new(),
    };
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => in_our_words(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!(
            "{} is there twice{place}: keep one of them",
            bare(&key.escape_debug().to_string())
        ),
        Error::DuplicateMappingKey { key: None, .. } => {
            format!("a key is there twice{place}: keep one of them")
        }
        Error::MultipleDocuments { .. }
        | Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => second_document(&place),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            format!("it is more than any configuration{place}: make it smaller")
        }
        Error::UnknownAnchor { .. } => format!(
            "there is a `*` without a matching `&`{place}: put a value that begins with it into quotes"
        ),
        Error::NonFiniteFloat { .. } => {
            format!("there is a number without an end{place}: write a plain one")
        }
        Error::NullIntoString { .. } => {
            format!("a key is empty{place}: give it a name, in quotes if that is ~ or null")
        }
        Error::Eof { .. } => format!("the file ends too early{place}: complete the last value"),
        // The scanner's errors are fixed sentences.
        Error::Message { msg, .. } if is_plain(msg) => {
            format!("{NO_YAML}{place}: {}", one_line(msg))
        }
        _ => format!("{NO_YAML} that the guard reads{place}: quotes around a value often help"),
    }
}

/// The line that a tab indents, of the line of the mistake, the one before and the one after: the parser
/// may notice it there.
fn tab_near(text: &str, error: &serde_saphyr::Error) -> Option<usize> {
    let at = usize::try_from(error.location()?.line()).ok()?;
    let indented = |line: &&str| {
        let blanks = line.len() - line.trim_start_matches([' ', '\t']).len();
        line[..blanks].contains('\t')
    };
    let near = text.lines().zip(1..).skip(at.saturating_sub(2)).take(3);
    near.filter(|(line, _)| indented(line))
        .map(|(_, number)| number)
        .next()
}

fn second_document(place: &str) -> String {
    format!("there is a second document{place}: leave out the `---` before it")
}

/// Whether the sentence quotes nothing, which might come from the file.
fn is_plain(sentence: &str) -> bool {
    let odd = |c: char| {
        !(c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "-,.;:()'{}[]&*".contains(c))
    };
    sentence.len() <= 160 && !sentence.contains(odd)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
