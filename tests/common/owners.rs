//! The sources that name the metrics they export.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

/// The views, and each file that registers counters.
pub(crate) fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    sources.retain(|source| {
        source.contains("super::families::") || source.contains("\n            registry,\n")
    });
    assert!(sources.len() > 10, "only {}", sources.len());
    sources
}

fn collect(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}
